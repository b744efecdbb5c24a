"""The rows of the stock ledger of one partition, in memory."""

from collections.abc import Iterable

from tables.reconciliation import DifferenceRow, SweepRow
from tables.stock.rows import OrderLines, SkuRow, WatermarkRow


class Memory:
    """`StockState` on dictionaries."""

    def __init__(self) -> None:
        self.skus: dict[str, SkuRow] = {}
        self.orders: dict[tuple[str, str], OrderLines] = {}
        self.marks: dict[str, WatermarkRow] = {}
        self.sweeps: dict[str, SweepRow] = {}
        self.differences: dict[str, DifferenceRow] = {}
        self.waits: dict[tuple[str, str], int] = {}

    def sku(self, sku: str) -> SkuRow | None:
        return self.skus.get(sku)

    def put_sku(self, row: SkuRow) -> None:
        self.skus[row.sku] = row

    def lines(self, sku: str, reference: str) -> OrderLines | None:
        return self.orders.get((sku, reference))

    def put_lines(self, sku: str, reference: str, row: OrderLines) -> None:
        self.orders[sku, reference] = row

    def references(self, sku: str) -> Iterable[str]:
        return [reference for one, reference in self.orders if one == sku]

    def watermark(self, channel: str) -> WatermarkRow:
        return self.marks.get(channel) or WatermarkRow()

    def put_watermark(self, channel: str, row: WatermarkRow) -> None:
        self.marks[channel] = row

    def sweep(self, channel: str) -> SweepRow:
        return self.sweeps.get(channel) or SweepRow()

    def put_sweep(self, channel: str, row: SweepRow) -> None:
        self.sweeps[channel] = row

    def difference(self, key: str) -> DifferenceRow | None:
        return self.differences.get(key)

    def put_difference(self, row: DifferenceRow) -> None:
        self.differences[row.key] = row

    def waiting(self, channel: str) -> Iterable[tuple[str, int]]:
        return [(sku, due) for (one, sku), due in self.waits.items() if one == channel]

    def wait(self, channel: str, sku: str, due: int | None) -> None:
        if due is None:
            self.waits.pop((channel, sku), None)
        else:
            self.waits[channel, sku] = due
