"""One inventory event in a line of words, and where it lay in the log. Pure."""

from collections.abc import Mapping

import msgspec

from schemas.records import (
    Baseline,
    BundleHold,
    ComponentStock,
    DemandLine,
    InventoryEventBody,
    ReadBack,
    StockLevel,
    StockOutcome,
    Watermark,
)


class Input(msgspec.Struct, frozen=True):
    """One record that changed the SKU. `time` is when what it tells of occurred, milliseconds."""

    topic: str
    partition: int
    offset: int
    time: int
    source: str
    kind: str
    text: str


def describe(body: InventoryEventBody) -> str:
    """What the event says, without personal data."""
    match body:
        case StockLevel():
            there = _figures(body.balances)
            chunk = f" (part {body.chunk + 1} of {body.chunks})" if body.chunks > 1 else ""
            return f"read {body.read_no}{chunk}: {there or 'no balances'}; {len(body.lines)} lines changed"
        case DemandLine():
            lowered = f"; {body.listing} lowered {body.units}" if body.listing else ""
            back = "; put back" if body.restocked_at is not None else ""
            return f"{body.reference} line {body.line_id} v{body.version}: {body.eaches} {body.state}{lowered}{back}"
        case StockOutcome():
            return f"{body.listing} v{body.version}: at most {body.bound} (gross)"
        case ReadBack():
            verify = ", verifies a write" if body.verify else ""
            return f"{body.listing} shows {body.quantity}, believed {body.published} gross (with what it has taken){verify}"
        case Baseline():
            return f"{body.listing} counts from {body.quantity} (epoch {body.epoch})"
        case ComponentStock():
            there = _figures(body.joint)
            granted = f"; grants {_figures(body.granted)}" if body.granted else ""
            return f"component {body.component} v{body.version}: {there}{granted}"
        case BundleHold():
            held = f"at most {_figures(body.bounds)} (ever lowered)"
            return f"bundle {body.bundle} v{body.version}, knows v{body.seen}: {held}"
        case Watermark():
            return f"orders of {body.channel} up to {body.up_to}, order partition {body.order_partition}"


def _figures(given: Mapping[str, int]) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(given.items()))
