"""One order's returns folded event by event: authorised, announced to the warehouse, received, inspected, settled at the storefront, in this order only. Pure.

No refund is asked for before an inspection was read, and each inspected unit is in one part of one return. That a part is refunded once, whatever is lost or
repeated, is the business of `tables/deliveries/refunds.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from schemas.records import (
    AnnounceReturn,
    AuthoriseReturn,
    OrderLine,
    RefundOutcome,
    ReturnCondition,
    ReturnItem,
    ReturnLine,
    SettleReturn,
    StorefrontReturn,
    WarehouseReturn,
)
from tables.catalogue import Catalogue
from tables.orders.demand import read
from tables.orders.despatch import Need, needs_of, shipped_units
from tables.orders.references import reference_of
from tables.orders.rows import OrderRow
from tables.returns.amounts import Shares, next_part
from tables.returns.rows import OrderReturns, PartRow, ReturnRow

Command = AnnounceReturn | SettleReturn
KEY: Final = "clarus-return-"
"""What the marks of our refunds begin with: every other refund was made by somebody else."""


@dataclass(frozen=True, slots=True)
class ReturnRules:
    """What the configuration says about returns."""

    catalogue: Catalogue
    shares: Shares = field(default_factory=Shares)


# ---- events ---------------------------------------------------------------------------------------------------------------------------------


def shown(row: OrderRow, book: OrderReturns, rules: ReturnRules, now: int) -> list[Command]:
    """The order changed, at its storefront or by what left the warehouse: new returns are taken in, those that waited for their despatch go on."""
    if row.snapshot is None:
        return _go_on(row, book, rules, now)
    for given in row.snapshot.returns:
        _take_in(row, book, given)
    early, book.early = book.early, {}
    commands = [command for one in early.values() for command in authorise(row, book, one, rules, now)]
    return [*commands, *_go_on(row, book, rules, now)]


def authorise(row: OrderRow, book: OrderReturns, given: AuthoriseReturn, rules: ReturnRules, now: int) -> list[Command]:
    """An operator authorised a return. The same one again changes nothing; one of an order that is not known yet waits for it."""
    if given.return_id in book.returns:
        return []
    book.problems.pop(given.return_id, None)
    if row.snapshot is None:
        book.early[given.return_id] = given
        book.problems[given.return_id] = (
            "the storefront has not told of this order yet: the return is taken up when it does. Where there is no such order, resolve this"
        )
        return []
    lines: list[ReturnLine] = []
    for sku, units in given.lines.items():
        matching = [line for line in row.snapshot.lines if line.sku == sku]
        if not matching:
            has = ", ".join(sorted({line.sku for line in row.snapshot.lines if line.sku}))
            book.problems[given.return_id] = (
                f"the order has no {sku}: it has {has}. Authorise it again with one of these"
            )
            return []
        lines += _spread(matching, units, _returning(book))
    book.returns[given.return_id] = ReturnRow(
        given.return_id, reference_of(row.key, given.return_id), lines, reason=given.reason
    )
    return _go_on(row, book, rules, now)


def warehouse(row: OrderRow, book: OrderReturns, seen: WarehouseReturn, rules: ReturnRules, now: int) -> list[Command]:
    """What the warehouse has made of a return, as a whole; an older read never replaces a newer one."""
    one = book.returns.get(seen.return_id)
    if one is None or seen.read_at <= one.read_at:
        return []
    one.read_at, one.receipt, one.detail = seen.read_at, seen.state, seen.detail
    one.received, one.restocked = seen.received, seen.restocked
    one.quarantined, one.scrapped = seen.quarantined, seen.scrapped
    return [*_arrived(row, book, one, now), *_settle(row, book, one, rules, now)]


def settled(book: OrderReturns, outcome: RefundOutcome) -> None:
    """What became of a part at its storefront. An answer to an older command than the newest one says nothing."""
    one = book.returns.get(outcome.return_id)
    part = next((p for p in one.parts if p.part == outcome.part), None) if one is not None else None
    if part is None or outcome.version != part.version:
        return
    part.state, part.detail = outcome.state, outcome.detail
    part.amount, part.by_hand, part.refund_id = outcome.amount, outcome.by_hand, outcome.refund_id


def retry(row: OrderRow, book: OrderReturns, rules: ReturnRules, now: int) -> list[Command]:
    """What was refused is asked for again; the storefront's refunds are looked at before."""
    found: list[Command] = []
    for one in book.returns.values():
        if one.receipt == "REFUSED":
            one.receipt, one.detail, one.announced = "", "", 0
        for part in one.parts:
            if part.state == "REFUSED":
                found.append(_command(row, book, one, part, now))
    return [*found, *_go_on(row, book, rules, now)]


