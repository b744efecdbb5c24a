"""Joint reads (`ledger.md` R1): lines, balances of all warehouses, lines again; repeated while a line moves. Many SKUs in each request."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.connectors.clarus.bundles import Bundles, InForce, containing, parts_of
from app.connectors.clarus.client import PEER, ClarusClient, Listed, Node
from app.connectors.clarus.lookups import Lookups
from app.connectors.clarus.quantities import eaches, open_statuses, out
from app.connectors.contract import JointRead, LineRead, Priority
from app.connectors.errors import Malformed

REPEATS = 3

_LINE = "id order_quantity allocated_quantity pick_quantity dispatch_quantity product { id } goods_out { id reference }"
_BALANCE = "available product { id } warehouse { id }"
_STOCK = "id quantity status product { id }"

Lines = dict[str, LineRead]


@dataclass(slots=True)
class _Levels:
    """Balances and held stock of one SKU, by warehouse."""

    balances: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)


class StockReader:
    """Reads at most `max_read` SKUs at a time, so that all their balances lie on one page: pages are positions and may shift (finding 25)."""

    def __init__(self, client: ClarusClient, lookups: Lookups, warehouses: int, bundles: InForce) -> None:
        self._client, self._lookups, self._bundles = client, lookups, bundles
        given = client.settings
        self.max_read = max(1, min(given.read_skus, given.page_size // max(1, warehouses)))

    async def read(self, skus: Sequence[str], priority: Priority) -> dict[str, JointRead]:
        """One joint read. An unknown SKU is answered with `missing`."""
        if len(skus) > self.max_read:
            raise ValueError(f"at most {self.max_read} SKUs in one read, not {len(skus)}")
        ids = await self._lookups.products(skus, priority)
        reads = {
            sku: JointRead(sku, {}, {}, {}, moved=False, missing=f"Clarus has no product {sku}")
            for sku in skus
            if sku not in ids
        }
        bundles = self._bundles()
        pending, before = dict(ids), await self._lines(ids, bundles, priority) if ids else {}
        for attempt in range(1 + REPEATS):
            if not pending:
                break
            levels = await self._levels(pending, priority)
            after = await self._lines(pending, bundles, priority)
            for sku in list(pending):
                moved = before[sku] != after[sku]
                if not moved or attempt == REPEATS:
                    lines = _least(before[sku], after[sku])
                    reads[sku] = JointRead(sku, levels[sku].balances, levels[sku].held, lines, moved=moved)
                    del pending[sku]
            before = after
        return reads

    async def _lines(self, ids: Mapping[str, str], bundles: Bundles, priority: Priority) -> dict[str, Lines]:
        """Open lines of the products, and of bundles that hold them, by our reference. One list a warehouse: the only way to know a line's warehouse."""
        whole = await self._lookups.products(containing(ids, bundles), priority)
        codes = {product_id: code for code, product_id in {**ids, **whole}.items()}
        account, warehouses = await self._lookups.account(priority), await self._lookups.warehouses(priority)
        lists = {
            f"w{warehouse_id}": Listed(
                "goods_out_lines",
                _LINE,
                "GoodsOutLineFilterType",
                {
                    "account_id": {"eq": account},
                    "warehouse_id": {"eq": warehouse_id},
                    "product_id": _one_of(codes),
                    "goods_out_status_code": {"in": open_statuses(self._client.settings)},
                },
            )
            for warehouse_id in warehouses.values()
        }
        names = {f"w{warehouse_id}": code for code, warehouse_id in warehouses.items()}
        found: dict[str, Lines] = {sku: {} for sku in ids}
        seen: set[str] = set()
        async for name, rows, _ in self._client.pages(lists, priority):
            for row in _new(rows, seen):
                reference = _reference(row)
                for sku, n in parts_of(_sku(row, codes), bundles).items():
                    if sku in found:
                        self._count(found[sku], reference, names[name], row, n)
        return found

    def _count(self, lines: Lines, reference: str, warehouse: str, row: Node, n: int) -> None:
        """One more line of the reference, of which one has `n` eaches."""
        known = lines.get(reference, LineRead(0, warehouse, despatched=0))
        taken = known.out + n * out(row, self._client.settings)
        gone = known.despatched + n * eaches(row, "dispatch_quantity")
        lines[reference] = LineRead(taken, known.warehouse, despatched=gone)

    async def _levels(self, ids: Mapping[str, str], priority: Priority) -> dict[str, _Levels]:
        """Balances of all warehouses in one list, and held stock, which no rule uses: stock records carry no warehouse, so one list each.

        A product without a row in a complete list has nothing there: 0.
        """
        account, warehouses = await self._lookups.account(priority), await self._lookups.warehouses(priority)
        products = _one_of(ids.values())
        balances = {
            "account_id": {"eq": account},
            "product_id": products,
            "warehouse_id": _one_of(warehouses.values()),
        }
        lists = {"balances": Listed("stock_balances", _BALANCE, "StockBalancesFilterType", balances)}
        for warehouse_id in warehouses.values():
            held = {
                "account_id": {"eq": account},
                "warehouse_id": {"eq": warehouse_id},
                "product_id": products,
                "status": {"in": self._client.settings.held_statuses},
            }
            lists[f"w{warehouse_id}"] = Listed("stocks", _STOCK, "StockFilterType", held)
        codes = {warehouse_id: code for code, warehouse_id in warehouses.items()}
        skus = {product_id: sku for sku, product_id in ids.items()}
        found = {sku: _Levels(dict.fromkeys(warehouses, 0)) for sku in ids}
        seen: set[str] = set()
        async for name, rows, complete in self._client.pages(lists, priority):
            if name == "balances" and not complete:
                raise Malformed(PEER, "stock_balances", "more than one row for a product, account and warehouse")
            for row in rows if name == "balances" else _new(rows, seen):
                level = found[_sku(row, skus)]
                if name == "balances":
                    level.balances[_warehouse(row, codes)] = eaches(row, "available")
                else:
                    level.held[codes[name[1:]]] = level.held.get(codes[name[1:]], 0) + eaches(row, "quantity")
        return found


