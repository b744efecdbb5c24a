"""What the lists of the simulated GraphQL are made of: whose data they show, common fields, and filters that look at few rows."""

from typing import Any, Protocol

from app.simulators.clarus.execute import Fields, Filter, Getter, Where
from app.simulators.clarus.model import Account, Automation, Carrier, CarrierService, Party, PickRequest
from app.simulators.clarus.orderbook import OrderBook
from app.simulators.clarus.receipts import ReceiptBook
from app.simulators.clarus.stockroom import Stockroom


class Tenant(Protocol):
    """What the schema looks into."""

    account: Account
    stockroom: Stockroom
    book: OrderBook
    receipts: ReceiptBook
    carriers: dict[str, Carrier]
    services: dict[tuple[str, str], CarrierService]
    customers: dict[str, Party]
    order_types: dict[str, Party]
    pick_requests: dict[str, PickRequest]

    @property
    def automations(self) -> dict[int, Automation]:
        """The webhooks, by id."""
        ...


def ident_of(row: Any) -> str:
    """A record's id as GraphQL shows it: text."""
    return str(row.id)


def code_of(row: Any) -> str:
    """A record's code."""
    return str(row.code)


def figure(name: str) -> Getter:
    """A quantity as a decimal."""
    return lambda row: float(getattr(row, name))


def nothing(row: Any) -> None:
    """A documented field that is always empty here."""
    return


ID_FIELDS: Fields = {"id": ident_of}
CODED: Fields = {"id": ident_of, "code": code_of}
NAMED: Fields = {"id": ident_of, "code": code_of, "name": lambda row: row.name}


def text_filter(get: Getter) -> Filter:
    """A filter of type StringInputType."""
    return Filter("StringInputType", get)


def id_filter(get: Getter) -> Filter:
    """A filter of type IdInputType."""
    return Filter("IdInputType", get)


def decimal_filter(get: Getter) -> Filter:
    """A filter of type DecimalInputType."""
    return Filter("DecimalInputType", get)


def time_filter(get: Getter) -> Filter:
    """A filter of type DatetimeInputType."""
    return Filter("DatetimeInputType", get)


def wanted(where: Where, name: str) -> list[Any] | None:
    """The values a filter allows by `eq` or `in`; None where it does not say."""
    operators = where.get(name, {})
    if "eq" in operators:
        return [operators["eq"]]
    return list(operators["in"]) if "in" in operators else None


def named_products(tenant: Tenant, where: Where) -> list[Any] | None:
    """The products a filter names by id or code; None where it names none."""
    if (ids := wanted(where, "product_id")) is not None:
        known = tenant.stockroom.products_by_id
        return [known[int(n)] for n in ids if int(n) in known]
    if (codes := wanted(where, "product_code")) is not None:
        return [tenant.stockroom.products[code] for code in codes if code in tenant.stockroom.products]
    return None
