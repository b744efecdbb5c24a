"""The life-cycle of an order: what a storefront's statuses can mean, which warehouse status leads to which state, and who owns which exception."""

from enum import StrEnum

from schemas.records import LifecycleState, WarehouseStatus


class Meaning(StrEnum):
    """What a status of a storefront says about an order. Every documented status of every connector has one; one without is `unmapped_status`."""

    WAIT = "wait"
    """Placed, its payment is open."""
    WANTED = "wanted"
    """To be sent as soon as it counts as paid."""
    HOLD = "hold"
    """The storefront itself wants somebody to look at it first."""
    SENT = "sent"
    """Sent or done: an order that was never released is not released any more."""
    REFUNDED = "refunded"
    """Cancelled where nothing of it was sent."""
    CANCELLED = "cancelled"


AT_WAREHOUSE: dict[WarehouseStatus, LifecycleState] = {
    "DRAFT": "RELEASED",
    "PENDING": "RELEASED",
    "ALLOCATED": "ALLOCATED",
    "PART_ALLOCATED": "ALLOCATED",
    "PICK": "PICKING",
    "COMPLETED": "DESPATCHED",
    "CANCELLED": "CANCELLED",
    "DELETED": "CANCELLED",
    "REFUSED": "HELD",
    "CANCEL_REFUSED": "MANUAL_STOP",
}
"""`UNMAPPED` is none of them: a status without a meaning changes nothing but opens an exception."""

OWNERS: dict[str, str] = {
    "unmapped_sku": "ecommerce",
    "unmapped_shipping_method": "ecommerce",
    "unmapped_status": "ecommerce",
    "unit_mismatch": "ecommerce",
    "invalid_address": "customer service",
    "payment_hold": "customer service",
    "late_change": "warehouse",
    "stuck_order": "operations",
    "delivery_failed": "integration",
    "despatch_gap": "integration",
    "invalid_tracking": "integration",
    "short_stock": "operations",
    "early_fulfilment": "operations",
    "poison_record": "integration",
}
