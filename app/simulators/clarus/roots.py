"""The GraphQL schema of the simulated Clarus: the documented fields and filters of every root it has (fact sheet 2.2), and nothing besides.

Here reference data and stock; orders and parcels in `order_roots`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

from app.simulators.clarus.execute import Filter, Nested, Root, Where
from app.simulators.clarus.model import iso
from app.simulators.clarus.order_roots import order_roots, parcel_roots
from app.simulators.clarus.receipt_roots import receipt_roots
from app.simulators.clarus.schema import (
    CODED,
    ID_FIELDS,
    NAMED,
    Tenant,
    code_of,
    decimal_filter,
    figure,
    id_filter,
    ident_of,
    named_products,
    nothing,
    text_filter,
    time_filter,
    wanted,
)


def make_roots(tenant: Tenant, package_contents: str, product_weight: str, receipt_lines: str) -> Mapping[str, Root]:
    """All roots. Three names are undocumented fields, empty for none: a package's that lists what is in it, a product's with its weight, a receipt's that lists
    its lines."""
    return {
        **_reference_roots(tenant, product_weight),
        **_stock_roots(tenant),
        **order_roots(tenant),
        **parcel_roots(tenant, package_contents),
        **receipt_roots(tenant, receipt_lines),
    }


def _reference_roots(tenant: Tenant, product_weight: str) -> dict[str, Root]:
    account, stockroom = tenant.account, tenant.stockroom

    def products(where: Where) -> Iterable[Any]:
        codes = wanted(where, "code")
        if codes is None:
            return stockroom.products.values()
        return [stockroom.products[code] for code in codes if code in stockroom.products]

    return {
        "accounts": Root(
            "AccountFilterType",
            {
                **NAMED,
                "is_short_pickable": lambda a: a.is_short_pickable,
                "external_system_reference1": nothing,
                "vat_number": nothing,
            },
            {
                "code": text_filter(code_of),
                "name": text_filter(lambda a: a.name),
                "warehouse_id": id_filter(nothing),
                "is_short_pickable": Filter("BooleanInputType", lambda a: a.is_short_pickable),
            },
            lambda where: [account],
        ),
        "warehouses": Root(
            "WarehouseFilterType",
            {**NAMED, "consolidate_pick_enabled": lambda w: False, "opening_times_enabled": lambda w: False},
            {"code": text_filter(code_of), "name": text_filter(lambda w: w.name), "site_id": id_filter(nothing)},
            lambda where: stockroom.warehouses.values(),
        ),
        "locations": Root(
            "LocationsFilterType",
            {**CODED, "active": lambda x: True, "warehouse": Nested(lambda x: x.warehouse, NAMED)},
            {"code": text_filter(code_of), "warehouse_code": text_filter(lambda x: x.warehouse.code)},
            lambda where: stockroom.locations.values(),
        ),
        "products": Root(
            "ProductsFilterType",
            {
                **CODED,
                "barcode": lambda p: p.barcode or None,
                "description": code_of,
                "long_description": nothing,
                "product_type": lambda p: "bill_of_materials" if p.materials else "standard",
                "units_per_case": lambda p: p.units_per_case,
                **({product_weight: lambda p: p.grams} if product_weight else {}),
            },
            {
                "code": text_filter(code_of),
                "barcode": text_filter(lambda p: p.barcode),
                "all_codes": text_filter(code_of),
                "description": text_filter(code_of),
                "account_id": id_filter(lambda p: account.id),
                "product_type": text_filter(lambda p: "standard"),
            },
            products,
        ),
        "product_materials": Root(
            "ProductMaterialFilterType",
            {
                "id": lambda m: f"{m[0].id}-{m[1].id}",
                "quantity": lambda m: float(m[2]),
                "parent_product": Nested(lambda m: m[0], CODED),
                "child_product": Nested(lambda m: m[1], CODED),
            },
            {
                "parent_product_id": id_filter(lambda m: m[0].id),
                "child_product_id": id_filter(lambda m: m[1].id),
                "parent_product_code": text_filter(lambda m: m[0].code),
                "child_product_code": text_filter(lambda m: m[1].code),
                "quantity": decimal_filter(lambda m: m[2]),
            },
            lambda where: [(p, part, n) for p in stockroom.products.values() for part, n in p.materials],
        ),
        "carriers": Root(
            "CarrierFilterType",
            {**NAMED, "active": lambda c: True, "carrier_type": lambda c: "custom"},
            {
                "code": text_filter(code_of),
                "name": text_filter(lambda c: c.name),
                "active": Filter("BooleanInputType", lambda c: True),
            },
            lambda where: tenant.carriers.values(),
        ),
        "carrier_services": Root(
            "CarrierServiceFilterType",
            {
                **NAMED,
                "active": lambda s: True,
                "is_default": lambda s: False,
                "carrier": Nested(lambda s: s.carrier, CODED),
            },
            {
                "code": text_filter(code_of),
                "name": text_filter(lambda s: s.name),
                "active": Filter("BooleanInputType", lambda s: True),
                "carrier_id": id_filter(lambda s: s.carrier.id),
                "carrier_code": text_filter(lambda s: s.carrier.code),
            },
            lambda where: tenant.services.values(),
        ),
        "customers": Root(
            "CustomerFilterType",
            {**NAMED, **dict.fromkeys(("shelf_life_min", "shelf_life_max", "external_system_reference1"), nothing)},
            {
                "code": text_filter(code_of),
                "name": text_filter(lambda c: c.name),
                "external_system_reference1": text_filter(nothing),
            },
            lambda where: tenant.customers.values(),
        ),
        "order_types": Root(
            "OrderTypeFilterType",
            {**NAMED, "duty_payable": lambda t: False},
            {
                "code": text_filter(code_of),
                "name": text_filter(lambda t: t.name),
                "duty_payable": Filter("BooleanInputType", lambda t: False),
                "created_at": time_filter(nothing),
            },
            lambda where: tenant.order_types.values(),
        ),
        "automations": Root(
            "AutomationFilterType",
            {
                "id": ident_of,
                "name": lambda a: a.name,
                "resource_name": lambda a: a.resource,
                "event": lambda a: a.event,
                "enabled": lambda a: a.enabled,
                "integration_id": nothing,
                "created_at": lambda a: iso(a.created_at),
            },
            {
                "name": text_filter(lambda a: a.name),
                "resource_name": Filter("SingleEnumInputType", lambda a: a.resource),
                "event": Filter("SingleEnumInputType", lambda a: a.event),
                "enabled": Filter("BooleanInputType", lambda a: a.enabled),
                "integration_id": id_filter(nothing),
                "created_at": time_filter(lambda a: a.created_at),
            },
            lambda where: tenant.automations.values(),
        ),
    }


def _stock_roots(tenant: Tenant) -> dict[str, Root]:
    account, stockroom = tenant.account, tenant.stockroom
    product, owner = Nested(lambda row: row.product, CODED), Nested(lambda row: account, CODED)
    common = {
        "product_id": id_filter(lambda row: row.product.id),
        "account_id": id_filter(lambda row: account.id),
    }

    def balances(where: Where) -> Iterable[Any]:
        named = named_products(tenant, where)
        if named is None:
            return stockroom.balances()
        return [balance for one in named for balance in stockroom.balances(one)]

    def stocks(where: Where) -> Iterable[Any]:
        named = named_products(tenant, where)
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
                "available": figure("available"),
                "allocated": figure("allocated"),
                "ordered": lambda b: 0.0,
                "received": figure("received"),
                "picked": figure("picked"),
                "product": product,
                "account": owner,
                "warehouse": Nested(lambda b: b.warehouse, ID_FIELDS),
            },
            {
                **common,
                "product_code": text_filter(lambda b: b.product.code),
                "warehouse_id": id_filter(lambda b: b.warehouse.id),
                "available": decimal_filter(lambda b: b.available),
                "allocated": decimal_filter(lambda b: b.allocated),
                "picked": decimal_filter(lambda b: b.picked),
            },
            balances,
        ),
        "stocks": Root(
            "StockFilterType",
            {
                "id": ident_of,
                "quantity": figure("quantity"),
                "status": lambda s: s.status,
                "fifo_date": lambda s: iso(s.fifo_at),
                "product": product,
                "location": Nested(lambda s: s.location, CODED),
                "account": owner,
                "storage_unit": Nested(nothing, {"id": ident_of, "reference": nothing}),
            },
            {
                **common,
                "product_code": text_filter(lambda s: s.product.code),
                "warehouse_id": id_filter(lambda s: s.location.warehouse.id),
                "location_id": id_filter(lambda s: s.location.id),
                "location_code": text_filter(lambda s: s.location.code),
                "storage_unit_id": id_filter(nothing),
                "status": text_filter(lambda s: s.status),
                "quantity": decimal_filter(lambda s: s.quantity),
                "fifo_date": time_filter(lambda s: s.fifo_at),
            },
            stocks,
        ),
        "transactions": Root(
            "TransactionFilterType",
            {
                "id": ident_of,
                "subtype": lambda t: t.subtype,
                "category": lambda t: t.subtype,
                "quantity": figure("quantity"),
                "created_at": lambda t: iso(t.created_at),
                "product": product,
                "account": owner,
                "location_from": Nested(lambda t: t.location_from, CODED),
                "location_to": Nested(lambda t: t.location_to, CODED),
                "completing_user": Nested(nothing, ID_FIELDS),
            },
            {
                **common,
                "subtype": Filter("EnumInputType", lambda t: t.subtype),
                "category": text_filter(lambda t: t.subtype),
                "warehouse_id": id_filter(lambda t: t.warehouse.id),
                "created_at": time_filter(lambda t: t.created_at),
                "goods_out_id": id_filter(lambda t: t.goods_out_id),
                "location_from_id": id_filter(lambda t: t.location_from and t.location_from.id),
                "location_to_id": id_filter(lambda t: t.location_to and t.location_to.id),
            },
            transactions,
            {"include_archived": "Boolean"},
        ),
    }
