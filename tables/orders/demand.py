"""From an order's lines to demand on the ledger and to the lines of a goods out: SKU and unit mapping, bundles, warehouses. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from schemas.records import LineState, OrderLine, OrderSnapshot, ReleaseLine
from tables.catalogue import Catalogue, Listing, Product
from tables.orders.rows import Demand


class Reading(msgspec.Struct, frozen=True):
    """What the catalogue makes of an order: the listing of each mapped line, SKUs without one, and the warehouse the whole order is bound to."""

    mapped: dict[str, Listing]
    unmapped: list[str]
    warehouses: tuple[str, ...]
    untouched: list[str] = []
    lost: set[str] = set()
    """Locations of the storefront that no mapping gives to a warehouse, where others are mapped."""

    @property
    def warehouse(self) -> str | None:
        """The one warehouse of the order, or None where the warehouse decides."""
        return self.warehouses[0] if len(self.warehouses) == 1 else None


def read(snapshot: OrderSnapshot, catalogue: Catalogue) -> Reading:
    """Map every line that leaves a warehouse; lines of quantity 0 and lines that are not shipped are left alone."""
    mapped: dict[str, Listing] = {}
    unmapped: list[str] = []
    untouched: list[str] = []
    lost: set[str] = set()
    common: tuple[str, ...] | None = None
    for line in snapshot.lines:
        if not line.shippable or line.quantity <= 0:
            untouched.append(line.line_id)
            continue
        listing = catalogue.find(snapshot.channel, line.sku, line.location)
        if listing is None:
            unmapped.append(line.sku)
            continue
        mapped[line.line_id] = listing
        if catalogue.is_lost(snapshot.channel, line.location):
            lost.add(line.location)
        served = _served(catalogue, listing, line)
        common = served if common is None else tuple(w for w in common if w in served)
    return Reading(mapped, unmapped, common or catalogue.warehouses, untouched, lost)


def _served(catalogue: Catalogue, listing: Listing, line: OrderLine) -> tuple[str, ...]:
    """The warehouses of the line's location, or else of its listing's policy."""
    return catalogue.serving(listing.channel, line.location) or catalogue.policy(listing).warehouses


def components(product: Product, units: int, eaches_per_unit: int) -> Iterable[tuple[str, int]]:
    """Clarus codes and eaches of `units` selling units of a product or bundle."""
    if product.bundle:
        return [(code, each * units) for code, each in product.bundle.items()]
    return [(product.sku, units * eaches_per_unit)]


def demands_of(snapshot: OrderSnapshot, reading: Reading, catalogue: Catalogue, state: LineState) -> dict[str, Demand]:
    """Every demand line of the order by its line id.

    A bundle line becomes one demand line per component, `<line>/<component>`, each with the bundle's listing and units, and one of 0 eaches under the
    bundle's own code, `<line>`. The storefront's own decrement is counted whatever becomes of the order (finding 22).
    """
    wanted: dict[str, Demand] = {}
    for line in snapshot.lines:
        listing = reading.mapped.get(line.line_id)
        if listing is None:
            continue
        product = catalogue.products[listing.product]
        warehouses = [reading.warehouse] if reading.warehouse else list(_served(catalogue, listing, line))
        for code, eaches in components(product, line.quantity, listing.eaches):
            line_id = f"{line.line_id}/{code}" if product.bundle else line.line_id
            wanted[line_id] = _demand(code, eaches, line, listing, state, warehouses)
        if product.bundle:
            wanted[line.line_id] = _demand(product.sku, 0, line, listing, state, warehouses)
    return wanted


def _demand(
    product: str, eaches: int, line: OrderLine, listing: Listing, state: LineState, warehouses: list[str]
) -> Demand:
    return Demand(
        product=product,
        eaches=eaches,
        units=line.quantity if line.tracked else 0,
        listing=listing.id if line.tracked else None,
        state=state,
        warehouses=warehouses,
        taken_from=line.taken_from,
        taken_to=line.taken_to,
        restocked_at=line.restocked_at,
        ordered_at=listing.id if line.tracked or line.unguarded else "",
        unguarded=line.unguarded,
    )


def keep_ordered(wanted: Mapping[str, Demand], before: Mapping[str, Demand], ordered: Mapping[str, int]) -> None:
    """What a released order counts for: by product the greater of what its storefront wants and what the warehouse's order asks for.

    Where the latter is not known, each line counts for at least what it counted for `before`.
    """
    products: dict[str, list[tuple[Demand, int]]] = {}
    for line_id, demand in wanted.items():
        if demand.state != "CLOSED":
            known = before.get(line_id)
            more = max(0, known.eaches - demand.eaches) if known is not None else 0
            products.setdefault(demand.product, []).append((demand, more))
    for product, lines in products.items():
        over = sum(more for _, more in lines)
        if ordered:
            over = max(0, ordered.get(product, 0) - sum(demand.eaches for demand, _ in lines))
        for demand, more in lines:
            demand.surplus = min(over, more)
            over -= demand.surplus
        lines[0][0].surplus += over
        for demand, _ in lines:
            demand.eaches += demand.surplus


def release_lines(demands: dict[str, Demand]) -> list[ReleaseLine]:
    """One line per product with its eaches summed: the identity of a line at Clarus is reference and product (ledger.md R1)."""
    totals: dict[str, int] = {}
    for demand in demands.values():
        eaches = demand.eaches - demand.surplus
        if eaches and demand.state == "OPEN":
            totals[demand.product] = totals.get(demand.product, 0) + eaches
    return [ReleaseLine(sku=sku, eaches=eaches) for sku, eaches in totals.items()]
