"""From what left the warehouse to what each storefront shipment holds: eaches of parcels to selling units of order lines, once each. Pure.

A parcel counts for the units it completes. What is too little for a unit (half a case, a bundle that lacks a component) stays in `spare` and counts with the
parcel that completes it; so units and eaches are conserved in whatever order parcels come, go and come again. What is sent when is decided in `fold`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from schemas.records import OrderSnapshot, ShipmentLine, ShipParcel, WarehouseDespatch, WarehouseParcel
from tables.catalogue import Catalogue
from tables.orders.demand import Reading, components
from tables.orders.rows import OrderRow, ParcelRow

_KEY: Final = re.compile(r"[^A-Za-z0-9_-]")
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Carriage:
    """What the configuration says of one Clarus carrier: its name for customers, the form of its tracking numbers, the link to follow one."""

    name: str = ""
    tracking: re.Pattern[str] | None = None
    link: str = ""

    def link_to(self, tracking: str) -> str:
        """The tracking link; empty where there is no template or no number."""
        return self.link.replace("{tracking}", quote(tracking, safe="")) if tracking else ""


@dataclass(frozen=True, slots=True)
class Need:
    """One order line: its units, and the eaches of each product in one of them."""

    line_id: str
    units: int
    eaches: Mapping[str, int] = field(default_factory=dict)


def needs_of(snapshot: OrderSnapshot, reading: Reading, catalogue: Catalogue) -> list[Need]:
    """What the order's lines want, the largest selling unit first: what is left of a case is worth a single piece, not the other way round."""
    found = []
    for line in snapshot.lines:
        listing = reading.mapped.get(line.line_id)
        if listing is not None:
            parts = dict(components(catalogue.products[listing.product], 1, listing.eaches))
            found.append(Need(line.line_id, line.quantity, parts))
    return sorted(found, key=lambda need: -sum(need.eaches.values()))


def take_in(row: OrderRow, seen: WarehouseDespatch, needs: Sequence[Need], version: int) -> bool:
    """Bring the row's parcels to what the warehouse shows. False where that was read before what is known."""
    if seen.read_at <= row.despatch_read:
        return False
    row.despatch_read, row.despatch_complete = seen.read_at, seen.complete
    there = {parcel.parcel_id: parcel for parcel in seen.parcels}
    for parcel_id, known in list(row.parcels.items()):
        parcel = there.get(parcel_id)
        if known.wanted and (parcel is None or parcel.lines != known.contents):
            _take_back(row, known)
            known.wanted, known.version = False, version
            if not known.sent:
                del row.parcels[parcel_id]
    for parcel in seen.parcels:
        known_now = row.parcels.get(parcel.parcel_id)
        if known_now is None or not known_now.wanted:
            _put_in(row, parcel, needs, version)
        elif _label(known_now) != _label(parcel):
            known_now.tracking, known_now.also = parcel.tracking, list(parcel.also)
            known_now.carrier, known_now.service = parcel.carrier, parcel.service
            known_now.version = version
    return True


def _label(parcel: ParcelRow | WarehouseParcel) -> tuple[str, list[str], str, str]:
    return parcel.tracking, parcel.also, parcel.carrier, parcel.service


