"""What the warehouse is told of an order that is released to it: the goods out from the snapshot and the rules. Pure.

Whether an order is released is decided in `tables.orders.judgement`; how Clarus writes it in the connector.
"""

from schemas.records import OrderSnapshot, ReleaseOrder
from tables.orders.demand import Reading, release_lines
from tables.orders.rows import OrderRow
from tables.orders.rules import CarrierService, Rules


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
