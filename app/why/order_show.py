"""The story of an order on one screen, for people: what it is, what is awaited, what happened. It computes nothing and has no personal data to show."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from app.why.order_ask import Asked
from app.why.order_story import Story
from app.why.show import figures, moment, plain_table, section
from tables.explain.order_report import Call, Head, Money, Open, OrderAnswer, Ordered, Parcel, Returned, Told
from tables.explain.report import Lines, Waiting

WIDE: Final = 110
"""Columns from which on places in the log are shown, too."""
LINES_SHOWN: Final = 20
_STYLES: Final = {"event": "", "decision": "green", "exception": "yellow"}


def show(console: Console, asked: Asked, story: Story | None) -> None:
    """Print it."""
    answer = asked.answer
    console.print(_title(answer))
    for line in asked.missing:
        console.print(Text(f"not known: {line}", style="yellow"))
    if answer.head is not None:
        console.print(_head(answer.head))
    console.print(_awaits(answer.awaits, answer.known))
    if answer.exceptions:
        console.print(section("Open exceptions", [_open(one) for one in answer.exceptions]))
    if answer.head is not None:
        console.print(_lines(answer.head.lines))
    if answer.calls:
        console.print(_calls(answer.calls, answer.at))
    if answer.parcels:
        console.print(_parcels(answer.parcels, answer.head))
    if answer.returns:
        console.print(section(f"Returns: {len(answer.returns)}", [_return(one, answer.head) for one in answer.returns]))
    if answer.head is not None:
        console.print(_counted(asked.lines))
    if answer.money is not None:
        console.print(_money(answer.money))
    if story is not None:
        console.print(_story(story, console.width >= WIDE))


def _title(answer: OrderAnswer) -> Text:
    head = answer.head
    state = (
        f"  {head.state}{f' ({head.reason})' if head.reason else ''}"
        if head is not None
        else "  not told by its storefront yet"
    )
    return Text.assemble(
        (answer.key, "bold"), (state, "bold green"), f"  at {moment(answer.at)}  (worker {answer.worker})"
    )


def _head(head: Head) -> Padding:
    wanted = "cancelled" if head.cancelled else "wanted"
    given = f"; with it, not shown here: {', '.join(head.given)}" if head.given else ""
    at_clarus = f"it has {head.wms_status}" if head.wms_status else "no word from it yet"
    told = "released" if head.released else "not released"
    asked = ", cancel asked for" if head.cancel_asked else ""
    parts = [
        f"number {head.number or '-'}, reference {head.reference}",
        f"{head.channel} has it as {head.status or wanted}, {wanted}, {'paid' if head.paid else 'not paid'}, version {head.version}",
        f"placed {moment(head.created_at)}, changed {moment(head.modified_at)} (its time)",
        f"warehouse: {told}{asked}, {at_clarus}",
        f"shipping {head.shipping_method or 'not named'}{given}",
    ]
    return Padding(Group(*map(Text, parts)), (0, 0, 0, 2))


def _awaits(awaits: Sequence[Waiting], known: bool) -> Group:
    if not awaits:
        return section("Awaited now", [Text("  nothing: it is over" if known else "  nothing", style="green")])
    grid = _grid(2)
    for one in awaits:
        until = f" (until {moment(one.until)})" if one.until else ""
        grid.add_row("", Text(one.what, style="yellow"), Text(f"{one.detail}{until}"))
    return section("Awaited now", [grid])


def _open(one: Open) -> RenderableType:
    last = one.history[-1] if one.history else None
    words = f"; last: {last.action} by {last.actor}: {last.reason}" if last is not None and last.actor else ""
    text = f"{one.exception_id} ({one.owner}, {one.state.lower()} since {moment(one.opened_at)}): {one.detail}{words}"
    return Padding(Text(text, style="yellow"), (0, 0, 0, 2))


def _lines(lines: Sequence[Ordered]) -> Group:
    found = plain_table("SKU there", "units", "sent", "product", "eaches", "line")
    for one in lines[:LINES_SHOWN]:
        product = one.product or one.note or "no listing"
        found.add_row(one.sku or "-", str(one.units), str(one.sent), product, str(one.eaches), one.line_id)
    more = f" (first {LINES_SHOWN})" if len(lines) > LINES_SHOWN else ""
    return section(f"Lines: {len(lines)}{more}", [found])


def _calls(calls: Sequence[Call], now: int) -> Group:
    grid = _grid(2)
    for one in calls:
        done = "answered" if one.answered >= one.wanted else "not answered yet"
        tries = f", {one.attempts} requests" if one.attempts != 1 else ", 1 request"
        looks = f", {one.looks} look-ups" if one.looks else ""
        under_way = f"; {one.intent} sent {moment(one.intent_at)}, its outcome is open" if one.intent else ""
        when = "next" if one.next_at > now else "due since"
        due = f"; {when} {moment(one.next_at)}" if one.next_at else ""
        text = f"{one.what}: {done} (v{one.wanted}{tries}{looks}){under_way}{due}; it has: {one.shown}"
        grid.add_row("", one.peer, Text(text))
    return section("Wanted at the peers", [grid])


def _parcels(parcels: Sequence[Parcel], head: Head | None) -> Group:
    found = plain_table("parcel", "tracking", "carrier", "eaches", "units of lines", "at the storefront")
    for one in parcels:
        state = one.state if one.wanted else f"taken back, {one.state}"
        found.add_row(
            one.parcel_id,
            one.tracking or "-",
            " ".join((one.carrier, one.service)).strip() or "-",
            figures(one.contents),
            _units(one.units, head),
            f"{state}{f': {one.detail}' if one.detail else ''}",
        )
    return section(f"Parcels: {len(parcels)}", [found])


def _units(units: Mapping[str, int], head: Head | None) -> str:
    """Lines by the storefront's SKU, which people know."""
    skus = {one.line_id: one.sku for one in head.lines} if head is not None else {}
    return ", ".join(f"{skus.get(line_id) or line_id} {count}" for line_id, count in units.items()) or "-"


