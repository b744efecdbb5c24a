"""An order's rows explained: where it stands, what is wanted at each peer, what is awaited now and until when. Pure; no personal data leaves the rows.

Each function takes the rows of one partition, since they may lie with different workers.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from tables.deliveries import releases, shipments
from tables.deliveries.releases import Cancel, Create, LookUp, ReleaseRow, Report
from tables.deliveries.shipments import ShipmentRow
from tables.deliveries.troubles import OWNERS, TroubleRow
from tables.explain.order_report import Call, Head, Open, Ordered, Parcel
from tables.explain.report import Waiting
from tables.orders.despatch import shipped_units
from tables.orders.rows import OrderRow

_AT_WAREHOUSE: Final[Mapping[str, str]] = {
    "RELEASING": "makes the goods out, or refuses it",
    "RELEASED": "allocates it",
    "ALLOCATED": "picks it",
    "PICKING": "despatches it",
    "CANCELLING": "says whether the cancel comes in time: its answer decides",
}


# ---- the order itself -----------------------------------------------------------------------------------------------------------------------


def head(row: OrderRow) -> Head | None:
    """None before its storefront told us of it."""
    seen = row.snapshot
    if seen is None:
        return None
    shipped = shipped_units(row)
    eaches: dict[str, int] = {}
    products: dict[str, str] = {}
    for line_id, demand in row.demands.items():
        own = line_id.partition("/")[0]
        eaches[own] = eaches.get(own, 0) + demand.eaches
        if line_id == own or own not in products:
            products[own] = demand.product
    lines = [
        Ordered(
            line.line_id,
            line.sku,
            line.quantity,
            shipped.get(line.line_id, 0),
            products.get(line.line_id, ""),
            eaches.get(line.line_id, 0),
            "" if line.shippable else "not shipped",
        )
        for line in seen.lines
    ]
    words = {"address": seen.address is not None, "note": bool(seen.note), "gift message": bool(seen.gift)}
    return Head(
        channel=row.channel,
        order_id=row.order_id,
        number=row.number,
        reference=row.reference,
        state=row.state,
        reason=row.reason,
        version=row.version,
        status=seen.status,
        paid=seen.paid,
        cancelled=seen.state == "CANCELLED",
        created_at=seen.created_at,
        modified_at=seen.modified_at,
        shipping_method=seen.shipping_method,
        given=[name for name, there in words.items() if there],
        released=row.released,
        cancel_asked=row.cancel_asked,
        wms_status=row.wms_status,
        lines=lines,
    )


def skus(row: OrderRow) -> list[str]:
    """Products that the order has demand for."""
    return sorted({demand.product for demand in row.demands.values()})


def parcels(row: OrderRow) -> list[Parcel]:
    """In the order in which they were made."""
    return [
        Parcel(
            one.parcel_id,
            one.tracking,
            one.carrier,
            one.service,
            dict(one.contents),
            dict(one.units),
            one.wanted,
            one.state or ("told" if one.sent == one.version else "not told"),
            one.detail,
        )
        for one in row.parcels.values()
    ]


def exceptions(row: OrderRow) -> list[Open]:
    """Those that the order itself has open."""
    return [
        Open(
            f"{one.type}:{one.entity or row.entity}",
            one.owner,
            one.handling.phase,
            one.detail,
            one.opened_at,
            list(one.handling.history),
        )
        for one in row.exceptions.values()
    ]


def awaits(row: OrderRow, early_due: int = 0) -> list[Waiting]:
    """Who must do what next. Empty: the order is over. `early_due`: when a despatch without its order is said to be one."""
    found = [Waiting(one.owner, f"{one.type}: {one.detail}") for one in row.exceptions.values()]
    if row.snapshot is None:
        if row.early is not None:
            found.append(Waiting("storefront", "goods left the warehouse before the order was told", early_due))
        return found
    if row.state == "HELD" and not found:
        what = "confirms the payment" if not row.snapshot.paid else row.reason
        found.append(Waiting("storefront", what))
    elif row.state in _AT_WAREHOUSE:
        found.append(Waiting("warehouse", f"it {_AT_WAREHOUSE[row.state]}"))
    elif row.state == "DESPATCHED" and not row.despatch_complete:
        found.append(Waiting("warehouse", "it tells what is in each parcel, or sends the rest"))
    elif row.state == "MANUAL_STOP" and not found:
        found.append(Waiting("warehouse", f"stopped by hand: {row.reason}"))
    return found


# ---- delivery -------------------------------------------------------------------------------------------------------------------------------


def troubles(rows: Iterable[TroubleRow]) -> list[Open]:
    """Exceptions that a channel's delivery has open about the order."""
    return [
        Open(
            f"{one.type}:{one.entity}",
            OWNERS[one.type],
            one.handling.phase,
            one.detail,
            one.opened_at,
            list(one.handling.history),
        )
        for one in rows
    ]