def _put_in(row: OrderRow, parcel: WarehouseParcel, needs: Sequence[Need], version: int) -> None:
    for code, eaches in parcel.lines.items():
        row.spare[code] = row.spare.get(code, 0) + eaches
    shipped = shipped_units(row)
    units, counted = dict[str, int](), dict[str, int]()
    for need in needs:
        open_units = need.units - shipped.get(need.line_id, 0)
        complete = min((row.spare.get(code, 0) // n for code, n in need.eaches.items()), default=0)
        taken = max(0, min(open_units, complete))
        if taken:
            units[need.line_id] = taken
            for code, n in need.eaches.items():
                row.spare[code] -= taken * n
                counted[code] = counted.get(code, 0) + taken * n
    known = row.parcels.get(parcel.parcel_id)
    row.parcels[parcel.parcel_id] = ParcelRow(
        parcel.parcel_id,
        parcel.tracking,
        list(parcel.also),
        parcel.carrier,
        parcel.service,
        dict(parcel.lines),
        units,
        version,
        sent=known.sent if known is not None else 0,
        counted=counted,
    )
    row.spare = {code: eaches for code, eaches in row.spare.items() if eaches}


def _take_back(row: OrderRow, parcel: ParcelRow) -> None:
    """Its units are open again; its eaches leave `spare`, which may owe some of them to a unit that another parcel was counted for."""
    for code, eaches in parcel.counted.items():
        row.spare[code] = row.spare.get(code, 0) + eaches
    for code, eaches in parcel.contents.items():
        row.spare[code] = row.spare.get(code, 0) - eaches
    row.spare = {code: eaches for code, eaches in row.spare.items() if eaches}
    parcel.units, parcel.counted = {}, {}


def shipped_units(row: OrderRow) -> dict[str, int]:
    """Units by line that parcels hold."""
    total: dict[str, int] = {}
    for parcel in row.parcels.values():
        if parcel.wanted:
            for line_id, units in parcel.units.items():
                total[line_id] = total.get(line_id, 0) + units
    return total


def short_of(row: OrderRow, needs: Sequence[Need]) -> dict[str, int]:
    """Units by line that no parcel holds."""
    shipped = shipped_units(row)
    open_units = {need.line_id: need.units - shipped.get(need.line_id, 0) for need in needs}
    return {line_id: units for line_id, units in open_units.items() if units > 0}


def commands(row: OrderRow, needs: Sequence[Need], carriers: Mapping[str, Carriage]) -> list[ShipParcel]:
    """What is new for the storefront, in the order in which the parcels were made; the row remembers it as sent.

    A parcel that completes no unit is told with the one that completes it; one whose tracking number cannot be right is not told. Where an edit makes an order
    whole or incomplete, its last parcel is told again: the storefront says by it how much of the order was sent.
    """
    assert row.snapshot is not None  # noqa: S101 - without the order there is nothing to tell
    whole = not short_of(row, needs) and all(
        valid(parcel, carriers) for parcel in row.parcels.values() if parcel.wanted and parcel.units
    )
    due = [parcel for parcel in row.parcels.values() if _is_due(parcel, carriers)]
    told = [parcel for parcel in row.parcels.values() if parcel.wanted and parcel.units and parcel.sent]
    if told and not due and row.told_whole is (not whole):
        last = max(told, key=lambda parcel: parcel.version)
        last.version = max(last.version, row.revision)
    addresses = {line.line_id: line.address for line in row.snapshot.lines}
    found: list[ShipParcel] = []
    before: list[str] = []
    for parcel in row.parcels.values():
        if parcel.wanted and not parcel.units and parcel.tracking:
            before.append(parcel.tracking)
        beside, before = (before, []) if parcel.units else ([], before)
        if not _is_due(parcel, carriers):
            continue
        carriage = carriers.get(parcel.carrier, Carriage())
        parcel.sent, parcel.state, parcel.detail = parcel.version, "", ""
        found.append(
            ShipParcel(
                channel=row.channel,
                order_id=row.order_id,
                number=row.number,
                parcel_id=parcel.parcel_id,
                key=parcel_key(parcel.parcel_id),
                version=parcel.version,
                wanted=parcel.wanted,
                lines=[ShipmentLine(line_id=line_id, units=units) for line_id, units in parcel.units.items()],
                tracking=parcel.tracking,
                also=[*beside, *parcel.also],
                carrier=carriage.name or parcel.carrier,
                link=carriage.link_to(parcel.tracking),
                address=next((addresses[line_id] for line_id in parcel.units if addresses.get(line_id)), ""),
                whole=whole,
            )
        )
        row.told_whole = whole
    return found


def _is_due(parcel: ParcelRow, carriers: Mapping[str, Carriage]) -> bool:
    tellable = not parcel.wanted or (bool(parcel.units) and valid(parcel, carriers))
    return parcel.sent != parcel.version and tellable


def parcel_key(parcel_id: str) -> str:
    """Our key of the parcel at the storefront: letters, digits, _ and - only, the same whenever it is computed."""
    return "clarus-" + _KEY.sub("-", parcel_id)


def valid(parcel: ParcelRow, carriers: Mapping[str, Carriage]) -> bool:
    """Can this be a tracking number of its carrier? A carrier without a pattern takes any, and none."""
    carriage = carriers.get(parcel.carrier)
    return carriage is None or carriage.tracking is None or carriage.tracking.fullmatch(parcel.tracking) is not None


def delivered(row: OrderRow) -> bool:
    """Has the warehouse finished the order and does the storefront have every parcel?"""
    if not row.despatch_complete:
        return False
    told = [parcel for parcel in row.parcels.values() if parcel.units or not parcel.wanted]
    return bool(told) and all(p.state == "SHIPPED" and p.wanted for p in told)


# ---- what a person must look at -------------------------------------------------------------------------------------------------------------


def invalid_tracking(row: OrderRow, carriers: Mapping[str, Carriage]) -> str:
    """Parcels whose tracking number cannot be right; empty for none."""
    wrong = [p for p in row.parcels.values() if p.wanted and p.units and not valid(p, carriers)]
    if not wrong:
        return ""
    shown = ", ".join(f"{p.tracking or 'none'} ({p.carrier})" for p in wrong[:_SHOWN])
    return f"tracking number not of its carrier's form: {shown}. Correct it in Clarus and the parcel goes to the storefront"


def gap(row: OrderRow, needs: Sequence[Need]) -> str:
    """What left the warehouse and cannot be at the storefront; empty for nothing."""
    refused = [f"parcel {p.tracking or p.parcel_id}: {p.detail}" for p in row.parcels.values() if p.state == "REFUSED"]
    if refused:
        return f"the storefront refused {'; '.join(refused[:_SHOWN])}. Enter it there by hand"
    over = {code: eaches for code, eaches in row.spare.items() if eaches > 0} if row.despatch_complete else {}
    if over:
        what = ", ".join(f"{eaches} of {code}" for code, eaches in sorted(over.items()))
        if short_of(row, needs):
            return f"left the warehouse and completes nothing that was ordered: {what}. Send the rest or ask it back"
        return f"more left the warehouse than the order has room for: {what}. Ask it back or bill it"
    return ""


def short(row: OrderRow, needs: Sequence[Need]) -> str:
    """What was ordered and will not leave, or has no stock as yet; empty for nothing."""
    assert row.snapshot is not None  # noqa: S101 - as in `commands`
    if not row.despatch_complete:
        return unallocated(row)
    missing = short_of(row, needs)
    if not missing:
        return ""
    skus = {line.line_id: line.sku for line in row.snapshot.lines}
    what = ", ".join(f"{units} of {skus.get(line_id, line_id)}" for line_id, units in sorted(missing.items()))
    return f"the warehouse closed the order without {what}: refund it or order it again"


def unallocated(row: OrderRow) -> str:
    """That the warehouse allocated a part of the order only; empty where it did not, or nobody wants the order."""
    if row.wms_status != "PART_ALLOCATED" or row.snapshot is None or row.snapshot.state == "CANCELLED":
        return ""
    return (
        f"the warehouse could not allocate all of goods out {row.reference}: the rest waits for stock at its warehouse. "
        "Put stock away or move it there, or agree on a part delivery with the customer"
    )


def progress(row: OrderRow, needs: Sequence[Need]) -> str:
    """How far the despatch of the order is, for people; empty where nothing left or everything did."""
    total, shipped = sum(need.units for need in needs), sum(shipped_units(row).values())
    return f"{shipped} of {total} units despatched" if 0 < shipped < total else ""
