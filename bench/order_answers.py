"""`python -m bench.order_answers NAME PRODUCTS STOCK`: one peer of `bench.order_alone` in a process of its own, told what to do by lines on standard input.

The warehouse answers what orders ask for from ready answers; whatever it is asked once (token, start check, look-ups) goes to the simulator behind it. The
storefronts are the simulators: what they are asked for orders is a page now and then.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import msgspec
from starlette.responses import Response

from app.connectors.http import make_client
from app.simulators.base import Asgi
from app.simulators.bigcommerce.simulator import BigCommerceSimulator
from app.simulators.clarus.simulator import ClarusSimulator
from app.simulators.commercetools.simulator import CommercetoolsSimulator
from app.simulators.contract import NewLine, NewOrder
from bench.order_peers import WAREHOUSE, sku_of

_ROOTS = re.compile(rb"(\w+): (\w+) \{ all\(")
_READY = frozenset({"goods_outs", "goods_out_lines", "stock_balances", "stocks", "transactions"})
Node = dict[str, Any]


class Warehouse:
    """Stands before a simulated Clarus. Every order that is created stays PENDING and takes nothing; every product has its stock."""

    def __init__(self, peer: ClarusSimulator, stock: int) -> None:
        self._routes: Asgi = peer.app
        peer.app = self
        self._stock = str(stock)
        self._warehouse = {"id": str(peer.stockroom.warehouses[WAREHOUSE].id), "code": WAREHOUSE}
        self._codes = {str(product.id): code for code, product in peer.stockroom.products.items()}
        self._orders: dict[str, tuple[str, list[tuple[str, str]]]] = {}
        self._by_id: dict[str, str] = {}
        self.created = 0

    @property
    def references(self) -> int:
        """Different orders among the created ones."""
        return len(self._orders)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"]
        if not path.endswith(("/graphql", "/goods_outs")):
            return await self._routes(scope, receive, send)
        body = await _body(receive)
        answer = self._query(body) if path.endswith("/graphql") else self._create(body)
        if answer is None:

            async def again() -> Node:
                return {"type": "http.request", "body": body, "more_body": False}

            return await self._routes(scope, again, send)
        return await Response(msgspec.json.encode(answer), media_type="application/json")(scope, receive, send)

    def _create(self, body: bytes) -> Node:
        attributes = msgspec.json.decode(body)["data"]["attributes"]
        self.created += 1
        wms_id = str(self.created)
        lines = [
            (str(one["attributes"]["product_id"]), str(one["attributes"]["order_quantity"]))
            for one in attributes["lines_changes"]
        ]
        self._orders[attributes["reference"]] = wms_id, lines
        self._by_id[wms_id] = attributes["reference"]
        return {"data": {"type": "goods_outs", "id": self.created}}

    def _query(self, body: bytes) -> Node | None:
        asked = [(name.decode(), root.decode()) for name, root in _ROOTS.findall(body)]
        if not asked or not _READY.issuperset(root for _, root in asked):
            return None
        variables = msgspec.json.decode(body)["variables"]
        info = {"hasNextPage": False, "endCursor": None}
        return {
            "data": {
                name: {
                    "all": {"pageInfo": info, "edges": [{"node": n} for n in self._nodes(root, variables[f"f_{name}"])]}
                }
                for name, root in asked
            }
        }

    def _nodes(self, root: str, where: Node) -> list[Node]:
        if root == "goods_outs":
            found = [(name, self._orders[name][0]) for name in _values(where["reference"]) if name in self._orders]
            pending = {"code": "PENDING"}
            return [
                {"id": number, "reference": name, "goods_out_status": pending, "warehouse": self._warehouse}
                for name, number in found
            ]
        if root == "goods_out_lines" and "goods_out_id" in where:
            return [node for number in _values(where["goods_out_id"]) for node in self._lines(number)]
        if root == "stock_balances" and "product_id" in where:
            return [
                {"available": self._stock, "product": {"id": product}, "warehouse": self._warehouse}
                for product in _values(where["product_id"])
            ]
        return []

    def _lines(self, number: str) -> list[Node]:
        nothing = dict.fromkeys(("allocated_quantity", "pick_quantity", "dispatch_quantity"), "0")
        return [
            {
                "id": f"{number}-{product}",
                "order_quantity": quantity,
                **nothing,
                "product": {"id": product, "code": self._codes[product]},
                "goods_out": {"id": number},
            }
            for product, quantity in self._orders[self._by_id[number]][1]
        ]


def _values(given: Node) -> list[str]:
    return [given["eq"]] if "eq" in given else list(given["in"])


async def _body(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _place(shop: BigCommerceSimulator, products: int, rate: float, seconds: float) -> int:
    """Paid orders of one line at an even pace, however long each takes."""
    began, count = time.monotonic(), int(rate * seconds)
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        await shop.place(NewOrder("", [NewLine(sku_of(number * 7919 % products), 1)]))
    return count


Peer = ClarusSimulator | CommercetoolsSimulator | BigCommerceSimulator


def _peer(name: str, products: int, stock: int) -> tuple[Peer, Warehouse | None]:
    if name == "clarus":
        clarus = ClarusSimulator("clarus", 1, warehouses=[WAREHOUSE])
        for sku in map(sku_of, range(products)):
            clarus.add_product(sku)
        return clarus, Warehouse(clarus, stock)
    if name == "ct":
        return CommercetoolsSimulator("ct", 1, rate=1_000), None
    store = BigCommerceSimulator("bc", 1, plan="enterprise")
    store.webhooks.client = make_client(10, 8)  # what a callback costs the store is not measured
    return store, None


async def serve(name: str, products: int, stock: int) -> None:
    """Until standard input ends."""
    peer, ready = _peer(name, products, stock)
    if not isinstance(peer, ClarusSimulator):
        for sku in map(sku_of, range(products)):
            peer.add_listing(sku)
            await peer.set_stock(sku, stock)
    await peer.start()
    print(json.dumps(peer.connection()), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await _do(json.loads(line), peer, ready, products)), flush=True)
    await peer.stop()


async def _do(told: Node, peer: Peer, ready: Warehouse | None, products: int) -> object:
    """What a line asks for; what is said then."""
    if ready is not None:
        return [ready.created, ready.references]
    assert isinstance(peer, BigCommerceSimulator)
    if told["do"] == "place":
        return await _place(peer, products, told["rate"], told["seconds"])
    peer.notify_to(told["url"])
    return None


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
