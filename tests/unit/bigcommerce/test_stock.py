"""What a level tells of whether the store refuses to sell what it does not show."""

from typing import Any

import pytest

from app.connectors.bigcommerce.stock import unguarded


@pytest.mark.parametrize(
    ("level", "word"),
    [
        (None, ""),
        ({"total_inventory_onhand": 3, "settings": {"safety_stock": 0}}, ""),
        ({"settings": {"backorder_limit": 0}}, ""),
        ({"settings": {"backorder_limit": 5}}, "backorder_limit 5"),
        ({"backorder_limit": 2, "settings": None}, "backorder_limit 2"),
    ],
)
def test_back_orders_are_a_reason(level: dict[str, Any] | None, word: str) -> None:
    found = unguarded(level)
    assert bool(found) is bool(word) and word in found
