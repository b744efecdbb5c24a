"""What a release asks of the warehouse, by product: the identity of a line at Clarus is reference and product (R1 of ledger.md). Pure."""

from schemas.records import ReleaseOrder


def eaches_of(order: ReleaseOrder) -> dict[str, int]:
    """Product code to eaches; a bundle counts as its components."""
    total: dict[str, int] = {}
    for line in order.lines:
        for code, n in (line.parts or {line.sku: 1}).items():
            total[code] = total.get(code, 0) + n * line.eaches
    return total
