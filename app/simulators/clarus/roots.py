"""The GraphQL schema of the simulated Clarus: the documented fields and filters of every root it has (fact sheet 2.2), and nothing besides."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from app.simulators.clarus.execute import Fields, Filter, Getter, Nested, Root, Where
from app.simulators.clarus.model import STATUS_NAMES, Account, Automation, Carrier, CarrierService, PickRequest, iso
from app.simulators.clarus.orderbook import OrderBook
from app.simulators.clarus.stockroom import Stockroom


class Tenant(Protocol):
    """What the schema looks into."""

    account: Account
    stockroom: Stockroom
    book: OrderBook
    carriers: dict[str, Carrier]
    services: dict[tuple[str, str], CarrierService]
    pick_requests: dict[str, PickRequest]

    @property
    def automations(self) -> dict[int, Automation]:
        """The webhooks, by id."""
        ...


def _id(row: Any) -> str:
    return str(row.id)


def _code(row: Any) -> str:
    return str(row.code)


def _number(name: str) -> Getter:
    return lambda row: float(getattr(row, name))


def _none(row: Any) -> None:
    return None


_ID: Fields = {"id": _id}
_CODED: Fields = {"id": _id, "code": _code}
_NAMED: Fields = {"id": _id, "code": _code, "name": lambda row: row.name}


def _string(get: Getter) -> Filter:
    return Filter("StringInputType", get)


def _ident(get: Getter) -> Filter:
    return Filter("IdInputType", get)


def _decimal(get: Getter) -> Filter:
    return Filter("DecimalInputType", get)


def _time(get: Getter) -> Filter:
    return Filter("DatetimeInputType", get)


def _wanted(where: Where, name: str) -> list[Any] | None:
    """The values a filter allows by `eq` or `in`; None where it does not say."""
    operators = where.get(name, {})
    if "eq" in operators:
        return [operators["eq"]]
    return list(operators["in"]) if "in" in operators else None


def _products(tenant: Tenant, where: Where) -> list[Any] | None:
    """The products a filter names by id or code; None where it names none."""
    if (ids := _wanted(where, "product_id")) is not None:
        known = tenant.stockroom.products_by_id
        return [known[int(n)] for n in ids if int(n) in known]
    if (codes := _wanted(where, "product_code")) is not None:
        return [tenant.stockroom.products[code] for code in codes if code in tenant.stockroom.products]
    return None


def make_roots(tenant: Tenant) -> Mapping[str, Root]:
    """All roots."""
    return {**_reference_roots(tenant), **_stock_roots(tenant), **_order_roots(tenant), **_parcel_roots(tenant)}


def _reference_roots(tenant: Tenant) -> dict[str, Root]:
    account, stockroom = tenant.account, tenant.stockroom

    def products(where: Where) -> Iterable[Any]:
        codes = _wanted(where, "code")
        if codes is None:
            return stockroom.products.values()
        return [stockroom.products[code] for code in codes if code in stockroom.products]

    return {
        "accounts": Root(
            "AccountFilterType",
            {
                **_NAMED,
                "is_short_pickable": lambda a: a.is_short_pickable,
                "external_system_reference1": _none,
                "vat_number": _none,
            },
            {
                "code": _string(_code),
                "name": _string(lambda a: a.name),
                "warehouse_id": _ident(_none),
                "is_short_pickable": Filter("BooleanInputType", lambda a: a.is_short_pickable),
            },
            lambda where: [account],
        ),
        "warehouses": Root(
            "WarehouseFilterType",
            {**_NAMED, "consolidate_pick_enabled": lambda w: False, "opening_times_enabled": lambda w: False},
            {"code": _string(_code), "name": _string(lambda w: w.name), "site_id": _ident(_none)},
            lambda where: stockroom.warehouses.values(),
        ),
        "locations": Root(
            "LocationsFilterType",
            {**_CODED, "active": lambda x: True, "warehouse": Nested(lambda x: x.warehouse, _NAMED)},
            {"code": _string(_code), "warehouse_code": _string(lambda x: x.warehouse.code)},
            lambda where: stockroom.locations.values(),
        ),
        "products": Root(
            "ProductsFilterType",
            {
                **_CODED,
                "barcode": _none,
                "description": _code,
                "long_description": _none,
                "product_type": lambda p: "standard",
                "units_per_case": _none,
            },
            {
                "code": _string(_code),
                "barcode": _string(_none),
                "all_codes": _string(_code),
                "description": _string(_code),
                "account_id": _ident(lambda p: account.id),
                "product_type": _string(lambda p: "standard"),
            },
            products,
        ),
        "carriers": Root(
            "CarrierFilterType",
            {**_NAMED, "active": lambda c: True, "carrier_type": lambda c: "custom"},
            {
                "code": _string(_code),
                "name": _string(lambda c: c.name),
                "active": Filter("BooleanInputType", lambda c: True),
            },
            lambda where: tenant.carriers.values(),
        ),
        "carrier_services": Root(
            "CarrierServiceFilterType",
            {
                **_NAMED,
                "active": lambda s: True,
                "is_default": lambda s: False,
                "carrier": Nested(lambda s: s.carrier, _CODED),
            },
            {
                "code": _string(_code),
                "name": _string(lambda s: s.name),
                "active": Filter("BooleanInputType", lambda s: True),
                "carrier_id": _ident(lambda s: s.carrier.id),
                "carrier_code": _string(lambda s: s.carrier.code),
            },
            lambda where: tenant.services.values(),
        ),
        "automations": Root(
            "AutomationFilterType",
            {
                "id": _id,
                "name": lambda a: a.name,
                "resource_name": lambda a: a.resource,
                "event": lambda a: a.event,
                "enabled": lambda a: a.enabled,
                "integration_id": _none,
                "created_at": lambda a: iso(a.created_at),
            },
            {
                "name": _string(lambda a: a.name),
                "resource_name": Filter("SingleEnumInputType", lambda a: a.resource),
                "event": Filter("SingleEnumInputType", lambda a: a.event),
                "enabled": Filter("BooleanInputType", lambda a: a.enabled),
                "integration_id": _ident(_none),
                "created_at": _time(lambda a: a.created_at),
            },
            lambda where: tenant.automations.values(),
        ),
    }


def _stock_roots(tenant: Tenant) -> dict[str, Root]:
    account, stockroom = tenant.account, tenant.stockroom
    product, owner = Nested(lambda row: row.product, _CODED), Nested(lambda row: account, _CODED)
    common = {
        "product_id": _ident(lambda row: row.product.id),
        "account_id": _ident(lambda row: account.id),
    }

    def balances(where: Where) -> Iterable[Any]:
        named = _products(tenant, where)
        if named is None:
            return stockroom.balances()
        return [balance for one in named for balance in stockroom.balances(one)]

    def stocks(where: Where) -> Iterable[Any]:
        named = _products(tenant, where)
        if named is None:
            return stockroom.stocks.values()
        return [stock for one in named for balance in stockroom.balances(one) for stock in balance.records]

    def transactions(where: Where) -> Iterable[Any]:
        since = where.get("created_at", {}).get("from")
        rows = stockroom.transactions
        return rows if since is None else rows[bisect_left(rows, since, key=lambda t: t.created_at) :]

    return {
        "stock_balances": Root(
            "StockBalancesFilterType",
            {
                "available": _number("available"),
                "allocated": _number("allocated"),
                "ordered": lambda b: 0.0,
                "received": _number("received"),
                "picked": _number("picked"),
                "product": product,
                "account": owner,
                "warehouse": Nested(lambda b: b.warehouse, _ID),
            },
            {
                **common,
                "product_code": _string(lambda b: b.product.code),
                "warehouse_id": _ident(lambda b: b.warehouse.id),
                "available": _decimal(lambda b: b.available),
                "allocated": _decimal(lambda b: b.allocated),
                "picked": _decimal(lambda b: b.picked),
            },
            balances,
        ),
        "stocks": Root(
            "StockFilterType",
            {
                "id": _id,
                "quantity": _number("quantity"),
                "status": lambda s: s.status,
                "fifo_date": lambda s: iso(s.fifo_at),
                "product": product,
                "location": Nested(lambda s: s.location, _CODED),
                "account": owner,
                "storage_unit": Nested(_none, {"id": _id, "reference": _none}),
            },
            {
                **common,
                "product_code": _string(lambda s: s.product.code),
                "warehouse_id": _ident(lambda s: s.location.warehouse.id),
                "location_id": _ident(lambda s: s.location.id),
                "location_code": _string(lambda s: s.location.code),
                "storage_unit_id": _ident(_none),
                "status": _string(lambda s: s.status),
                "quantity": _decimal(lambda s: s.quantity),
                "fifo_date": _time(lambda s: s.fifo_at),
            },
            stocks,
        ),
        "transactions": Root(
            "TransactionFilterType",
            {
                "id": _id,
                "subtype": lambda t: t.subtype,
                "category": lambda t: t.subtype,
                "quantity": _number("quantity"),
                "created_at": lambda t: iso(t.created_at),
                "product": product,
                "account": owner,
                "location_from": Nested(lambda t: t.location_from, _CODED),
                "location_to": Nested(lambda t: t.location_to, _CODED),
                "completing_user": Nested(_none, _ID),
            },
            {
                **common,
                "subtype": Filter("EnumInputType", lambda t: t.subtype),
                "category": _string(lambda t: t.subtype),
                "warehouse_id": _ident(lambda t: t.warehouse.id),
                "created_at": _time(lambda t: t.created_at),
                "goods_out_id": _ident(lambda t: t.goods_out_id),
                "location_from_id": _ident(lambda t: t.location_from and t.location_from.id),
                "location_to_id": _ident(lambda t: t.location_to and t.location_to.id),
            },
            transactions,
            {"include_archived": "Boolean"},
        ),
    }


def _order_roots(tenant: Tenant) -> dict[str, Root]:
    account, book = tenant.account, tenant.book

    def orders(where: Where) -> Iterable[Any]:
        references = _wanted(where, "reference")
        return list(book.orders.values()) if references is None else book.with_reference(references)

    def lines(where: Where) -> Iterable[Any]:
        if (ids := _wanted(where, "goods_out_id")) is not None:
            known = [book.orders[int(n)] for n in ids if int(n) in book.orders]
            return [line for order in known for line in order.lines]
        products, statuses = _wanted(where, "product_id"), _wanted(where, "goods_out_status_code")
        if products is None:
            return list(book.lines.values())
        found = book.lines_of((int(n) for n in products), statuses or STATUS_NAMES)
        return sorted(found, key=lambda line: line.id)

    def warehouse_id(order: Any) -> int | None:
        return None if order.warehouse is None else order.warehouse.id

    def carrier_id(order: Any) -> int | None:
        return None if order.carrier is None else order.carrier.id

    return {
        "goods_outs": Root(
            "GoodsOutsFilterType",
            {
                "id": _id,
                "reference": lambda o: o.reference,
                "priority": lambda o: o.attributes.get("priority"),
                "expected_date_of_dispatch": lambda o: o.attributes["expected_date_of_dispatch"][:10],
                "goods_out_status": Nested(
                    lambda o: o.status, {"code": str, "name": lambda status: STATUS_NAMES[status]}
                ),
                "account": Nested(lambda o: o.account, _CODED),
                "warehouse": Nested(lambda o: o.warehouse, _CODED),
                "carrier": Nested(lambda o: o.carrier, _CODED),
            },
            {
                "reference": _string(lambda o: o.reference),
                "goods_out_status_code": _string(lambda o: o.status),
                "account_id": _ident(lambda o: account.id),
                "warehouse_id": _ident(warehouse_id),
                "carrier_id": _ident(carrier_id),
                "expected_date_of_dispatch": _time(lambda o: None),
            },
            orders,
        ),
        "goods_out_lines": Root(
            "GoodsOutLineFilterType",
            {
                "id": _id,
                "order_quantity": _number("ordered"),
                "allocated_quantity": _number("allocated"),
                "pick_quantity": _number("picked"),
                "dispatch_quantity": _number("despatched"),
                "short_status": lambda line: "SHORT" if line.short else "",
                "product": Nested(lambda line: line.product, _CODED),
                "goods_out": Nested(lambda line: line.order, {"id": _id, "reference": lambda o: o.reference}),
                "carrier": Nested(lambda line: line.order.carrier, _ID),
            },
            {
                "goods_out_id": _ident(lambda line: line.order.id),
                "product_id": _ident(lambda line: line.product.id),
                "account_id": _ident(lambda line: account.id),
                "warehouse_id": _ident(lambda line: warehouse_id(line.order)),
                "goods_out_status_code": Filter("EnumInputType", lambda line: line.order.status),
                "carrier_id": _ident(lambda line: carrier_id(line.order)),
                "order_quantity": _decimal(lambda line: line.ordered),
                "pick_quantity": _decimal(lambda line: line.picked),
                "created_at": _time(lambda line: line.created_at),
            },
            lines,
        ),
        "pick_processing_requests": Root(
            "PickProcessingRequestFilterType",
            {
                "status": lambda r: r.status,
                "process_reference": lambda r: r.reference,
                "message": lambda r: r.message,
                "goods_out": Nested(lambda r: r.order, {"id": _id, "reference": lambda o: o.reference}),
                "created_at": lambda r: iso(r.created_at),
            },
            {
                "goods_out_id": _ident(lambda r: r.order.id),
                "goods_out_reference": _string(lambda r: r.order.reference),
                "status": Filter("EnumInputType", lambda r: r.status),
                "process_reference": _string(lambda r: r.reference),
                "created_at": _time(lambda r: r.created_at),
                "updated_at": _time(lambda r: r.updated_at),
            },
            lambda where: list(tenant.pick_requests.values()),
        ),
    }


def _parcel_roots(tenant: Tenant) -> dict[str, Root]:
    book = tenant.book
    return {
        "shipments": Root(
            "ShipmentFilterType",
            {
                "id": _id,
                "reference": lambda s: s.reference,
                "name": lambda s: s.reference,
                "status": lambda s: "dispatched",
                "delivery_notes": lambda s: s.order.attributes.get("delivery_notes"),
                "label_filename": _none,
                "packages_count": lambda s: 1,
                "carrier": Nested(lambda s: s.order.carrier, _NAMED),
                "carrier_service": Nested(lambda s: s.order.service, _NAMED),
                "warehouse": Nested(lambda s: s.order.warehouse, _NAMED),
            },
            {
                "reference": _string(lambda s: s.reference),
                "status": _string(lambda s: "dispatched"),
                "carrier_id": _ident(lambda s: s.order.carrier and s.order.carrier.id),
                "warehouse_id": _ident(lambda s: s.order.warehouse and s.order.warehouse.id),
                "goods_out_id": _ident(lambda s: s.order.id),
            },
            lambda where: list(book.shipments.values()),
        ),
        "packages": Root(
            "PackageFilterType",
            {
                "id": _id,
                "tracking_number": lambda p: p.tracking,
                "shipment": Nested(lambda p: p.shipment, {"id": _id, "reference": lambda s: s.reference}),
                "storage_unit_type": Nested(_none, _CODED),
            },
            {
                "shipment_id": _ident(lambda p: p.shipment.id),
                "shipment_reference": _string(lambda p: p.shipment.reference),
                "storage_unit_id": _ident(_none),
                "storage_unit_type_code": _string(_none),
                "tracking_number": _string(lambda p: p.tracking),
            },
            lambda where: list(book.packages.values()),
        ),
    }
