"""The GraphQL schema of goods-in receipts in the simulated Clarus (fact sheet 2.2)."""

from collections.abc import Iterable
from typing import Any

from app.simulators.clarus.execute import Fields, Many, Nested, Root, Where
from app.simulators.clarus.schema import (
    CODED,
    NAMED,
    Tenant,
    id_filter,
    ident_of,
    nothing,
    text_filter,
    time_filter,
    wanted,
)


def receipt_roots(tenant: Tenant, lines: str) -> dict[str, Root]:
    """Receipts. `lines` names the undocumented field that lists a receipt's lines; empty: this tenant has none."""
    account, book = tenant.account, tenant.receipts
    held: Fields = {
        "quantity_received": lambda line: float(line.received),
        "integer1": lambda line: line.inspected["restock"],
        "integer2": lambda line: line.inspected["quarantine"],
        "integer3": lambda line: line.inspected["scrap"],
        "product": Nested(lambda line: line.product, CODED),
    }

    def receipts(where: Where) -> Iterable[Any]:
        references = wanted(where, "reference")
        return list(book.all.values()) if references is None else list(book.with_reference(references))

    return {
        "goods_in_receipts": Root(
            "InboundGoodFilterType",
            {
                "id": ident_of,
                "reference": lambda r: r.reference,
                "status": lambda r: r.status,
                "receipt_type": lambda r: "standard",
                "expected_date_of_receipt": nothing,
                "actual_date_of_receipt": nothing,
                "notes": lambda r: r.attributes.get("notes"),
                "account": Nested(lambda r: r.account, NAMED),
                "warehouse": Nested(lambda r: r.warehouse, NAMED),
                **({lines: Many(lambda r: r.lines, held)} if lines else {}),
            },
            {
                "reference": text_filter(lambda r: r.reference),
                "status": text_filter(lambda r: r.status),
                "account_id": id_filter(lambda r: account.id),
                "warehouse_id": id_filter(lambda r: r.warehouse.id),
                "expected_date_of_receipt": time_filter(lambda r: None),
            },
            receipts,
        )
    }
