"""The stock rules' view of a configuration. One place, so that a worker and a replay fold alike."""

from app.connectors import storefront_type, unguarded
from app.delivery.bounds import bounds_of
from app.settings import Settings
from tables.stock.rows import Rules


def stock_rules(settings: Settings) -> Rules:
    """Products, policies, partitions and time bounds."""
    bounds = {
        name: bounds_of(storefront_type(given), settings.settings.bounds) for name, given in settings.channels.items()
    }
    return Rules(
        settings.catalogue(), settings.settings.kafka.partitions, bounds, unguarded=unguarded(settings.channels)
    )
