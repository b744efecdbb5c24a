"""The peers of `bench.order_to_command` as a process of their own: simulated Clarus, commercetools and BigCommerce, until standard input ends.

`python -m bench.order_peers PRODUCTS STOCK` gives every product so much stock and both storefronts a listing that shows all of it, prints one line of JSON
(channel to its settings) and then only answers.
"""

import asyncio
import json
import sys

from app.simulators.bigcommerce.simulator import BigCommerceSimulator
from app.simulators.clarus.simulator import ClarusSimulator
from app.simulators.commercetools.simulator import CommercetoolsSimulator
from app.simulators.contract import StorefrontSimulator, WarehouseSimulator

WAREHOUSE = "MAIN"


def sku_of(number: int) -> str:
    """SKU of a product, at the warehouse and at both storefronts."""
    return f"SKU-{number:05}"


async def serve(products: int, stock: int) -> None:
    """Until standard input ends."""
    clarus = ClarusSimulator("clarus", 1, warehouses=[WAREHOUSE])
    storefronts: list[StorefrontSimulator] = [CommercetoolsSimulator("ct", 1), BigCommerceSimulator("bc", 1)]
    peers: list[StorefrontSimulator | WarehouseSimulator] = [clarus, *storefronts]
    for peer in peers:
        await peer.start()
    for sku in map(sku_of, range(products)):
        clarus.add_product(sku)
        clarus.receive(sku, WAREHOUSE, stock)
        for storefront in storefronts:
            storefront.add_listing(sku)
            await storefront.set_stock(sku, stock)
    print(json.dumps({peer.name: peer.connection() for peer in peers}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for peer in peers:
        await peer.stop()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:])))