def _new(rows: Iterable[Node], seen: set[str]) -> Iterator[Node]:
    """Rows not seen on an earlier page: a list that grew in front shows some of them twice, and twice is too much."""
    for row in rows:
        if str(row["id"]) not in seen:
            seen.add(str(row["id"]))
            yield row


def _least(before: Lines, after: Lines) -> Lines:
    """min(L1, L2) for the lines that are still in an open status; one that was not there before counts as not out yet."""
    return {
        reference: replace(line, out=min(line.out, before[reference].out if reference in before else 0))
        for reference, line in after.items()
    }


def _one_of(values: Iterable[str]) -> dict[str, Any]:
    wanted = list(values)
    return {"eq": wanted[0]} if len(wanted) == 1 else {"in": wanted}


def _sku(row: Mapping[str, object], skus: Mapping[str, str]) -> str:
    product = row.get("product")
    sku = skus.get(str(product.get("id"))) if isinstance(product, dict) else None
    if sku is None:
        raise Malformed(PEER, "a list of stock or lines", "a row of a product that was not asked for")
    return sku


def _warehouse(row: Mapping[str, object], codes: Mapping[str, str]) -> str:
    warehouse = row.get("warehouse")
    code = codes.get(str(warehouse.get("id"))) if isinstance(warehouse, dict) else None
    if code is None:
        raise Malformed(PEER, "stock_balances", "a row of a warehouse that was not asked for")
    return code


def _reference(row: Mapping[str, object]) -> str:
    order = row.get("goods_out")
    if not isinstance(order, dict) or not order.get("reference"):
        raise Malformed(PEER, "goods_out_lines", "a line without its order's reference")
    return str(order["reference"])
