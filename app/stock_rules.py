"""The stock rules' view of a configuration. One place, so that a worker and a replay fold alike."""

from app.connectors import storefront_type, unguarded
from app.delivery.bounds import bounds_of
from app.settings import Settings
from tables.catalogue import Catalogue
from tables.stock.rows import Rules


def stock_rules(settings: Settings, catalogue: Catalogue | None = None) -> Rules:
    """Products, policies, partitions and time bounds. Without `catalogue` what the configuration alone says."""
    bounds = {
        name: bounds_of(storefront_type(given), settings.settings.bounds) for name, given in settings.channels.items()
    }
    return Rules(
        catalogue or settings.catalogue(),
        settings.settings.kafka.partitions,
        bounds,
        unguarded=unguarded(settings.channels),
    )
