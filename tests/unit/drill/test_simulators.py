"""The peers of a drill are made as its file says."""

import asyncio

from app.drill.read import parse_drill
from app.drill.simulators import RealPeers
from app.simulators.contract import NewLine, NewOrder

FILE = """
name: numbers
channels: {bc: {system: bigcommerce}, other: {system: bigcommerce}}
warehouses: [MAIN]
products: [{sku: MUG, channels: {bc: MUG, other: MUG}, stock: {MAIN: 5}}]
steps:
  - {at: 1s, load: {orders_per_second: 5, for: 1s}}
  - {at: 3s, order: {channel: bc, id: "1002", lines: [{sku: MUG, qty: 1}]}}
  - {at: 4s, order: {channel: bc, id: "7", lines: [{sku: MUG, qty: 1}]}}
"""


def test_orders_of_a_load_take_no_number_that_the_file_gives() -> None:
    file = parse_drill(FILE, "numbers").file
    new = NewOrder("", [NewLine("UNTRACKED", 1)])
    numbers = {}
    for name in file.channels:
        store = RealPeers().storefront(name, file)
        numbers[name] = [asyncio.run(store.place(new)).number for _ in range(2)]
    assert numbers == {"bc": ["1003", "1004"], "other": ["1001", "1002"]}
