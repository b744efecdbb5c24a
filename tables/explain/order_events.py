"""One record about an order in a line of words, and what changed between two versions of it. Pure; of personal data only that it is there or changed."""

from collections.abc import Mapping

from schemas.records import (
    AuthoriseReturn,
    ExceptionCommand,
    NormalisedOrder,
    OrderEventBody,
    OrderLine,
    OrderSnapshot,
    RefundOutcome,
    ShipmentOutcome,
    WarehouseDespatch,
    WarehouseOrder,
    WarehouseReturn,
)
from tables.money import words as money


def describe(body: OrderEventBody, before: OrderSnapshot | None = None) -> str:
    """What the event says; `before` is the snapshot that came before this one."""
    match body:
        case OrderSnapshot():
            return _snapshot(body, before)
        case WarehouseOrder():
            number = f"goods out {body.wms_id} " if body.wms_id else "goods out "
            asks = f", asks for {_figures(body.ordered)}" if body.ordered else ""
            return f"{number}{body.status}{asks}{f': {body.detail}' if body.detail else ''}"
        case WarehouseDespatch():
            parcels = "; ".join(f"{one.tracking or one.parcel_id}: {_figures(one.lines)}" for one in body.parcels)
            return f"{parcels or 'nothing left'}; {'nothing more will leave' if body.complete else 'more may leave'}"
        case ShipmentOutcome():
            where = f" as {body.peer_id}" if body.peer_id else ""
            return f"parcel {body.parcel_id} {body.state}{where}{f': {body.detail}' if body.detail else ''}"
        case ExceptionCommand():
            return f"{body.action} {body.exception_id} by {body.actor}: {body.reason}"
        case AuthoriseReturn():
            return f"{body.return_id}: {_figures(body.lines)}, by {body.actor}: {body.reason}"
        case WarehouseReturn():
            found = ("restocked", body.restocked), ("set aside", body.quarantined), ("thrown away", body.scrapped)
            inspected = "".join(f"; {what} {_figures(eaches)}" for what, eaches in found if eaches)
            refused = f": {body.detail}" if body.detail else ""
            return f"{body.return_id} {body.state}{refused}; arrived {_figures(body.received) or 'nothing'}{inspected}"
        case RefundOutcome():
            by_hand = f", {_money(body.by_hand, before)} by hand before" if body.by_hand else ""
            refused = f": {body.detail}" if body.detail else ""
            return f"{body.return_id} part {body.part} {body.state} {_money(body.amount, before)}{by_hand}{refused}"
        case _:
            return ""


def decision(body: NormalisedOrder) -> str:
    """The state it led to, and why."""
    return f"{body.state}{f': {body.reason}' if body.reason else ''}"


def _snapshot(seen: OrderSnapshot, before: OrderSnapshot | None) -> str:
    changed = changes(before, seen) if before is not None else []
    if before is not None and not changed and (before.hold, before.excluded) == (seen.hold, seen.excluded):
        return f"v{seen.version}, as before"
    units = sum(line.quantity for line in seen.lines)
    words = [f"v{seen.version}", f"{'cancelled' if seen.state == 'CANCELLED' else 'wanted'}"]
    words += [seen.status] if seen.status else []
    words += ["paid" if seen.paid else "not paid", f"{len(seen.lines)} lines, {units} units"]
    words += [f"hold: {seen.hold}"] if seen.hold else []
    words += [f"storefront: {seen.excluded}"] if seen.excluded is not None else []
    words += [f"changed: {', '.join(changed)}"] if changed else []
    return ", ".join(words)


def changes(before: OrderSnapshot, after: OrderSnapshot) -> list[str]:
    """What differs, in words; of an address or a note only that it does."""
    found = [_line(line_id, was, now) for line_id, was, now in _lines(before, after)]
    for what, was, now in (
        ("status", before.status, after.status),
        ("payment", "paid" if before.paid else "not paid", "paid" if after.paid else "not paid"),
        ("captured", _money(before.captured, before), _money(after.captured, after)),
        ("refunded", _money(before.refunded, before), _money(after.refunded, after)),
        ("shipping method", before.shipping_method, after.shipping_method),
    ):
        if was != now:
            found.append(f"{what} {was or 'none'} → {now or 'none'}")
    if len(after.returns) > len(before.returns):
        found.append(f"{len(after.returns) - len(before.returns)} returns authorised")
    if before.state != after.state:
        found.append("cancelled" if after.state == "CANCELLED" else "wanted again")
    found += ["address"] if before.address != after.address else []
    found += ["note"] if before.note != after.note else []
    found += ["gift message"] if before.gift != after.gift else []
    return found


def _money(amount: int | None, seen: OrderSnapshot | None) -> str:
    if amount is None:
        return "not told"
    return money(amount, seen.currency, seen.digits) if seen is not None else f"{amount} minor units"


def _lines(before: OrderSnapshot, after: OrderSnapshot) -> list[tuple[str, OrderLine | None, OrderLine | None]]:
    was, now = ({line.line_id: line for line in one.lines} for one in (before, after))
    pairs = [(line_id, was.get(line_id), now.get(line_id)) for line_id in dict.fromkeys([*was, *now])]
    return [(line_id, a, b) for line_id, a, b in pairs if _told(a) != _told(b)]


def _told(line: OrderLine | None) -> tuple[str, int] | None:
    return None if line is None else (line.sku, line.quantity)


def _line(line_id: str, was: OrderLine | None, now: OrderLine | None) -> str:
    sku = now.sku if now is not None else was.sku if was is not None else ""
    if was is not None and now is not None and was.sku != now.sku:
        return f"line {line_id} {was.sku} × {was.quantity} → {now.sku} × {now.quantity}"
    return f"{sku} {was.quantity if was else 0} → {now.quantity if now else 0}"


def _figures(given: Mapping[str, int]) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(given.items()))
