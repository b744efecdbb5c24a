"""BigCommerce: stock and orders of one store."""

from app.connectors.bigcommerce.storefront import BigCommerceStorefront
from app.connectors.bigcommerce.webhooks import BigCommerceIntake

__all__ = ["BigCommerceIntake", "BigCommerceStorefront"]
