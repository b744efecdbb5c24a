"""What the REST operations of the simulated Clarus share: whose records they work on, and the forms of their answers (fact sheet 1.4, 1.5)."""

from typing import Protocol

import msgspec
from starlette.responses import Response

from app.simulators.base import Faults
from app.simulators.clarus.automations import Automations
from app.simulators.clarus.floor import Floor
from app.simulators.clarus.model import Account, Carrier, CarrierService, Party, PickRequest
from app.simulators.clarus.orderbook import Denied, OrderBook
from app.simulators.clarus.receipts import ReceiptBook
from app.simulators.clarus.stockroom import Stockroom


class Missing(Exception):
    """No such record, or none that this operation may touch."""


def answer(body: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def problem(error: Denied | Missing) -> Response:
    """The error list of fact sheet 1.5."""
    code, symbol, status = (
        (error.code, error.symbol, 422) if isinstance(error, Denied) else (9004, "record_not_found", 404)
    )
    one = {"code": code, "symbol": symbol, "details": str(error), "source": "simulator", "context": {}}
    return answer({"errors": [one]}, status)


class Office(Protocol):
    """What the operations work on."""

    account: Account
    stockroom: Stockroom
    book: OrderBook
    receipts: ReceiptBook
    floor: Floor
    faults: Faults
    webhooks: Automations
    carriers: dict[str, Carrier]
    services: dict[tuple[str, str], CarrierService]
    customers: dict[str, Party]
    order_types: dict[str, Party]
    pick_requests: dict[str, PickRequest]
    unique_references: bool
    accept_remove: bool
