"""Money of a commercetools order in another currency than its own is in no sum, and the currency is named."""

from typing import Any

from app.connectors.commercetools import payments


def moved(kind: str, cents: int, currency: str = "EUR", state: str = "Success") -> dict[str, Any]:
    amount = {"centAmount": cents, "currencyCode": currency, "fractionDigits": 2}
    return {"id": f"{kind}{cents}", "type": kind, "state": state, "amount": amount}


def test_a_second_currency_is_named_and_not_counted() -> None:
    found = [moved("Charge", 1000), moved("Charge", 900, "USD"), moved("Refund", 100), moved("Authorization", 5, "GBP")]
    order = {
        "totalPrice": {"centAmount": 2000, "currencyCode": "EUR", "fractionDigits": 2},
        "paymentInfo": {"payments": [{"id": "p", "obj": {"transactions": found}}]},
    }
    amounts = payments.read(order)
    assert (amounts.captured, amounts.refunded, amounts.foreign) == (1000, 100, ["USD"])
    assert payments.read({"totalPrice": order["totalPrice"]}).foreign == []
