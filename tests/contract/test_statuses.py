"""Every status that a vendor documents has a meaning here: the vendors' own lists, against our tables."""

import json
import re

import pytest

from app.connectors.bigcommerce.statuses import HOLDS, MEANINGS
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.commercetools.statuses import ORDER_STATES, PAYMENT_STATES
from tables.orders.lifecycle import AT_WAREHOUSE, Meaning
from tests.support.openapi import vendor_file


@pytest.mark.parametrize(("name", "meanings"), [("OrderState", ORDER_STATES), ("PaymentState", PAYMENT_STATES)])
def test_every_state_of_commercetools_has_a_meaning(name: str, meanings: dict[str, Meaning]) -> None:
    text = vendor_file("commercetools.openapi.yaml").read_text(encoding="utf-8")
    listed = re.search(rf'\n    {name}:\n      type: "string"\n      enum:\n((?:        - \w+\n)+)', text)
    assert listed is not None
    assert set(re.findall(r"- (\w+)", listed[1])) == set(meanings)


def test_every_status_of_bigcommerce_has_a_meaning() -> None:
    text = vendor_file("bigcommerce.orders.v2.oas2.yml").read_text(encoding="utf-8")
    table = text[text.index("**Order Status Descriptions") : text.index("operationId: getOrderStatuses")]
    listed = {int(number) for number in re.findall(r"^\s*\|\s*(\d+)\s*\|\s*[A-Z]", table, re.MULTILINE)}
    assert listed == set(MEANINGS)
    assert {status for status, meaning in MEANINGS.items() if meaning is Meaning.HOLD} == set(HOLDS)


def test_every_status_of_clarus_leads_to_a_state() -> None:
    text = vendor_file("clarus.openapi.json").read_text(encoding="utf-8")
    described = json.loads(text)["components"]["schemas"]["GoodsOutStatusId"]["description"]
    listed = re.findall(r"\d+=([A-Z_]+)", described)
    renamed = ClarusSettings.model_fields["statuses"].get_default(call_default_factory=True)
    assert len(listed) >= 8
    assert {renamed.get(code, code) for code in listed} <= set(AT_WAREHOUSE)
