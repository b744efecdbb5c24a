"""The simulated Clarus: token, tenant, GraphQL and REST in front, the warehouse behind (fact sheet 13). What a drill does to it and asks of it."""

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.simulators.base import Hosted, Notifier
from app.simulators.clarus.automations import DEFAULT, Automations, Envelope
from app.simulators.clarus.execute import execute
from app.simulators.clarus.floor import Floor
from app.simulators.clarus.graphql import QueryError, bind, parse
from app.simulators.clarus.model import (
    Account,
    Automation,
    Balance,
    Carrier,
    CarrierService,
    GoodsOut,
    Party,
    PickRequest,
)
from app.simulators.clarus.office import answer
from app.simulators.clarus.orderbook import Denied, OrderBook
from app.simulators.clarus.receipts import OUTCOMES, Outcome, ReceiptBook
from app.simulators.clarus.rest import Rest
from app.simulators.clarus.roots import make_roots
from app.simulators.clarus.stockroom import Stockroom
from app.simulators.contract import FloorSpeed, StepRefused, WarehouseOrder, WarehouseReturn


class ClarusSimulator(Hosted):
    """One tenant with one account. Token lifetime and webhook lag (from, to) in seconds; `envelope` of webhook bodies, None for any of the three.

    `services` are carrier and service codes; `events` the webhooks that `notify_to` gives an address; `package_contents` names the field of a package that
    lists what is in it, `product_weight` the field of a product with its weight in grams and `receipt_lines` the field of a receipt that lists its lines, all
    undocumented (empty: there is no such field).
    """

    def __init__(
        self,
        name: str,
        seed: int,
        *,
        warehouses: Sequence[str],
        floor: FloorSpeed | None = None,
        webhook_lag: tuple[float, float] = (0.05, 0.3),
        webhook_retry: bool = False,
        events: Sequence[tuple[str, str]] = DEFAULT,
        envelope: Envelope | None = "bare",
        subdomain: str = "drill",
        token_lifetime: float = 7200.0,
        unique_references: bool = False,
        accept_remove: bool = False,
        services: Sequence[tuple[str, str]] = (),
        round_up: Mapping[str, int] | None = None,
        package_contents: str = "",
        product_weight: str = "",
        receipt_lines: str = "",
    ) -> None:
        super().__init__(name, seed)
        self.subdomain, self.token_lifetime = subdomain, token_lifetime
        self.unique_references, self.accept_remove = unique_references, accept_remove
        self.account = Account(7, "DRILL", "Drill account")
        self.stockroom = Stockroom(warehouses, self.journal)
        self.book = OrderBook(self.stockroom, self.journal, round_up)
        self.floor = Floor(self.book, floor or FloorSpeed(), random.Random(f"{seed}:{name}:floor"))
        self.notifier = Notifier(name, seed, self.faults, self.journal, webhook_lag, retry=webhook_retry)
        self.webhooks = Automations(
            self.account, subdomain, self.notifier, random.Random(f"{seed}:{name}:webhooks"), envelope
        )
        for resource, event in events:
            self.webhooks.add(f"{resource} {event}", resource, event)
        self.carriers: dict[str, Carrier] = {}
        self.services: dict[tuple[str, str], CarrierService] = {}
        self.customers: dict[str, Party] = {}
        self.order_types: dict[str, Party] = {}
        self.pick_requests: dict[str, PickRequest] = {}
        for carrier, service in services:
            self.add_service(carrier, service)
        self._client = "clarus-stream", f"secret-{seed}"
        self._tokens: dict[str, float] = {}
        self.stockroom.raised = self.floor.raised
        self.stockroom.changed = self.webhooks.balance
        self.stockroom.event = self.webhooks.stock
        self.book.event = self.webhooks.order
        self.receipts = ReceiptBook(self.stockroom, self.journal)
        self._package_contents, self._product_weight, self._receipt_lines = (
            package_contents,
            product_weight,
            receipt_lines,
        )
        self._roots = make_roots(self, package_contents, product_weight, receipt_lines)
        self.app = Starlette(
            routes=[
                Route("/oauth/token", self._token, methods=["POST"]),
                Route("/graphql", self._graphql, methods=["POST"]),
                *Rest(self, self._refusal).routes(("/api", "/api/v1")),
            ]
        )

    # ---- serving ----------------------------------------------------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> str:
        """Serve, and let the floor work."""
        url = await super().start(port)
        self.webhooks.start(url)
        self.floor.start()
        return url

    async def stop(self) -> None:
        """Stop floor, webhooks and server."""
        await self.floor.stop()
        await self.notifier.stop()
        await self.webhooks.stop()
        await super().stop()

    def group(self, method: str, path: str) -> str:
        """Goods outs and receipts count as orders, stocks and GraphQL as stock."""
        if "/goods_" in path:
            return "orders"
        return "stock" if path == "/graphql" or "/stocks/" in path else "other"

    @property
    def automations(self) -> dict[int, Automation]:
        """The webhooks, by id."""
        return self.webhooks.all

    def _refusal(self, request: Request) -> Response | None:
        """401 where token or tenant is missing or wrong (S1, S2), or where a drill lets the token expire."""
        if self.faults.hits("token_expired"):
            self._tokens.clear()
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or self._tokens.get(token, 0.0) <= time.monotonic():
            return answer({"error": "The access token is missing, unknown or expired"}, 401)
        if request.headers.get("X-Clarus-Subdomain") != self.subdomain:
            return answer({"error": "X-Clarus-Subdomain is missing or unknown"}, 401)
        return None

    async def _token(self, request: Request) -> Response:
        raw = await request.body()
        if request.headers.get("Content-Type", "").startswith("application/json"):
            given: Mapping[str, Any] = msgspec.json.decode(raw)
        else:
            given = dict(parse_qsl(raw.decode()))
        if given.get("grant_type") != "client_credentials":
            return answer({"error": "unsupported_grant_type"}, 400)
        if (given.get("client_id"), given.get("client_secret")) != self._client:
            return answer({"error": "invalid_client"}, 401)
        token = f"token-{len(self._tokens)}-{self.rng.getrandbits(64):016x}"
        self._tokens[token] = time.monotonic() + self.token_lifetime
        return answer({"access_token": token, "token_type": "Bearer", "expires_in": int(self.token_lifetime)})

    async def _graphql(self, request: Request) -> Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        try:
            body = msgspec.json.decode(await request.body())
            if not isinstance(body, dict) or not isinstance(body.get("query"), str):
                raise QueryError("a query is wanted")
            query = parse(body["query"])
            data: dict[str, Any] = execute(self._roots, query, bind(query, body.get("variables") or {}))
        except msgspec.DecodeError:
            return answer({"errors": [QueryError("the body is not JSON").shown()]})
        except QueryError as error:
            return answer({"errors": [error.shown()]})
        if self.faults.hits("partial"):
            lost = query.fields[-1].key
            data[lost] = None
            return answer({"data": data, "errors": [QueryError("This part timed out", (lost,)).shown()]})
        return answer({"data": data})

    # ---- set-up -----------------------------------------------------------------------------------------------------------------------------

    def connection(self) -> dict[str, Any]:
        """The `clarus` settings for the product."""
        return {
            "base_url": self.url,
            "subdomain": self.subdomain,
            "client_id": self._client[0],
            "client_secret": self._client[1],
            "account": self.account.code,
            "package_contents": self._package_contents,
            "product_weight": self._product_weight,
            "receipt_lines": self._receipt_lines,
            "automations": {str(a.id): f"{a.resource}.{a.event}" for a in self.automations.values()},
        }

    def notify_to(self, url: str) -> None:
        """All webhooks go to this URL, its secret included."""
        for automation in self.automations.values():
            automation.url = url

    def add_product(self, sku: str) -> None:
        """Create a product; bundles are not products here."""
        self.stockroom.add_product(sku)

    def add_bundle(self, sku: str, materials: Mapping[str, int]) -> None:
        """Create a bill of materials that is assembled on pick (S18): orders of it take its components."""
        self.stockroom.add_bundle(sku, materials)

    def describe(self, sku: str, *, barcode: str = "", grams: float = 0.0, case: int | None = None) -> None:
        """What the product's record says; `grams` of one each, `case`: eaches in a case."""
        product = self.stockroom.products[sku]
        product.barcode, product.grams, product.units_per_case = barcode, grams, case

    def add_service(self, carrier: str, service: str = "") -> None:
        """Create a carrier (empty: none) and one of its services."""
        if not carrier:
            return
        owner = self.carriers.setdefault(carrier, Carrier(len(self.carriers) + 1, carrier, carrier))
        if service:
            key = carrier, service
            self.services.setdefault(key, CarrierService(len(self.services) + 1, service, service, owner))

    def add_customer(self, code: str) -> None:
        """Create an end customer."""
        self.customers.setdefault(code, Party(len(self.customers) + 1, code, code))

    def add_order_type(self, code: str) -> None:
        """Create an order type."""
        self.order_types.setdefault(code, Party(len(self.order_types) + 1, code, code))

    # ---- what happens in the warehouse ------------------------------------------------------------------------------------------------------

    def receive(self, sku: str, warehouse: str, qty: int) -> int:
        """Goods in. Every movement returns what was really booked, in eaches."""
        return self.stockroom.receive(self._balance(sku, warehouse), self._positive(qty))

    def adjust(self, sku: str, warehouse: str, qty: int) -> int:
        """Correct the stock; down at most by what is available. Returns the signed booking."""
        return self.stockroom.adjust(self._balance(sku, warehouse), qty)

    def hold(self, sku: str, warehouse: str, qty: int) -> int:
        """Take stock out of sale, at most what is available."""
        return self.stockroom.hold(self._balance(sku, warehouse), self._positive(qty))

    def release(self, sku: str, warehouse: str, qty: int) -> int:
        """Put held stock back on sale, at most what is held."""
        return self.stockroom.release(self._balance(sku, warehouse), self._positive(qty))

    def move(self, sku: str, source: str, target: str, qty: int) -> int:
        """Move between warehouses, at most what is available."""
        return self.stockroom.transfer(self._balance(sku, source), self._balance(sku, target), self._positive(qty))

    def allocate(self, upstream: str) -> None:
        """Allocate one order as far as stock goes. StepRefused where it is not there or not in a state for it."""
        order = self._order(upstream)
        if self._do(self.book.allocate, order):
            self.floor.allocated(order)

    def pick(self, upstream: str) -> None:
        """Pick what is allocated of one order."""
        order = self._order(upstream)
        self._do(self.book.pick, order)
        self.floor.picked(order)

    def despatch(self, upstream: str, parcels: Sequence[Mapping[str, Any]]) -> None:
        """Despatch parcels `{"tracking": str, "lines": [{"sku", "qty"}]}` of one order."""
        order = self._order(upstream)
        for parcel in parcels:
            contents = [(str(line["sku"]), int(line["qty"])) for line in parcel["lines"]]
            self._do(self.book.despatch, order, str(parcel["tracking"]), contents)

    def undespatch(self, upstream: str) -> None:
        """Take the despatch of a completed order back (S19)."""
        self._do(self.book.undespatch, self._order(upstream))

    def relabel(self, upstream: str, before: str, after: str) -> None:
        """Correct a tracking number of one order's packages."""
        self._do(self.book.relabel, self._order(upstream), before, after)

    def short(self, upstream: str) -> None:
        """Give up what could not be allocated of one order."""
        order = self._order(upstream)
        if not self._do(self.book.short, order):
            self.floor.allocated(order)

    def unallocate(self, upstream: str) -> None:
        """Cancel the pick list of one order: it is PENDING again."""
        self._do(self.book.unallocate, self._order(upstream))

    def cancel(self, upstream: str) -> None:
        """Somebody cancels the order in Clarus itself."""
        self._do(self.book.cancel, self._order(upstream))

    def receive_return(self, upstream: str, lines: Sequence[tuple[str, int]]) -> None:
        """Goods of an announced return of this order arrive: these, or all that are expected."""
        self._do(self.receipts.receive, upstream, lines)

    def inspect(self, upstream: str, lines: Sequence[tuple[str, int, Outcome]], rest: Outcome = "restock") -> None:
        """What arrived of a return is inspected: these lines, or all of it with the outcome `rest`."""
        self._do(self.receipts.inspect, upstream, lines, rest)

    # ---- the truth --------------------------------------------------------------------------------------------------------------------------

    def orders(self) -> Sequence[WarehouseOrder]:
        """All goods outs, deleted ones too."""
        return [self._shown(order) for order in (*self.book.orders.values(), *self.book.deleted)]

    def returns(self) -> Sequence[WarehouseReturn]:
        """All receipts."""
        return [
            WarehouseReturn(
                upstream=receipt.upstream,
                reference=receipt.reference,
                status=receipt.status,
                received=_sums((line.product.code, line.received) for line in receipt.lines),
                inspected={
                    outcome: _sums((line.product.code, line.inspected[outcome]) for line in receipt.lines)
                    for outcome in OUTCOMES
                },
            )
            for receipt in self.receipts.all.values()
        ]

    def stock(self) -> Mapping[str, Mapping[str, Mapping[str, int]]]:
        """SKU to warehouse to {"available", "held"}."""
        return {
            sku: {
                code: {"available": balance.available, "held": balance.held}
                for code, warehouse in self.stockroom.warehouses.items()
                for balance in (self.stockroom.balance(product, warehouse),)
            }
            for sku, product in self.stockroom.products.items()
        }

    def quiet(self) -> bool:
        """No notification undelivered, no request under way, nothing the floor could still do."""
        return self.notifier.pending == 0 and self.journal.under_way == 0 and self.floor.idle

    def _balance(self, sku: str, warehouse: str) -> Balance:
        if sku not in self.stockroom.products:
            raise StepRefused(f"the warehouse has no product {sku}")
        if warehouse not in self.stockroom.warehouses:
            raise StepRefused(f"there is no warehouse {warehouse}")
        return self.stockroom.balance(self.stockroom.products[sku], self.stockroom.warehouses[warehouse])

    @staticmethod
    def _positive(qty: int) -> int:
        if qty < 0:
            raise StepRefused(f"a quantity of {qty}")
        return qty

    def _order(self, upstream: str) -> GoodsOut:
        order = self.book.with_upstream(upstream)
        if order is None:
            raise StepRefused(f"the warehouse has no order of {upstream}")
        return order

    @staticmethod
    def _do(act: Any, *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except Denied as error:
            raise StepRefused(error.details) from error

    def _shown(self, order: GoodsOut) -> WarehouseOrder:
        attributes = order.attributes
        return WarehouseOrder(
            wms_id=str(order.id),
            reference=order.reference,
            upstream=order.upstream,
            status=order.status,
            created_at=order.created_at,
            lines=[{"sku": line.product.code, "qty": line.ordered} for line in order.lines],
            taken={key: quantity for key, quantity in order.taken.items() if quantity},
            carrier=order.carrier.code if order.carrier else "",
            service=order.service.code if order.service else "",
            notes={name: attributes[field] for name, field in _NOTES.items() if attributes.get(field)},
            parcels=[dict(parcel) for parcel in order.parcels],
            customer=_code(self.customers, attributes.get("customer_id")),
            order_type=_code(self.order_types, attributes.get("order_type_id")),
            priority=attributes.get("priority"),
            address=dict(order.address),
            references=[attributes.get(f"external_system_reference{n}", "") for n in (1, 2, 3)],
        )


def _code(known: Mapping[str, Party], given: int | None) -> str:
    return next((one.code for one in known.values() if one.id == given), "")


_NOTES = {"delivery": "delivery_notes", "packing": "packing_notes", "order": "order_notes", "pick": "pick_notes"}


def _sums(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for code, eaches in lines:
        total[code] = total.get(code, 0) + eaches
    return total
