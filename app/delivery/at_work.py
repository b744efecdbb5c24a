"""Which orders are at the warehouse and not over, looked up in the store: none of them is kept in memory. It calls nobody.

Each lies under each of its SKUs (`tables/deliveries/work.py`). What a look at one of them leads to is `app/delivery/release_looks.py`'s.
"""

from collections.abc import Collection
from itertools import islice
from typing import Final

from app.delivery.desk import Desk
from app.engine.api import Context
from tables.deliveries import releases as rules
from tables.deliveries.release_row import ReleaseRow
from tables.deliveries.work import AtWorkRow, at_work_key, names_of, sku_prefix

UNSEEN_AT_ONCE: Final = 50
"""Orders that are looked at because a read of one of their SKUs did not show them."""
LOOKED_THROUGH: Final = 200
"""Orders with a SKU that are passed for that."""


class AtWork:
    """The orders at work of one warehouse, inside cycles."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._table = desk, desk.tables.at_work
        self._turns: dict[str, str] = {}  # SKU to the key that was looked at last
        self._began, self._cursor = desk.now(), ""
        self._passed = 0
        self._size: int | None = None  # rows of the last whole turn
        self._over = False

    def note(self, context: Context, row: ReleaseRow) -> None:
        """The row changed: it is at work or not."""
        there = rules.at_work(row)
        for n, sku in enumerate(row.skus):
            key = at_work_key(sku, row.reference)
            known, wanted = context.get(self._table, key), AtWorkRow(n == 0) if there else None
            if wanted is not None and wanted != known:
                context.put(self._table, key, wanted)
            elif wanted is None and known is not None:
                context.delete(self._table, key)

    def unseen(self, context: Context, sku: str, lines: Collection[str]) -> list[str]:
        """Some of the orders with this SKU whose lines a read did not show, by turns: they wait, or were despatched between two reads."""
        prefix, start = sku_prefix(sku), self._turns.pop(sku, "")
        found: list[str] = []
        passed = 0
        for after in dict.fromkeys((start, "")):
            for key, _ in context.scan(self._table, prefix, after):
                reference = key.removeprefix(prefix)
                if reference not in lines and reference not in found:
                    found.append(reference)
                passed += 1
                if len(found) >= UNSEEN_AT_ONCE or passed >= LOOKED_THROUGH:
                    self._turns[sku] = key
                    return found
        return found

    def next(self, context: Context, most: int) -> list[str]:
        """Orders whose turn it is, so that each has one within the stock sweep. The first turn goes as fast as it may, and so does one that takes longer."""
        now, sweep = context.now_ms, max(1, self._desk.settings.sweeps.stock)
        if self._over:
            if now - self._began < sweep:
                return []
            self._began, self._cursor, self._passed, self._over = now, "", 0, False
        due = most
        if self._size is not None and now - self._began < sweep:
            due = max(0, min(most, int(self._size * (now - self._began) / sweep) + 1 - self._passed))
        rows = list(islice(context.scan(self._table, after=self._cursor), due))
        self._passed += len(rows)
        if len(rows) < due:
            self._size, self._over = self._passed, True
        elif rows:
            self._cursor = rows[-1][0]
        return [names_of(key)[1] for key, row in rows if self._is_current(context, key) and row.first]

    def _is_current(self, context: Context, key: str) -> bool:
        """Is it still at work with this SKU? What was left behind when its SKUs changed goes."""
        sku, reference = names_of(key)
        row = context.get(self._desk.tables.releases, reference)
        if row is not None and rules.at_work(row) and sku in row.skus:
            return True
        context.delete(self._table, key)
        return False
