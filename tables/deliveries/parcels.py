"""What left the warehouse of one order: when its packages are to be read, and what a read means. Pure.

A look-up shows how much of each line left; the packages with their tracking numbers may follow later (fact sheet 7.3), so they are read until they hold what
left, or until the wait is over. Where the warehouse does not tell what is in a package, what left since the last read is in the new one; packages that became
known together are told as one parcel. Times are our milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.records import WarehouseDespatch, WarehouseParcel
from tables.deliveries.release_row import ReleaseRow

_READ_FIRST: Final = 500
_READ_LONGEST: Final = 60_000


@dataclass(frozen=True, slots=True)
class SeenPackage:
    """One package as the warehouse shows it; `contents` None: it does not tell."""

    package_id: str
    tracking: str
    carrier: str
    service: str
    contents: Mapping[str, int] | None


def note(row: ReleaseRow, despatched: Mapping[str, int], complete: bool, now: int) -> bool:
    """A look-up showed what left and whether nothing more will; True where packages are to be read for it."""
    if dict(despatched) == row.despatched and complete == row.despatch_complete:
        return False
    row.despatched, row.despatch_complete, row.stands_from = dict(despatched), complete, now
    row.parcels_due, row.parcels_since, row.parcel_reads = now, now, 0
    return True


def tell(
    row: ReleaseRow,
    despatched: Mapping[str, int],
    complete: bool,
    packages: Sequence[SeenPackage],
    began: int,
    wait: int,
    now: int,
) -> WarehouseDespatch | None:
    """Fold a read that began at `began`; what ORDERS is to be told, None where that is nothing new. It is read again where something is missing still."""
    row.despatched, row.despatch_complete = dict(despatched), complete
    contents = _contents(row, packages, despatched)
    late = now >= row.parcels_since + wait
    rest = dict(despatched)
    for held in contents.values():
        for code, eaches in held.items():
            rest[code] = rest.get(code, 0) - eaches
    rest = {code: eaches for code, eaches in rest.items() if eaches > 0}
    waits = bool(rest) or any(not package.tracking for package in packages)
    parcels = [
        WarehouseParcel(
            parcel_id=one.package_id,
            tracking=one.tracking,
            also=_beside(one, packages, contents),
            carrier=one.carrier,
            service=one.service,
            lines=contents[one.package_id],
        )
        for one in packages
        if contents[one.package_id] and (one.tracking or late)
    ]
    if rest and late:
        parcels.append(WarehouseParcel(parcel_id=f"{row.wms_id}-rest", tracking="", lines=rest))
    row.parcel_reads += 1
    row.parcels_due = now + min(_READ_LONGEST, _READ_FIRST * 2 ** min(row.parcel_reads, 7)) if waits and not late else 0
    row.contents = contents
    read_at = max(began, row.parcels_told + 1)
    told = WarehouseDespatch(
        reference=row.reference,
        wms_id=row.wms_id,
        read_at=read_at,
        complete=complete and (late or not waits),
        parcels=parcels,
    )
    if (told.complete, told.parcels) == (row.told_complete, row.told_parcels):
        return None
    row.parcels_told, row.told_complete, row.told_parcels = read_at, told.complete, parcels
    return told


def _contents(
    row: ReleaseRow, packages: Sequence[SeenPackage], despatched: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Package id to what is in it: as told, else as known, else what no other package holds."""
    found: dict[str, dict[str, int]] = {}
    unknown = []
    for one in packages:
        if one.contents is not None:
            found[one.package_id] = {code: eaches for code, eaches in one.contents.items() if eaches}
        elif row.contents.get(one.package_id):
            found[one.package_id] = row.contents[one.package_id]
        else:
            unknown.append(one.package_id)
            found[one.package_id] = {}
    if unknown:
        rest = dict(despatched)
        for held in found.values():
            for code, eaches in held.items():
                rest[code] = rest.get(code, 0) - eaches
        found[unknown[0]] = {code: eaches for code, eaches in rest.items() if eaches > 0}
    return found


def _beside(one: SeenPackage, packages: Sequence[SeenPackage], contents: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Tracking numbers of the packages after this one that hold nothing of their own."""
    found: list[str] = []
    after = False
    for other in packages:
        if other is one:
            after = True
        elif after and contents[other.package_id]:
            break
        elif after and other.contents is None and other.tracking:
            found.append(other.tracking)
    return found
