"""The orders that are fed mean to our intake what they shall mean."""

from app.connectors.commercetools import CommercetoolsIntake
from app.connectors.commercetools.settings import CommercetoolsSettings
from bench.order_traffic import Orders
from schemas.records import OrderSnapshot, RawNotification


def meaning(body: bytes) -> OrderSnapshot:
    intake = CommercetoolsIntake("ct", CommercetoolsSettings(system="commercetools", project_key="drill"))
    [found] = intake.parse(RawNotification(channel="ct", route="kafka", headers={}, body=body))
    assert isinstance(found, OrderSnapshot)
    return found


def test_every_order_is_another_whole_order_of_one_tracked_line() -> None:
    orders = Orders()
    first, second = meaning(orders.next("A", 4, True)), meaning(orders.next("B", 1, False))
    assert [(line.sku, line.quantity, line.tracked) for line in (*first.lines, *second.lines)] == [
        ("A", 4, True),
        ("B", 1, True),
    ]
    assert (first.paid, second.paid) == (True, False)
    assert first.order_id != second.order_id
    assert first.number != second.number
    assert first.created_at <= second.created_at
    assert first.address is not None
