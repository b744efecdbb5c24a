"""What is kept of one order's returns, in the partition of the order. Rows only; the rules are in `tables/returns/fold.py` and `amounts.py`."""

import msgspec

from schemas.records import AuthoriseReturn, RefundLine, ReturnLine


class PartRow(msgspec.Struct, array_like=True):
    """What one inspection brought: it is settled at the storefront once. `lines` hold what we want to refund, `state` is as in RefundOutcome."""

    part: int
    version: int
    lines: list[RefundLine]
    shipping: int = 0
    state: str = ""
    amount: int = 0  # minor units that we refunded
    by_hand: int = 0  # of it refunded by somebody at the storefront
    refund_id: str = ""
    detail: str = ""

    @property
    def wanted(self) -> int:
        """Minor units to be refunded."""
        return self.shipping + sum(line.amount for line in self.lines)


class ReturnRow(msgspec.Struct, array_like=True):
    """One return. Quantities of the warehouse are eaches by product code, as last read; `used` of them are in parts already."""

    return_id: str
    reference: str  # of the goods-in receipt
    lines: list[ReturnLine]
    tracking: str = ""
    reason: str = ""
    announced: int = 0  # version of the newest announcement; 0: none
    receipt: str = ""  # as ReceiptState; empty: nothing is known yet
    detail: str = ""
    read_at: int = 0
    received: dict[str, int] = {}
    restocked: dict[str, int] = {}
    quarantined: dict[str, int] = {}
    scrapped: dict[str, int] = {}
    used: dict[str, list[int]] = {}  # product code to restocked, quarantined, scrapped
    done: dict[str, int] = {}  # line id to units that are in parts
    unusable: dict[str, bool] = {}  # line id: nothing of it could be sold again
    parts: list[PartRow] = []
    arrived: int = 0  # version of the newest command that only says so; 0: none

    @property
    def over(self) -> bool:
        """Will nothing of it come any more?"""
        return self.receipt in ("COMPLETED", "GONE")


class OrderReturns(msgspec.Struct, array_like=True):
    """All returns of one order, by id. `units` by line id are in parts of any of them. `accepted`: a mismatch that a person resolved by hand."""

    returns: dict[str, ReturnRow] = {}
    problems: dict[str, str] = {}  # by return id: why it cannot be announced
    units: dict[str, int] = {}
    shipping_done: bool = False
    revision: int = 0
    accepted: str = ""
    early: dict[str, AuthoriseReturn] = {}  # by return id: authorised before the order was known
