"""Tells a storefront's people what the warehouse did not take of a change or cancel, and when that is over. Pure.

The storefront shows the order as it was changed there; without a word nobody there would know that something else leaves the warehouse.
"""

from typing import Final

from schemas.records import NoteOrder
from tables.orders.lifecycle import AT_WAREHOUSE, Event
from tables.orders.rows import OrderRow
from tables.orders.rules import Rules

CANCELLED: Final = "settled: the warehouse has cancelled it"
SETTLED: Final = "settled: the warehouse has the order as it stands here, or somebody saw to it"


def telling(row: OrderRow, rules: Rules) -> list[NoteOrder]:
    """A command where what `late_change` says of the order is not what its storefront was told last; nothing where the channel is told nothing."""
    late = row.exceptions.get("late_change")
    text = late.detail if late is not None else ""
    if text == row.told or row.channel not in rules.told:
        return []
    row.told = text
    gone = row.wms_status and AT_WAREHOUSE[row.wms_status] is Event.GONE
    return [
        NoteOrder(
            channel=row.channel,
            order_id=row.order_id,
            number=row.number,
            version=row.revision,
            text=text or (CANCELLED if gone else SETTLED),
            open=bool(text),
        )
    ]
