"""One order of a connected storefront."""

from app.connectors.contract import Priority, Storefront
from schemas.records import OrderSnapshot


async def fetched(storefront: Storefront, order_id: str, priority: Priority) -> OrderSnapshot | None:
    """The order, or None where the storefront has none."""
    return (await storefront.fetch_orders([order_id], priority)).get(order_id)
