"""The ledger of money of one order: what was booked on which day, how it stands, and which exceptions finance has open. Data only.

Amounts are minor units of the order's currency. Days are UTC dates of the storefront's time, or of ours where the warehouse acted.
"""

from typing import Final, Literal

import msgspec

from tables.orders.rows import OpenException

Kind = Literal["ordered", "captured", "despatched", "returned", "refunded", "charged_back"]
KINDS: Final[tuple[Kind, ...]] = ("ordered", "captured", "despatched", "returned", "refunded", "charged_back")
Status = Literal["matched", "open", "mismatched"]
STATUSES: Final[tuple[Status, ...]] = ("matched", "open", "mismatched")


class MoneyRow(msgspec.Struct, array_like=True):
    """`booked` says by fact what `days` hold of it together: day to kind to amount; a day stays, whatever was taken back on it.

    `since`: when each finding was first made, our milliseconds.

    `accepted`: text of the exception that a person resolved by hand; the same one is not opened again.
    """

    channel: str
    order_id: str
    number: str = ""
    reference: str = ""
    currency: str = ""
    digits: int = 2
    booked: dict[str, int] = {}
    days: dict[str, dict[str, int]] = {}
    status: Status = "open"
    reasons: list[str] = []
    exception: OpenException | None = None
    accepted: str = ""
    since: dict[str, int] = {}
    due: int = 0  # when a finding stops being only open; 0: never

    @property
    def key(self) -> str:
        """The order key: channel:order id."""
        return f"{self.channel}:{self.order_id}"

    @property
    def entity(self) -> str:
        """How people name the order: channel:order number."""
        return f"{self.channel}:{self.number or self.order_id}"


class MoneyDay(msgspec.Struct, array_like=True, frozen=True):
    """Money of an order moved on a day; its key is `day/order key`."""


class MoneyDue(msgspec.Struct, array_like=True, frozen=True):
    """An order is to be judged again; its key begins with when."""

    order_key: str
