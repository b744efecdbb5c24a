"""A BigCommerce store for drills and tests: an HTTP API that behaves as the platform documents, with its truth behind it."""

from app.simulators.bigcommerce.simulator import BigCommerceSimulator

__all__ = ["BigCommerceSimulator"]
