"""Goods-in receipts over REST in the simulated Clarus (fact sheet 8.1): create, and delete while pending."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.simulators.clarus import rules
from app.simulators.clarus.model import Product
from app.simulators.clarus.office import Missing, Office, answer


class ReceiptDesk:
    """The operations on receipts."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def create(self, request: Request, body: Any) -> Response:
        data = rules.envelope(body, "goods_in_receipts")
        attributes = rules.check(data["attributes"], rules.RECEIPT, rules.RECEIPT_REQUIRED)
        office = self._office
        if attributes["account_id"] != office.account.id:
            raise rules.invalid("account_id", "is not known")
        warehouse = next((w for w in office.stockroom.warehouses.values() if w.id == attributes["warehouse_id"]), None)
        if warehouse is None:
            raise rules.invalid("warehouse_id", "is not known")
        lines = [self._addition(change) for change in attributes.pop("lines_changes", [])]
        made = office.receipts.create(office.account, warehouse, attributes, lines)
        return answer({"data": {"id": made.id, "type": "goods_in_receipts", "attributes": made.attributes}})

    def delete(self, request: Request, body: Any) -> Response:
        receipt = self._office.receipts.all.get(request.path_params["id"])
        if receipt is None:
            raise Missing(f"goods-in receipt {request.path_params['id']} does not exist")
        if receipt.status != "pending":
            raise Missing(f"goods-in receipt {receipt.reference} is {receipt.status}: no 422 is described for that")
        del self._office.receipts.all[receipt.id]
        return Response(status_code=204)

    def _addition(self, change: Any) -> tuple[Product, int]:
        if not isinstance(change, dict) or change.get("type") != "ADD":
            raise rules.invalid("lines_changes", "of a new line must have type ADD")
        given = rules.check(change.get("attributes"), rules.RECEIPT_LINE, ("product_id", "expected_quantity"))
        product = self._office.stockroom.products_by_id.get(given["product_id"])
        if product is None:
            raise rules.invalid("product_id", "is not known")
        return product, rules.whole(given["expected_quantity"])
