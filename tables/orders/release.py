"""Whether an order may go to the warehouse, and what the warehouse is told of it: the goods out from the snapshot and the rules. Pure.

How Clarus writes it is the connector's business.
"""

from schemas.records import OrderSnapshot, ReleaseOrder
from tables.orders.demand import Reading, release_lines
from tables.orders.rows import OrderRow
from tables.orders.rules import CarrierService, Rules

HINDRANCES = ("unmapped_sku", "unmapped_shipping_method", "unmapped_location", "unmapped_status", "payment_hold")
"""Exceptions that the judgement before a release opens and resolves."""


def hindrances(seen: OrderSnapshot, reading: Reading, rules: Rules) -> dict[str, str]:
    """Exception type to why the order cannot be released and what to do; one that is not there does not hinder it."""
    found: dict[str, str] = {}
    if reading.unmapped:
        skus = ", ".join(sorted(set(reading.unmapped)))
        found["unmapped_sku"] = (
            f"no listing for SKU {skus} at {seen.channel}: add it to the products and the order goes on"
        )
    method = seen.shipping_method
    if method and rules.shipping and method not in rules.shipping:
        found["unmapped_shipping_method"] = (
            f"shipping method {method!r} has no carrier and service: add it under `shipping` and the order goes on"
        )
    if reading.lost:
        lost = ", ".join(sorted(reading.lost))
        found["unmapped_location"] = (
            f"no warehouse serves location {lost} of {seen.channel}: map it (`location`) and the order goes on"
        )
    if seen.unmapped:
        found["unmapped_status"] = (
            f"{seen.channel} shows the order in status {seen.status!r}, which has no meaning here: tell it a known one"
        )
    if seen.hold:
        found["payment_hold"] = f"{seen.hold}: decide at {seen.channel}"
    return found


def release_order(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules) -> ReleaseOrder:
    """The goods out of the order as it is now: one line per product, carrier and service by its shipping method."""
    carrier = rules.shipping.get(seen.shipping_method, CarrierService("", ""))
    return ReleaseOrder(
        channel="clarus",
        order_key=row.key,
        reference=row.reference,
        number=seen.number,
        version=row.revision,
        lines=release_lines(row.demands),
        warehouse=reading.warehouse,
        address=seen.address,
        carrier=carrier.carrier,
        service=carrier.service,
        texts={"delivery_notes": seen.note, "packing_notes": seen.gift},
    )