def dismiss(book: OrderReturns) -> None:
    """A person resolved what was said of returns that cannot be announced: they are given up. A storefront that still shows one brings it back."""
    for return_id in book.problems:
        book.returns.pop(return_id, None)
    book.problems, book.early = {}, {}


# ---- from authorisation to announcement -----------------------------------------------------------------------------------------------------


def _take_in(row: OrderRow, book: OrderReturns, given: StorefrontReturn) -> None:
    """A return of the storefront. Before it is announced it follows the storefront; one that was settled there before it came here is not ours."""
    one = book.returns.get(given.return_id)
    if one is None and given.open:
        reference = reference_of(row.key, given.return_id)
        book.returns[given.return_id] = ReturnRow(given.return_id, reference, given.lines, given.tracking)
    elif one is not None and not one.announced:
        one.lines, one.tracking = given.lines, given.tracking


def _go_on(row: OrderRow, book: OrderReturns, rules: ReturnRules, now: int) -> list[Command]:
    """Announce what has left the warehouse and is authorised to come back."""
    found: list[Command] = []
    if row.snapshot is None:
        return found
    waiting = [one for one in book.returns.values() if not one.announced]
    if not waiting:
        return found
    needs = {need.line_id: need for need in _needs(row, rules)}
    left = shipped_units(row)
    for one in book.returns.values():
        if one.announced:
            for line in one.lines:
                left[line.line_id] = left.get(line.line_id, 0) - line.units
    for one in waiting:
        book.problems.pop(one.return_id, None)
        strange = [line.line_id for line in one.lines if line.line_id not in needs]
        if strange:
            skus = ", ".join(sorted({line.sku for line in row.snapshot.lines if line.line_id in strange})) or strange[0]
            book.problems[one.return_id] = f"the warehouse has no product for {skus}: take the goods in by hand"
        elif all(left.get(line.line_id, 0) >= line.units for line in one.lines):
            for line in one.lines:
                left[line.line_id] -= line.units
            found.append(_announcement(row, book, one, needs, now))
        elif row.despatch_complete:
            book.problems[one.return_id] = "more is to come back than left the warehouse: correct the return"
    return found


def _announcement(
    row: OrderRow, book: OrderReturns, one: ReturnRow, needs: Mapping[str, Need], now: int
) -> AnnounceReturn:
    expected: dict[str, int] = {}
    for line in one.lines:
        for code, n in needs[line.line_id].eaches.items():
            expected[code] = expected.get(code, 0) + n * line.units
    one.announced = _version(book, now)
    return AnnounceReturn(
        channel="clarus",
        order_key=row.key,
        number=row.number,
        order_reference=row.reference,
        return_id=one.return_id,
        reference=one.reference,
        version=one.announced,
        lines=expected,
        tracking=one.tracking,
        reason=one.reason,
    )


def _returning(book: OrderReturns) -> dict[str, int]:
    """Units by line that are in any return."""
    total: dict[str, int] = {}
    for one in book.returns.values():
        for line in one.lines:
            total[line.line_id] = total.get(line.line_id, 0) + line.units
    return total