def _return(one: Returned, head: Head | None) -> Padding:
    found = [f"{one.return_id}: {_units(one.units, head)}; at the warehouse: {one.receipt}"]
    eaches = ("arrived", one.received), ("restocked", one.restocked), ("set aside", one.quarantined)
    moved = [f"{what} {figures(given)}" for what, given in (*eaches, ("thrown away", one.scrapped)) if given]
    found += [", ".join(moved)] if moved else []
    found += [f"refund: {', '.join(one.refunds)}"] if one.refunds else []
    found += [one.problem] if one.problem else []
    return Padding(Text("; ".join(found)), (0, 0, 0, 2))


def _counted(lines: Mapping[str, Lines]) -> Group:
    eaches = sum(one.eaches for one in lines.values())
    found = plain_table("SKU", "line", "state", "eaches", "out already", "counts", "against")
    open_lines = [(sku, line) for sku, one in sorted(lines.items()) for line in one.first]
    for sku, line in open_lines[:LINES_SHOWN]:
        where = " or ".join(line.warehouses) or "every warehouse"
        found.add_row(sku, line.line, line.state, str(line.eaches), str(line.reflected), str(line.counts), where)
    return section(f"Counts against stock: {eaches} eaches", [found] if open_lines else [])


def _money(money: Money) -> Group:
    words = [f"total {money.total}, captured {money.captured}, refunded {money.refunded} {money.currency}"]
    for date, kinds in money.days.items():
        moved = (f"{kind.replace('_', ' ')} {amount}" for kind, amount in kinds.items())
        words.append(f"{date}: {', '.join(moved)}")
    reasons = f": {'; '.join(money.reasons)}" if money.reasons else ""
    return section(f"Money: {money.status}{reasons}", [Padding(Text(one), (0, 0, 0, 2)) for one in words])


def _story(story: Story, wide: bool) -> Group:
    grid = _grid(3 if wide else 2)
    day = ""
    for one in story.told:
        at = datetime.fromtimestamp(one.at / 1000, UTC)
        if (date := at.strftime("%Y-%m-%d")) != day:
            grid.add_row("", Text(date, style="bold"))
            day = date
        cells = [Text(at.strftime("%H:%M:%S.%f")[:-3]), Text(one.source or "-"), _words(one)]
        grid.add_row("", *cells, *([Text(one.place, style="dim")] if wide else []))
    title = "What happened (our time, UTC; the newest last)"
    gaps = [Text(f"  not known: {gap}", style="yellow") for gap in story.gaps]
    return section(title, [*gaps, grid] if story.told else [*gaps, Text("  nothing in the logs")])


def _words(one: Told) -> Text:
    late = one.at - one.occurred_at
    occurred = f" [happened {late / 1000:.1f} s before]" if one.kind == "event" and 1000 <= late < 86_400_000 else ""
    if one.kind == "event":
        return Text.assemble((_SPOKEN.get(one.what, one.what), "bold"), f": {one.text}{occurred}")
    arrow = "→ " if one.kind == "decision" else "! "
    return Text(f"{arrow}{one.text}", style=_STYLES[one.kind])


_SPOKEN: Final = {
    "OrderSnapshot": "order",
    "WarehouseOrder": "warehouse",
    "WarehouseDespatch": "left the warehouse",
    "ShipmentOutcome": "shipment",
    "ExceptionCommand": "operator",
    "AuthoriseReturn": "return authorised",
    "WarehouseReturn": "return at the warehouse",
    "RefundOutcome": "refund",
}
"""Kinds of events as people say them; others by their own name."""


def _grid(narrow: int) -> Table:
    """An indent, `narrow` columns that are not broken, and one that takes the rest."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=0)
    for _ in range(narrow - 1):
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    return grid
