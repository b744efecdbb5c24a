"""What an audit reads of a peer's catalogue, and who reads it: documented reads only, page by page, nothing kept."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, Protocol

from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.commercetools.settings import CommercetoolsSettings

if TYPE_CHECKING:
    from app.connectors.contract import Priority, Transport
    from app.settings import Settings

GRAMS: Final[Mapping[str, Decimal]] = {
    "g": Decimal(1),
    "kg": Decimal(1000),
    "oz": Decimal("28.349523125"),
    "lb": Decimal("453.59237"),
    "t": Decimal(1_000_000),
}


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """A product or variant as the peer has it. None: the peer does not tell. `case`: units in a case."""

    sku: str
    barcode: str | None = None
    grams: Decimal | None = None
    case: int | None = None


class CatalogueReader(Protocol):
    """Reads a whole catalogue."""

    def items(self, priority: "Priority") -> AsyncIterator[Sequence[CatalogueItem]]:
        """Everything with a SKU, in pages. The errors of the transport, `Refused` or `Malformed`."""
        ...


def storefront_catalogue(
    name: str, settings: CommercetoolsSettings | BigCommerceSettings, transport: "Transport"
) -> CatalogueReader:
    """Of a channel."""
    match settings:
        case CommercetoolsSettings():
            from app.connectors.commercetools.catalogue import CommercetoolsCatalogue

            return CommercetoolsCatalogue(name, settings, transport)
        case BigCommerceSettings():
            from app.connectors.bigcommerce.catalogue import BigCommerceCatalogue

            return BigCommerceCatalogue(name, settings, transport)


def warehouse_catalogue(settings: "Settings", transport: "Transport") -> CatalogueReader:
    """Of the warehouse."""
    from app.connectors.clarus.catalogue import ClarusCatalogue

    return ClarusCatalogue(settings.clarus, transport, settings.warehouses)


def grams(value: object, unit: str) -> Decimal | None:
    """A weight in grams; None where none is told: missing, 0 or no number."""
    try:
        found = Decimal(str(value)) * GRAMS[unit]
    except (InvalidOperation, KeyError):
        return None
    return found if found.is_finite() and found > 0 else None
