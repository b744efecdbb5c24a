"""What notifications of a commercetools subscription mean."""

import json
from typing import Any

import pytest

from app.connectors.commercetools import CommercetoolsIntake
from app.connectors.commercetools.settings import CommercetoolsSettings
from schemas.records import FetchOrder, OrderSnapshot, RawNotification, ReadStock
from tests.unit.commercetools.test_orders import line, order


def message(kind: str = "OrderCreated", **changed: Any) -> dict[str, Any]:
    return {
        "notificationType": "Message",
        "projectKey": "shop",
        "id": "m1",
        "resource": {"typeId": "order", "id": "o1"},
        "type": kind,
    } | changed


def parse(envelope: Any, **changed: Any) -> list[OrderSnapshot | FetchOrder | ReadStock]:
    intake = CommercetoolsIntake("ct", CommercetoolsSettings(system="commercetools", project_key="shop", **changed))
    return intake.parse(RawNotification(channel="ct", route="kafka", headers={}, body=json.dumps(envelope).encode()))


FETCH = [FetchOrder(channel="ct", order_id="o1")]


@pytest.mark.parametrize("kind", ["OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder"])
def test_messages_with_the_whole_order_are_taken_as_it(kind: str) -> None:
    (found,) = parse(message(kind, order=order()))
    assert isinstance(found, OrderSnapshot)
    assert (found.order_id, found.version) == ("o1", 4)


def test_the_same_as_a_cloud_event() -> None:
    event = {"specversion": "1.0", "id": "m1", "type": "com.commercetools.order.message.OrderCreated"}
    assert parse(event | {"data": message(order=order())}) == parse(message(order=order()))


@pytest.mark.parametrize(
    "envelope",
    [
        message("OrderStateChanged", orderState="Cancelled"),
        message("OrderEditApplied"),
        message("SomethingNew"),
        message("OrderCreated", payloadNotIncluded={"reason": "too large", "payloadType": "OrderCreated"}),
        message(notificationType="ResourceUpdated", version=3),
        message(notificationType="ResourceDeleted", version=3),
    ],
)
def test_all_else_about_an_order_is_fetched(envelope: dict[str, Any]) -> None:
    assert parse(envelope) == FETCH


def test_an_order_from_a_supply_channel_is_fetched_unless_its_key_is_known() -> None:
    envelope = message(order=order(lineItems=[line(supplyChannel={"typeId": "channel", "id": "c1"})]))
    assert parse(envelope) == FETCH
    (found,) = parse(envelope, supply_channels={"WH": "c1"})
    assert isinstance(found, OrderSnapshot)
    assert found.lines[0].location == "WH"


@pytest.mark.parametrize(
    "envelope",
    [
        {
            "notificationType": "ResourceCreated",
            "projectKey": "shop",
            "resource": {"typeId": "subscription", "id": "s"},
        },
        message(resource={"typeId": "payment", "id": "p1"}),
        message(projectKey="another"),
        message(notificationType="Event"),
        {},
    ],
)
def test_what_is_not_about_our_orders_means_nothing(envelope: dict[str, Any]) -> None:
    assert parse(envelope) == []


def test_an_order_message_without_its_id_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="without its id"):
        parse(message(resource={"typeId": "order"}))


def test_an_order_that_is_not_as_documented_says_so_and_one_without_a_time_cannot_be_read() -> None:
    broken = order()
    del broken["version"]
    (seen,) = parse(message(order=broken))
    assert isinstance(seen, OrderSnapshot) and "version" in seen.faults["poison_record"]
    del broken["lastModifiedAt"]
    with pytest.raises(ValueError, match="lastModifiedAt"):
        parse(message(order=broken))
