"""Which orders a stock command of the other channel includes, told exactly from the command's figure. No Kafka, no clock; both threads of a run use it.

An order of a SKU asks for 2^k units, with the lowest k that no order of that SKU on its way has. Nothing else moves the figure, so what a command's figure
lies below the one before is a sum of such powers, and its binary digits name the orders that it newly includes: one or several, in whatever order they came.
"""

from dataclasses import dataclass, field
from threading import Lock

MOST_UNDER_WAY = 24
"""Orders of one SKU on their way at a time: units stay below 2^24, far below the stock."""


class NotCovered(Exception):
    """A figure that the orders on their way do not explain, or a command that came twice."""


@dataclass(slots=True)
class _Listing:
    gross: int
    version: int
    under_way: dict[int, float] = field(default_factory=dict)
    """Units to when the order was sent."""


class Cover:
    """The listings of one channel, by SKU, and the orders of another channel that their figures do not include yet."""

    def __init__(self) -> None:
        self._listings: dict[str, _Listing] = {}
        self._lock = Lock()
        self.sent = self.covered = self.commands = 0

    @property
    def under_way(self) -> int:
        """Orders that no command includes yet."""
        return self.sent - self.covered

    def send(self, sku: str, at: float) -> int:
        """An order of an opened SKU is about to leave: the units that it must ask for."""
        with self._lock:
            under_way = self._listings[sku].under_way
            if len(under_way) >= MOST_UNDER_WAY:
                raise NotCovered(
                    f"{sku}: {MOST_UNDER_WAY} orders of it wait for a command; the product does not keep up"
                )
            units = 1
            while units in under_way:
                units *= 2
            under_way[units] = at
            self.sent += 1
            return units

    def see(self, sku: str, version: int, gross: int) -> list[float]:
        """A command was seen: when the orders that it is the first to include were sent. The first command of a SKU opens it."""
        with self._lock:
            listing = self._listings.get(sku)
            if listing is None:
                self._listings[sku] = _Listing(gross, version)
                return []
            if version <= listing.version:
                raise NotCovered(
                    f"{sku}: the command of version {version} came after that of version {listing.version}"
                )
            included = self._included(sku, listing, listing.gross - gross)
            listing.gross, listing.version = gross, version
            self.covered += len(included)
            self.commands += bool(included)
            return included

    @staticmethod
    def _included(sku: str, listing: _Listing, fell: int) -> list[float]:
        digits = [1 << n for n in range(max(0, fell).bit_length()) if fell >> n & 1]
        if fell < 0 or not listing.under_way.keys() >= set(digits):
            raise NotCovered(
                f"{sku}: the figure fell by {fell}; orders of {sorted(listing.under_way)} units are on their way"
            )
        return [listing.under_way.pop(units) for units in digits]
