"""Small drill files and orders that the tests of the drill share."""

from typing import Any

import yaml

from app.drill.file import DrillFile
from app.drill.read import parse_drill
from app.simulators.contract import SoldLine, StorefrontOrder, WarehouseOrder

BASE = """
name: small
channels:
  ct: {system: commercetools}
  bc: {system: bigcommerce}
warehouses: [MAIN, NORTH]
products:
  - {sku: A, units: {each: 1, case: 6}, channels: {ct: A, bc: {sku: A-CASE, unit: case}}, stock: {MAIN: 20, NORTH: 4}}
  - {sku: B, channels: {ct: B}, stock: {MAIN: {available: 9, held: 2}}}
  - {sku: BOX, bundle: {A: 2, B: 1}, channels: {ct: BOX}}
policies: [{mode: shared}]
"""


def drill_text(**parts: Any) -> str:
    """The small file with parts of it replaced or added."""
    data = yaml.safe_load(BASE)
    data.update(parts)
    return yaml.safe_dump(data, sort_keys=False)


def drill_file(**parts: Any) -> DrillFile:
    """The same, read and checked."""
    return parse_drill(drill_text(**parts), "small.yaml").file


def sold(
    order_id: str, *lines: tuple[str, int], state: str = "open", paid: bool = True, restocked: bool = False
) -> StorefrontOrder:
    """A storefront order whose number is its id with N in front."""
    return StorefrontOrder(
        order_id, f"N{order_id}", 1_000, [SoldLine(sku, qty) for sku, qty in lines], paid, state, restocked
    )


def goods_out(
    upstream: str, taken: dict[tuple[str, str], int] | None = None, status: str = "PENDING", **more: Any
) -> WarehouseOrder:
    """A goods out of an order key."""
    return WarehouseOrder(f"w-{upstream}", upstream, upstream, status, 2_500, [], taken or {}, **more)
