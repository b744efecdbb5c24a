"""What finance must look at in one order's refunds, in words; empty for nothing. Pure.

A refund that nobody's return explains is only seen where the storefront shows its payments with the order. What was refunded for goods that never left (a
cancel, a short delivery) needs no return.
"""

from collections.abc import Iterator

from tables.money import words
from tables.orders.despatch import shipped_units
from tables.orders.rows import OrderRow
from tables.returns.amounts import price_of
from tables.returns.fold import KEY
from tables.returns.rows import OrderReturns


def mismatch(row: OrderRow, book: OrderReturns) -> str:
    """Everything that does not fit, in one text. What a person resolved by hand is not said again until it changes."""
    text = "; ".join(_found(row, book))
    if text != book.accepted:
        book.accepted = ""
    return "" if book.accepted else text


def _found(row: OrderRow, book: OrderReturns) -> Iterator[str]:
    seen = row.snapshot
    for return_id, problem in book.problems.items():
        yield f"return {return_id}: {problem}"
    for one in book.returns.values():
        if one.receipt == "REFUSED":
            yield f"return {one.return_id}: the warehouse did not take its announcement: {one.detail}. Put it right, then retry"
        for part in one.parts:
            if part.state == "REFUSED" and seen is not None:
                amount = words(part.wanted, seen.currency, seen.digits)
                yield f"return {one.return_id}: {amount} was not refunded: {part.detail}. Put it right, then retry, or refund it by hand"
        for code, eaches in sorted(one.received.items()) if one.over else ():
            beyond = eaches - sum(one.used.get(code, ()))
            if beyond > 0:
                yield f"return {one.return_id}: {beyond} of {code} came back and completes nothing of the return: decide about it by hand"
    if seen is None or seen.refunded is None:
        return
    if seen.captured is not None and seen.refunded > seen.captured:
        paid = words(seen.captured, seen.currency, seen.digits)
        yield f"{words(seen.refunded, seen.currency, seen.digits)} was refunded and {paid} paid: claim the rest back"
    beyond = _without_return(row, book)
    if beyond > 0:
        yield f"{words(beyond, seen.currency, seen.digits)} was refunded at the storefront without a return: find out why"


def _without_return(row: OrderRow, book: OrderReturns) -> int:
    """Minor units that other people refunded and that neither a return nor goods that never left explain."""
    seen = row.snapshot
    if seen is None or seen.state == "CANCELLED":
        return 0
    ours = {part.refund_id for one in book.returns.values() for part in one.parts if part.refund_id}
    theirs = sum(
        one.amount
        for one in seen.payments
        if one.kind == "REFUND" and one.state != "FAILED" and one.payment_id not in ours and not one.key.startswith(KEY)
    )
    if not theirs:
        return 0
    explained = sum(part.by_hand for one in book.returns.values() for part in one.parts)
    shipped = shipped_units(row)
    for line in seen.lines:
        explained += line.price - price_of(line, shipped.get(line.line_id, 0))
    prices = {line.line_id: line for line in seen.lines}
    for one in book.returns.values():
        if one.over:
            continue
        for back in one.lines:
            open_units = back.units - one.done.get(back.line_id, 0)
            known = prices.get(back.line_id)
            if known is not None and open_units > 0:
                explained += price_of(known, open_units)
    open_parts = [part for one in book.returns.values() for part in one.parts if part.state != "SETTLED"]
    return theirs - explained - sum(part.wanted for part in open_parts)