def release_call(row: ReleaseRow, peer: str) -> Call:
    """The goods out."""
    where = f" in {row.warehouse}" if row.warehouse else ""
    shown = f"goods out {row.wms_id or '-'} {row.status}{where}" if row.status or row.wms_id else "nothing there"
    return Call(
        peer,
        "no goods out" if row.cancel else "one goods out",
        row.version,
        row.answered,
        row.attempts,
        row.looks,
        row.intent.kind if row.intent is not None else "",
        row.intent.at if row.intent is not None else 0,
        row.next_at if releases.pending(row) else 0,
        shown,
        row.since,
    )


def release_awaits(row: ReleaseRow, create_unknown: int, now: int) -> list[Waiting]:
    """`create_unknown`: how long the warehouse may still be working on a create whose answer was lost."""
    found: list[Waiting] = []
    if row.intent is not None:
        until = row.intent.at + create_unknown if row.intent.kind == "create" else 0
        text = (
            f"{row.intent.kind} number {row.attempts} was sent: its answer, or a look-up that shows what became of it"
        )
        found.append(Waiting("answer", text, until))
    elif releases.pending(row):
        step = releases.next_step(row, now)
        what = {
            LookUp: "the reference is looked up before anything is sent",
            Create: "the goods out is to be created",
            Cancel: "the goods out is to be cancelled",
            Report: "the answer is to be handed on",
        }.get(type(step), f"attempt {row.attempts + 1} is due then")
        found.append(Waiting("delivery", what, row.next_at if row.next_at > now else 0))
    if row.parcels_due:
        found.append(Waiting("delivery", "the packages are read at the warehouse", row.parcels_due))
    return found


def shipment_call(row: ShipmentRow) -> Call:
    """One parcel at the storefront."""
    wanted = row.command is not None and row.command.wanted
    return Call(
        row.channel,
        f"{'' if wanted else 'no '}shipment of parcel {row.parcel_id}",
        row.version,
        row.answered,
        row.attempts,
        row.looks,
        row.intent.kind if row.intent is not None else "",
        row.intent.at if row.intent is not None else 0,
        row.next_at if shipments.pending(row) else 0,
        f"shipment {row.peer_id}" if row.peer_id else "nothing there",
        row.since,
    )


def shipment_awaits(rows: Iterable[ShipmentRow], level: int) -> list[Waiting]:
    """`level`: how long a parcel may take before somebody is told."""
    found: list[Waiting] = []
    for row in rows:
        if not shipments.pending(row):
            continue
        if row.intent is not None:
            text = f"{row.intent.kind} of parcel {row.parcel_id} was sent: its answer, or a look that shows what became of it"
            found.append(Waiting("answer", text, row.next_at))
        else:
            text = f"parcel {row.parcel_id} is to be told, attempt {row.attempts + 1}; later than this it is a despatch_gap"
            found.append(Waiting("delivery", text, row.since + level if row.since else 0))
    return found
