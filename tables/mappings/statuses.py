"""What a mapped order status makes of an order: the mapping says it, whatever the connector makes of the status by itself. Pure."""

from collections.abc import Mapping

import msgspec

from schemas.records import OrderSnapshot
from tables.orders.lifecycle import Meaning

Meanings = Mapping[tuple[str, str], str]
"""Channel and status, as the channel writes it, to a `Meaning`."""


def meant(seen: OrderSnapshot, meanings: Meanings) -> OrderSnapshot:
    """The order with the meaning that its status is mapped to; the same one where it is not mapped."""
    means = meanings.get((seen.channel, seen.status))
    match means:
        case Meaning.WAIT:
            return msgspec.structs.replace(seen, paid=False, agreed=False, unmapped=False)
        case Meaning.WANTED:
            return msgspec.structs.replace(seen, paid=True, unmapped=False, hold="")
        case Meaning.HOLD:
            return msgspec.structs.replace(seen, unmapped=False, hold=f"status {seen.status!r} is mapped to hold")
        case Meaning.SENT:
            excluded = seen.excluded or f"status {seen.status!r} is mapped to sent"
            return msgspec.structs.replace(seen, unmapped=False, excluded=excluded)
        case Meaning.CANCELLED:
            return msgspec.structs.replace(seen, unmapped=False, state="CANCELLED")
    return seen
