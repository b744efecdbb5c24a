"""Order intake from BigCommerce: polls by time of change, and single orders (bigcommerce.md 4.1). What an order means is in `mapping`.

A poll is a walk over seconds: the platform's times have no finer ones, and pages by number shift whenever an order changes between two of them. So the walk
goes on from the last time it saw, and a second with more changes than one page holds is read by rising order id.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from cachetools import LRUCache, TTLCache

from app.connectors.bigcommerce.client import Client, rows_v2
from app.connectors.bigcommerce.mapping import (
    Parts,
    date_ms,
    inline_parts,
    is_restocked,
    product_ids,
    snapshot,
)
from app.connectors.bigcommerce.payments import has_refunds
from app.connectors.bigcommerce.products import Products
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.bigcommerce.statuses import INCOMPLETE
from app.connectors.contract import OrderPage, Priority
from app.connectors.errors import Malformed
from app.connectors.reading import readable
from app.connectors.times import iso
from schemas.records import OrderSnapshot

_ORDERS = "/v2/orders"
_REFUNDS = "/v3/orders/payment_actions/refunds"
_REFUNDS_OF = 50
_LIMIT = 250
_PARALLEL = 4
_FRESH = 3000
_SETTING_KEPT = 5 * 60 * 1000

Row = dict[str, Any]


class OrderReader:
    """Reads orders whole."""

    def __init__(self, client: Client, products: Products, settings: BigCommerceSettings) -> None:
        self._client, self._products, self._settings = client, products, settings
        self._parts: LRUCache[tuple[int, str], Parts] = LRUCache(2000)
        self._restocks: TTLCache[str, bool] = TTLCache(1, _SETTING_KEPT, timer=lambda: client.peer_time()[1])
        self._gate = asyncio.Semaphore(_PARALLEL)

    async def fetch(self, order_ids: Iterable[str], priority: Priority) -> dict[str, OrderSnapshot]:
        """Orders by id; those that are not there, or Incomplete, are left out. Ids that lie close together come as one page."""
        rows: list[Row] = []
        for span in _spans(sorted({int(order_id) for order_id in order_ids if order_id.isdecimal()})):
            wanted = dict.fromkeys(span)
            if len(span) > 1:
                query: dict[str, str | int] = {"sort": "id:asc", "min_id": span[0], "max_id": span[-1], "limit": _LIMIT}
                page = self._checked(
                    rows_v2(
                        self._client.name, _ORDERS, await self._client.get(_ORDERS, priority, query | self._include())
                    )
                )
                rows += [row for row in page if int(row["id"]) in wanted]
                for row in page:
                    wanted.pop(int(row["id"]), None)
            for number in wanted:  # what a list leaves out, such as an order that was deleted, is asked for by itself
                row = await self._client.find(f"{_ORDERS}/{number}", priority, self._include())
                rows += self._checked([row]) if row is not None else []
        return {order.order_id: order for order in await self._snapshots(rows, priority)}

    async def poll(self, since: int, priority: Priority) -> AsyncIterator[OrderPage]:
        """Orders changed at `since` (ms) or later, oldest change first; an order that changes during the poll may come twice, with both versions.

        The walk ends at what had changed when it began: later changes belong to the next poll.
        """
        started_at, began = self._client.peer_time()
        seen: set[tuple[int, str]] = set()
        second = since // 1000
        while True:
            rows = await self._page({"sort": "date_modified:asc", "page": 1}, second, None, priority)
            if len(rows) < _LIMIT:
                yield await self._finish(rows, seen, started_at, True, priority)
                return
            newest = date_ms(rows[-1]["date_modified"]) // 1000
            if newest > second:
                yield await self._finish(rows, seen, started_at, False, priority)
                second = newest
            else:
                async for page in self._drain(second, priority):
                    yield await self._finish(page, seen, started_at, False, priority)
                second += 1
            if second * 1000 > began + 1000:
                yield OrderPage([], started_at, True)
                return

    async def _drain(self, second: int, priority: Priority) -> AsyncIterator[list[Row]]:
        """All orders changed in one second, by rising id: an order that changes meanwhile leaves the second and shifts nothing."""
        next_id = 0
        while True:
            rows = await self._page({"sort": "id:asc", "min_id": next_id}, second, second, priority)
            yield rows
            if len(rows) < _LIMIT:
                return
            next_id = int(rows[-1]["id"]) + 1

    async def _page(
        self, params: Mapping[str, str | int], first: int, last: int | None, priority: Priority
    ) -> list[Row]:
        """One page of orders changed from second `first` on (to `last`). Whether the filters include their bound is not documented: they are set beside it."""
        query: dict[str, str | int] = {**params, "limit": _LIMIT, "min_date_modified": iso(first * 1000 - 1)}
        if last is not None:
            query["max_date_modified"] = iso(last * 1000 + 999)
        body = await self._client.get(_ORDERS, priority, query | self._include())
        return self._checked(rows_v2(self._client.name, _ORDERS, body))

    async def _finish(
        self, rows: Iterable[Row], seen: set[tuple[int, str]], started_at: int, last: bool, priority: Priority
    ) -> OrderPage:
        """The rows that this poll has not given yet, whole."""
        new = []
        for row in rows:
            key = row["id"], str(row["date_modified"])
            if key not in seen:
                seen.add(key)
                new.append(row)
        return OrderPage(await self._snapshots(new, priority), started_at, last)

    async def _snapshots(self, rows: Sequence[Row], priority: Priority) -> list[OrderSnapshot]:
        """Snapshots of orders, their parts and the facts of their products looked up where needed; Incomplete ones left out."""
        rows = [row for row in rows if row.get("status_id") != INCOMPLETE]
        looks = [asyncio.ensure_future(self._parts_of(row, priority)) for row in rows]
        try:
            parts = await asyncio.gather(*looks)
            facts = await self._products.facts({n for each in parts for n in product_ids(each)}, priority)
            tracked = {n for n, known in facts.items() if known.tracking != "none"}
            restocks = any(is_restocked(row) for row in rows) and await self._store_restocks(priority)
            refunds = await self._refunds([int(row["id"]) for row in rows if has_refunds(row)], priority)
            return [
                self._snapshot(row, each, tracked, restocks=restocks, refunds=refunds.get(int(row["id"]), []))
                for row, each in zip(rows, parts, strict=True)
            ]
        finally:
            for look in looks:
                look.cancel()

    def _snapshot(
        self, row: Row, parts: Parts, tracked: Collection[int], *, restocks: bool, refunds: Sequence[Row]
    ) -> OrderSnapshot:
        name, settings = self._client.name, self._settings

        def read() -> OrderSnapshot:
            return snapshot(name, row, parts, settings, tracked=tracked, restocks=restocks, refunds=refunds)

        return readable(self._client.name, row["id"], row["id"], date_ms(row["date_modified"]), read)

    async def _parts_of(self, row: Row, priority: Priority) -> Parts:
        """Lines and addresses: from the order itself, from the last look at the same version, or by two requests."""
        try:
            inline = inline_parts(row)
        except (AttributeError, KeyError, TypeError):
            inline = None
        if inline is not None:
            return inline
        key = int(row["id"]), str(row["date_modified"])
        if (known := self._parts.get(key)) is not None:
            return known
        path = f"{_ORDERS}/{row['id']}"
        async with self._gate:
            lines = await self._client.list_v2(f"{path}/products", priority)
            addresses = await self._client.list_v2(f"{path}/shipping_addresses", priority)
        parts = Parts(lines, addresses)
        if date_ms(row["date_modified"]) + _FRESH < self._client.peer_time()[0]:
            self._parts[key] = parts
        return parts

    async def _refunds(self, order_ids: Sequence[int], priority: Priority) -> dict[int, list[Row]]:
        """Refunds of these orders, by order id; one request for many orders (6.2)."""
        found: dict[int, list[Row]] = {}
        for at in range(0, len(order_ids), _REFUNDS_OF):
            chunk = ",".join(map(str, order_ids[at : at + _REFUNDS_OF]))
            listed = await self._client.list_v3(_REFUNDS, priority, {"order_id:in": chunk})
            for row in listed.rows:
                found.setdefault(int(row["order_id"]), []).append(row)
        return found

    async def _store_restocks(self, priority: Priority) -> bool:
        """Does the store put stock back by itself on a cancel or refund? Read again every five minutes."""
        known = self._restocks.get("")
        if known is None:
            body = await self._client.get("/v3/settings/inventory", priority)
            data = body.get("data") if isinstance(body, dict) else None
            if not isinstance(data, dict):
                raise Malformed(self._client.name, "GET /v3/settings/inventory", "no settings in the answer")
            known = self._restocks[""] = bool(data.get("refund_order_stock_adjustment"))
        return known

    def _checked(self, rows: Sequence[Any]) -> list[Row]:
        """Orders that have at least an id and a time of change."""
        try:
            return [row for row in rows if date_ms(row["date_modified"]) and int(row["id"])]
        except (KeyError, TypeError, ValueError) as error:
            raise self._malformed(error) from error

    def _malformed(self, error: Exception) -> Malformed:
        return Malformed(self._client.name, f"GET {_ORDERS}", f"an order is not as documented: {error!r}")

    def _include(self) -> dict[str, str | int]:
        if not self._settings.inline_lines:
            return {}
        return {"include": "consignments.line_items", "consignment_structure": "object"}


def _spans(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Rising ids in groups that one page holds, whatever lies between them."""
    span: list[int] = []
    for number in numbers:
        if span and number - span[0] >= _LIMIT:
            yield span
            span = []
        span.append(number)
    if span:
        yield span
