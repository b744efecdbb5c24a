"""Rules of the ledger and of delivery, each of which can be taken out alone: what the simulation then shows is why the rule is there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import msgspec

from schemas.records import DemandLine, Record, WarehouseOrder
from tables.deliveries import listing as delivery_rules
from tables.deliveries import polls, releases
from tables.deliveries.listing import ListingRow
from tables.deliveries.peers import PeerKind
from tables.deliveries.polls import PollRow
from tables.deliveries.release_row import ReleaseRow
from tables.stock import escrow, fold, judge, lines, policy, takes
from tables.stock.rows import WaitingOutcome
from tables.stock.target import Offer, units_of
from tests.model.product import Delivery, Model


@dataclass(frozen=True)
class Removal:
    """One rule, the variant that shows its absence best, what takes its place, and whether that oversells often enough for `make test`."""

    name: str
    variant: str
    where: object
    what: str
    instead: Callable[..., Any]
    oversells: bool = True
    unsettles: bool = False  # is an order created twice, or does something never settle?


def _unsettles(name: str, variant: str, where: object, what: str, instead: Callable[..., Any]) -> Removal:
    return Removal(name, variant, where, what, instead, oversells=False, unsettles=True)


def _read_apart(self: Model, repeat: int = 0) -> None:
    """The balance, then the lines, as they are by then."""
    if self.reading:
        self.dirty = True
        return
    self.reading, self.dirty, self.read_no = True, False, self.read_no + 1
    available = self.warehouse.available

    def second() -> None:
        self.level(available, dict(self.warehouse.out))
        self.reading = False
        if self.dirty:
            self.read_warehouse()

    self.at(self.rng.uniform(0.06, 0.9), second)


_upsert = lines.upsert


def _gone_on_request(row: Any, order: Any, demand: DemandLine, occurred_at: int) -> Any:
    if demand.state == "CANCELLING":
        demand = msgspec.structs.replace(demand, state="CLOSED")
    return _upsert(row, order, demand, occurred_at)


def _clamped(*given: Any) -> Offer:
    base, by, eaches, taken, velocity, _ = given
    units = max(0, units_of(base, by, eaches, velocity))
    return Offer(units + taken, units + taken, units == 0, units)


_save = Delivery.save


def _save_without_intent(self: Delivery, *records: Record) -> None:
    if self.row.intent is None or records:
        _save(self, *records)


_acknowledged = delivery_rules.acknowledged


def _believed_at_once(row: ListingRow, kind: PeerKind, *given: Any) -> Any:
    return _acknowledged(row, PeerKind.READ_MODIFY if kind is PeerKind.RELATIVE else kind, *given)


def _by_what_is_known(state: Any, read: Any, bounds: Any) -> tuple[int, int]:
    return read.quantity + state.taken, read.quantity + state.taken


def _at_once(version: int, bound: int, at: int) -> WaitingOutcome:
    return WaitingOutcome(version, bound, 0)


_answer = releases._answer


def _no_quantities(row: ReleaseRow, status: Any, detail: str) -> WarehouseOrder:
    return msgspec.structs.replace(_answer(row, status, detail), ordered={}, holds=0)


_found = releases.found


def _found_at_once(row: ReleaseRow, there: Any, looked_at: int, create_unknown: int, now: int) -> list[WarehouseOrder]:
    return _found(row, there, looked_at, 0, now)


def _forgotten(row: ReleaseRow, now: int) -> None:
    row.intent = None


def _without_overlap(row: PollRow, now: int, **_: Any) -> int:
    return row.started_at


REMOVALS = [
    Removal("joint reads (R1)", "hard ct", Model, "read_warehouse", _read_apart),
    Removal("a cancel waits for the warehouse's answer (R3)", "hard ct", lines, "upsert", _gone_on_request, False),
    Removal("the clamp at 0 never raises (R4)", "restock ct", policy, "offer", _clamped),
    Removal("intents are committed first (R5)", "hard bc", Delivery, "save", _save_without_intent),
    Removal(
        "unknown increases are assumed (R6)", "hard bc", delivery_rules, "_assume_unknown", lambda row, intent: None
    ),
    Removal("accepted is not applied, verify (R6)", "hard escrow", delivery_rules, "acknowledged", _believed_at_once),
    Removal(
        "takes before the baseline do not count (R7)", "hard cold ct", takes, "counts", lambda state, take, slack: True
    ),
    Removal("read-backs are bracketed (R8)", "restock bc", judge, "bracket", _by_what_is_known),
    Removal("outcomes wait for the watermark (R9)", "hard escrow", fold, "WaitingOutcome", _at_once),
    Removal("commands on their way count (R9)", "hard escrow", escrow, "high", lambda quota: quota.target),
    _unsettles("what the warehouse has of an order counts", "edits overlapping", releases, "_answer", _no_quantities),
    _unsettles("a lost create is waited for", "hard limits escrow", releases, "found", _found_at_once),
    _unsettles("an intent of an earlier life is unknown", "hard limits escrow", releases, "foreign", _forgotten),
    _unsettles("polls overlap", "hard limits escrow", polls, "since", _without_overlap),
]


@contextmanager
def without(removal: Removal | None) -> Iterator[None]:
    """The product without that rule."""
    if removal is None:
        yield
        return
    with patch.object(removal.where, removal.what, removal.instead):
        yield