def _spread(lines: Sequence[OrderLine], units: int, returning: Mapping[str, int]) -> list[ReturnLine]:
    """Units of one SKU over the order's lines of it; what is beyond all of them stays with the last, where it is found to be too much."""
    found: list[ReturnLine] = []
    for line in lines:
        last = line is lines[-1]
        step = units if last else min(units, max(0, line.quantity - returning.get(line.line_id, 0)))
        if step:
            found.append(ReturnLine(line_id=line.line_id, units=step))
        units -= step
    return found


# ---- from inspection to refund --------------------------------------------------------------------------------------------------------------


def _arrived(row: OrderRow, book: OrderReturns, one: ReturnRow, now: int) -> list[Command]:
    """A storefront that keeps return items is told once that they arrived."""
    if one.arrived or not any(one.received.values()) or not any(line.item_id for line in one.lines):
        return []
    one.arrived = _version(book, now)
    return [_command_of(row, one, PartRow(0, one.arrived, []))]


def _settle(row: OrderRow, book: OrderReturns, one: ReturnRow, rules: ReturnRules, now: int) -> list[Command]:
    if row.snapshot is None:
        return []
    lines = {line.line_id: line for line in row.snapshot.lines}
    needs = [need for need in _needs(row, rules) if need.line_id in lines]
    part = next_part(one, needs, lines, book.units, rules.shares)
    if part is None:
        return []
    if rules.shares.shipping and not book.shipping_done and _everything_back(row, book):
        part.shipping, book.shipping_done = row.snapshot.shipping_price, True
    one.parts.append(part)
    return [_command(row, book, one, part, now)]


def _everything_back(row: OrderRow, book: OrderReturns) -> bool:
    assert row.snapshot is not None  # noqa: S101 - `_settle` looked
    goods = [line for line in row.snapshot.lines if line.shippable and line.quantity > 0]
    return all(book.units.get(line.line_id, 0) >= line.quantity for line in goods)


def _command(row: OrderRow, book: OrderReturns, one: ReturnRow, part: PartRow, now: int) -> SettleReturn:
    """A new command for a part; what became of the one before does not count any more."""
    part.version, part.state, part.detail = _version(book, now), "", ""
    return _command_of(row, one, part)


def _command_of(row: OrderRow, one: ReturnRow, part: PartRow) -> SettleReturn:
    assert row.snapshot is not None  # noqa: S101 - all callers looked, or took a return from it
    return SettleReturn(
        channel=row.channel,
        order_id=row.order_id,
        number=row.number,
        return_id=one.return_id,
        part=part.part,
        key=key_of(row.key, one.return_id, part.part),
        version=part.version,
        currency=row.snapshot.currency,
        digits=row.snapshot.digits,
        lines=part.lines,
        shipping=part.shipping,
        items=_items(one),
        reason=one.reason,
        total=sum(known.wanted for known in one.parts),
    )


def key_of(order_key: str, return_id: str, part: int) -> str:
    """Our mark of one part's refund, the same whenever it is computed: short, of letters and digits, and of this return alone."""
    return f"{KEY}{sha256(f'{order_key}/{return_id}'.encode()).hexdigest()[:16]}-{part}"


def _items(one: ReturnRow) -> list[ReturnItem]:
    found = []
    for line in one.lines:
        if not line.item_id:
            continue
        whole = one.done.get(line.line_id, 0) >= sum(x.units for x in one.lines if x.line_id == line.line_id)
        condition: ReturnCondition = "ARRIVED"
        refunded: bool | None = None
        if whole:
            condition = "UNUSABLE" if one.unusable.get(line.line_id) else "RESTOCKED"
            refunded = any(x.amount > 0 for part in one.parts for x in part.lines if x.line_id == line.line_id)
        found.append(ReturnItem(item_id=line.item_id, line_id=line.line_id, condition=condition, refunded=refunded))
    return found


def _needs(row: OrderRow, rules: ReturnRules) -> list[Need]:
    assert row.snapshot is not None  # noqa: S101 - all callers looked
    return needs_of(row.snapshot, read(row.snapshot, rules.catalogue), rules.catalogue)


def _version(book: OrderReturns, now: int) -> int:
    """Rises with every command, also after a row was lost."""
    book.revision = max(book.revision + 1, now)
    return book.revision
