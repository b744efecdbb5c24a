"""commercetools Composable Commerce: stock and orders of one project."""

from app.connectors.commercetools.storefront import CommercetoolsStorefront
from app.connectors.commercetools.webhooks import CommercetoolsIntake

__all__ = ["CommercetoolsIntake", "CommercetoolsStorefront"]
