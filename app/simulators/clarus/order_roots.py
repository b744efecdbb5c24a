"""The GraphQL schema of goods outs, pick requests, shipments and packages in the simulated Clarus (fact sheet 2.2)."""

from collections.abc import Iterable
from typing import Any

from app.simulators.clarus.execute import Fields, Filter, Many, Nested, Root, Where
from app.simulators.clarus.model import STATUS_NAMES, iso
from app.simulators.clarus.schema import (
    CODED,
    ID_FIELDS,
    NAMED,
    Tenant,
    decimal_filter,
    figure,
    id_filter,
    ident_of,
    nothing,
    text_filter,
    time_filter,
    wanted,
)


def order_roots(tenant: Tenant) -> dict[str, Root]:
    """Goods outs, their lines and their pick requests."""
    account, book = tenant.account, tenant.book

    def orders(where: Where) -> Iterable[Any]:
        references = wanted(where, "reference")
        return list(book.orders.values()) if references is None else book.with_reference(references)

    def lines(where: Where) -> Iterable[Any]:
        if (ids := wanted(where, "goods_out_id")) is not None:
            known = [book.orders[int(n)] for n in ids if int(n) in book.orders]
            return [line for order in known for line in order.lines]
        products, statuses = wanted(where, "product_id"), wanted(where, "goods_out_status_code")
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
                "id": ident_of,
                "reference": lambda o: o.reference,
                "priority": lambda o: o.attributes.get("priority"),
                "expected_date_of_dispatch": lambda o: o.attributes["expected_date_of_dispatch"][:10],
                "goods_out_status": Nested(
                    lambda o: o.status, {"code": str, "name": lambda status: STATUS_NAMES[status]}
                ),
                "account": Nested(lambda o: o.account, CODED),
                "warehouse": Nested(lambda o: o.warehouse, CODED),
                "carrier": Nested(lambda o: o.carrier, CODED),
            },
            {
                "reference": text_filter(lambda o: o.reference),
                "goods_out_status_code": text_filter(lambda o: o.status),
                "account_id": id_filter(lambda o: account.id),
                "warehouse_id": id_filter(warehouse_id),
                "carrier_id": id_filter(carrier_id),
                "expected_date_of_dispatch": time_filter(lambda o: None),
            },
            orders,
        ),
        "goods_out_lines": Root(
            "GoodsOutLineFilterType",
            {
                "id": ident_of,
                "order_quantity": figure("ordered"),
                "allocated_quantity": figure("allocated"),
                "pick_quantity": figure("picked"),
                "dispatch_quantity": figure("despatched"),
                "short_status": lambda line: "SHORT" if line.short else "",
                "product": Nested(lambda line: line.product, CODED),
                "goods_out": Nested(lambda line: line.order, {"id": ident_of, "reference": lambda o: o.reference}),
                "carrier": Nested(lambda line: line.order.carrier, ID_FIELDS),
            },
            {
                "goods_out_id": id_filter(lambda line: line.order.id),
                "product_id": id_filter(lambda line: line.product.id),
                "account_id": id_filter(lambda line: account.id),
                "warehouse_id": id_filter(lambda line: warehouse_id(line.order)),
                "goods_out_status_code": Filter("EnumInputType", lambda line: line.order.status),
                "carrier_id": id_filter(lambda line: carrier_id(line.order)),
                "order_quantity": decimal_filter(lambda line: line.ordered),
                "pick_quantity": decimal_filter(lambda line: line.picked),
                "created_at": time_filter(lambda line: line.created_at),
            },
            lines,
        ),
        "pick_processing_requests": Root(
            "PickProcessingRequestFilterType",
            {
                "status": lambda r: r.status,
                "process_reference": lambda r: r.reference,
                "message": lambda r: r.message,
                "goods_out": Nested(lambda r: r.order, {"id": ident_of, "reference": lambda o: o.reference}),
                "created_at": lambda r: iso(r.created_at),
            },
            {
                "goods_out_id": id_filter(lambda r: r.order.id),
                "goods_out_reference": text_filter(lambda r: r.order.reference),
                "status": Filter("EnumInputType", lambda r: r.status),
                "process_reference": text_filter(lambda r: r.reference),
                "created_at": time_filter(lambda r: r.created_at),
                "updated_at": time_filter(lambda r: r.updated_at),
            },
            lambda where: list(tenant.pick_requests.values()),
        ),
    }


def parcel_roots(tenant: Tenant, contents: str) -> dict[str, Root]:
    """Shipments and packages. `contents` names the undocumented field of a package that lists what is in it; empty: this tenant has none."""
    book = tenant.book
    held: Fields = {"quantity": lambda entry: float(entry[1]), "product": Nested(lambda entry: entry[0], CODED)}

    def shipments(where: Where) -> Iterable[Any]:
        if (ids := wanted(where, "goods_out_id")) is not None:
            return [s for n in ids if str(n).isdecimal() for s in book.shipments_of(int(n))]
        return list(book.shipments.values())

    def packages(where: Where) -> Iterable[Any]:
        if (ids := wanted(where, "shipment_id")) is not None:
            return [p for n in ids if str(n).isdecimal() for p in book.packages_of(int(n))]
        return list(book.packages.values())

    return {
        "shipments": Root(
            "ShipmentFilterType",
            {
                "id": ident_of,
                "reference": lambda s: s.reference,
                "name": lambda s: s.reference,
                "status": lambda s: "dispatched",
                "delivery_notes": lambda s: s.order.attributes.get("delivery_notes"),
                "label_filename": nothing,
                "packages_count": lambda s: 1,
                "carrier": Nested(lambda s: s.order.carrier, NAMED),
                "carrier_service": Nested(lambda s: s.order.service, NAMED),
                "warehouse": Nested(lambda s: s.order.warehouse, NAMED),
            },
            {
                "reference": text_filter(lambda s: s.reference),
                "status": text_filter(lambda s: "dispatched"),
                "carrier_id": id_filter(lambda s: s.order.carrier and s.order.carrier.id),
                "warehouse_id": id_filter(lambda s: s.order.warehouse and s.order.warehouse.id),
                "goods_out_id": id_filter(lambda s: s.order.id),
            },
            shipments,
        ),
        "packages": Root(
            "PackageFilterType",
            {
                "id": ident_of,
                "tracking_number": lambda p: p.tracking,
                "shipment": Nested(lambda p: p.shipment, {"id": ident_of, "reference": lambda s: s.reference}),
                "storage_unit_type": Nested(nothing, CODED),
                **({contents: Many(lambda p: p.contents, held)} if contents else {}),
            },
            {
                "shipment_id": id_filter(lambda p: p.shipment.id),
                "shipment_reference": text_filter(lambda p: p.shipment.reference),
                "storage_unit_id": id_filter(nothing),
                "storage_unit_type_code": text_filter(nothing),
                "tracking_number": text_filter(lambda p: p.tracking),
            },
            packages,
        ),
    }
