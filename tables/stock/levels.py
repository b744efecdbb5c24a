"""R1: a joint read of the warehouse folded into a SKU: chunks put together, older reads superseded, orders' lines reflected. Pure."""

from collections.abc import Collection

from schemas.records import StockLevel
from tables.stock.lines import apply_difference, demand_of, spread
from tables.stock.rows import LineRead, OrderLines, SkuRow, StockState


def is_news(row: SkuRow, level: StockLevel) -> bool:
    """Reads that are not newer than the last one count for nothing."""
    return level.read_no > row.read_no and level.read_no >= row.chunks_of


def collect(row: SkuRow, level: StockLevel) -> list[LineRead] | None:
    """Take one chunk of news. The lines of the whole read at its last chunk, else None."""
    if level.read_no > row.chunks_of:
        row.chunks_of, row.chunks_next, row.chunk_lines = level.read_no, 0, []
    if level.chunk != row.chunks_next:
        return None
    row.chunks_next += 1
    row.chunk_lines += [LineRead(x.reference, x.out, x.closed, x.warehouse) for x in level.lines]
    if level.chunk + 1 < level.chunks:
        return None
    lines, row.chunk_lines, row.chunks_next = row.chunk_lines, [], 0
    row.read_no, row.free, row.held = level.read_no, dict(level.balances), dict(level.held)
    return lines


def forget(state: StockState, row: SkuRow, named: Collection[str]) -> None:
    """Of orders that a whole read does not name nothing is out; those that are closed are over."""
    for reference in state.references(row.sku):
        known = state.lines(row.sku, reference)
        if known is not None and known.out and not known.closed and reference not in named:
            reflect(state, row, LineRead(reference, 0, False, None))


def reflect(state: StockState, row: SkuRow, read: LineRead) -> None:
    """What the balances no longer contain of one order. Orders that are not known yet are kept: the reader says every difference once."""
    order = state.lines(row.sku, read.reference) or OrderLines()
    before = demand_of(order)
    order.out, order.closed = read.out, read.closed
    order.warehouse = read.warehouse or order.warehouse
    spread(order)
    apply_difference(row, before, demand_of(order))
    state.put_lines(row.sku, read.reference, order)
