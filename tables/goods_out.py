"""What a release asks of the warehouse, by product: the identity of a line at Clarus is reference and product (R1 of ledger.md). Pure."""

from schemas.records import ReleaseOrder


def eaches_of(order: ReleaseOrder) -> dict[str, int]:
    """Product code to eaches."""
    total: dict[str, int] = {}
    for line in order.lines:
        total[line.sku] = total.get(line.sku, 0) + line.eaches
    return total
