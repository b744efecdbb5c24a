"""The life-cycle of an order as far as stock needs it: which warehouse status leads to which state, and what each exception is called and who owns it."""

from schemas.records import LifecycleState, WarehouseStatus

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

OWNERS: dict[str, str] = {
    "unmapped_sku": "ecommerce",
    "unmapped_shipping_method": "ecommerce",
    "late_change": "warehouse",
    "stuck_order": "operations",
    "delivery_failed": "integration",
    "despatch_gap": "integration",
    "invalid_tracking": "integration",
    "short_stock": "operations",
    "early_fulfilment": "operations",
}
