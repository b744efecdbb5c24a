"""The life-cycle of an order: one table of state, event and next state, and what the statuses of storefronts and warehouse mean in it.

The fold asks this table for every state an order comes to; nothing else sets one. What follows from an event beside the state is said in the modules that
fold it. A pair that the table does not name leaves the state as it is.
"""

from collections.abc import Container
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.records import LifecycleState, WarehouseStatus


class Meaning(StrEnum):
    """What a status of a storefront says about an order. Every documented status of every connector has one; one without is `unmapped_status`."""

    WAIT = "wait"
    """Placed, its payment is open."""
    WANTED = "wanted"
    """To be sent as soon as it counts as paid."""
    HOLD = "hold"
    """The storefront itself wants somebody to look at it first."""
    SENT = "sent"
    """Sent or done: an order that was never released is not released any more."""
    REFUNDED = "refunded"
    """Cancelled where nothing of it was sent."""
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What can happen to an order; the value is how it is called for people."""

    EXCLUDE = "it is not for the warehouse"
    HOLD = "something is missing"
    FIT = "nothing is missing"
    RELEASE = "its release is sent"
    REFUSE = "the warehouse refuses the release"
    CANCEL = "the storefront cancels it"
    REFUSE_CANCEL = "the warehouse refuses the cancel"
    STOP = "it was changed too late"
    WAIT = "the warehouse has it and waits"
    ALLOCATE = "the warehouse took stock for it"
    PICK = "the warehouse picks it"
    LEAVE = "all of it left the warehouse"
    GONE = "the warehouse cancelled or deleted it"
    TELL = "the storefront knows its parcels, or not any more"


class Guard(StrEnum):
    """A condition under which a row of the table counts; the value is how it is called for people."""

    UNSENT = "it is not at the warehouse"
    SENT = "it may be at the warehouse"
    NO_CANCEL = "no cancel is asked for"
    NO_LATE_CHANGE = "no `late_change` is open"
    TOLD = "the storefront has every parcel"


@dataclass(frozen=True, slots=True)
class Transition:
    """In one of `states`, where `guard` holds, `event` leads to `to`; the first row that fits counts. `back` says why it leads to an earlier state."""

    event: Event
    states: tuple[LifecycleState, ...]
    to: LifecycleState
    guard: Guard | None = None
    back: str = ""


FORWARD: Final[tuple[LifecycleState, ...]] = (
    "RECEIVED",
    "HELD",
    "READY",
    "RELEASING",
    "RELEASED",
    "ALLOCATED",
    "PICKING",
    "DESPATCHED",
    "COMPLETED",
)
"""The way of an order that nothing happens to; IGNORED, CANCELLING, CANCELLED and MANUAL_STOP lie beside it."""

_NEW: Final[tuple[LifecycleState, ...]] = ("RECEIVED", "HELD", "IGNORED")
_LISTED: Final[tuple[LifecycleState, ...]] = (*_NEW, "RELEASING", "RELEASED")
_ALIVE: Final[tuple[LifecycleState, ...]] = (*_LISTED, "ALLOCATED", "PICKING", "DESPATCHED", "COMPLETED")
_UNALLOCATED: Final = "its pick list was cancelled"
_UNPICKED: Final = "its picks were put back"
_UNDESPATCHED: Final = "its despatch was taken back"
_WANTED: Final = "the storefront opened it again"
_REOPENED: Final = "the warehouse opened it again"
_WITHDRAWN: Final = "the storefront wants it again and the warehouse kept it"
_SETTLED: Final = "the stop is over"

TABLE: Final[tuple[Transition, ...]] = (
    Transition(Event.EXCLUDE, (*_NEW, "CANCELLED"), "IGNORED", Guard.UNSENT),
    Transition(Event.HOLD, _NEW, "HELD", Guard.UNSENT),
    Transition(Event.HOLD, ("CANCELLED",), "HELD", Guard.UNSENT, _WANTED),
    Transition(Event.FIT, _NEW, "READY", Guard.UNSENT),
    Transition(Event.FIT, ("CANCELLED",), "READY", Guard.UNSENT, _WANTED),
    Transition(Event.RELEASE, ("READY",), "RELEASING"),
    Transition(Event.REFUSE, ("RECEIVED", "HELD"), "HELD"),
    Transition(Event.REFUSE, ("RELEASING",), "HELD", back="nothing of it is there"),
    Transition(Event.CANCEL, (*_NEW, "CANCELLED"), "CANCELLED", Guard.UNSENT),
    Transition(Event.CANCEL, (*_ALIVE, "MANUAL_STOP"), "CANCELLING", Guard.SENT),
    Transition(Event.REFUSE_CANCEL, ("CANCELLING",), "MANUAL_STOP"),
    Transition(Event.STOP, (*_ALIVE, "MANUAL_STOP"), "MANUAL_STOP", Guard.SENT),
    Transition(Event.WAIT, _LISTED, "RELEASED"),
    Transition(Event.WAIT, ("ALLOCATED", "PICKING", "DESPATCHED", "COMPLETED"), "RELEASED", back=_UNALLOCATED),
    Transition(Event.WAIT, ("CANCELLED",), "RELEASED", back=_REOPENED),
    Transition(Event.WAIT, ("CANCELLING",), "RELEASED", Guard.NO_CANCEL, _WITHDRAWN),
    Transition(Event.WAIT, ("MANUAL_STOP",), "RELEASED", Guard.NO_LATE_CHANGE, _SETTLED),
    Transition(Event.ALLOCATE, (*_LISTED, "ALLOCATED"), "ALLOCATED"),
    Transition(Event.ALLOCATE, ("PICKING", "DESPATCHED", "COMPLETED"), "ALLOCATED", back=_UNPICKED),
    Transition(Event.ALLOCATE, ("CANCELLED",), "ALLOCATED", back=_REOPENED),
    Transition(Event.ALLOCATE, ("CANCELLING",), "ALLOCATED", Guard.NO_CANCEL, _WITHDRAWN),
    Transition(Event.ALLOCATE, ("MANUAL_STOP",), "ALLOCATED", Guard.NO_LATE_CHANGE, _SETTLED),
    Transition(Event.PICK, (*_LISTED, "ALLOCATED", "PICKING"), "PICKING"),
    Transition(Event.PICK, ("DESPATCHED", "COMPLETED"), "PICKING", back=_UNDESPATCHED),
    Transition(Event.PICK, ("CANCELLED",), "PICKING", back=_REOPENED),
    Transition(Event.PICK, ("CANCELLING",), "PICKING", Guard.NO_CANCEL, _WITHDRAWN),
    Transition(Event.PICK, ("MANUAL_STOP",), "PICKING", Guard.NO_LATE_CHANGE, _SETTLED),
    Transition(Event.LEAVE, (*_LISTED, "ALLOCATED", "PICKING", "DESPATCHED"), "DESPATCHED"),
    Transition(Event.LEAVE, ("CANCELLED",), "DESPATCHED", back=_REOPENED),
    Transition(Event.LEAVE, ("CANCELLING",), "DESPATCHED", Guard.NO_CANCEL, _WITHDRAWN),
    Transition(Event.LEAVE, ("CANCELLING",), "MANUAL_STOP"),
    Transition(Event.LEAVE, ("MANUAL_STOP",), "DESPATCHED", Guard.NO_LATE_CHANGE, _SETTLED),
    Transition(Event.TELL, ("DESPATCHED", "COMPLETED"), "COMPLETED", Guard.TOLD),
    Transition(Event.TELL, ("COMPLETED",), "DESPATCHED", back="a parcel is to be told, or to be told again"),
    Transition(Event.GONE, (*_ALIVE, "CANCELLING", "MANUAL_STOP"), "CANCELLED"),
)

_BY_PAIR: Final[dict[tuple[LifecycleState, Event], list[Transition]]] = {}
for _row in TABLE:
    for _state in _row.states:
        _BY_PAIR.setdefault((_state, _row.event), []).append(_row)


def following(state: LifecycleState, event: Event, holds: Container[Guard]) -> LifecycleState | None:
    """The state that the event leads to, where the guards of `holds` hold; None where the table does not name the pair: it stays as it is."""
    for row in _BY_PAIR.get((state, event), ()):
        if row.guard is None or row.guard in holds:
            return row.to
    return None


def page() -> str:
    """The table in Markdown, for operators."""
    lines = ["| when | in state | and | it becomes | a step back because |", "| --- | --- | --- | --- | --- |"]
    for row in TABLE:
        states = ", ".join(_shown(state) for state in row.states)
        lines.append(f"| {row.event} | {states} | {row.guard or ''} | {_shown(row.to)} | {row.back} |")
    return "\n".join(lines) + "\n"


def _shown(state: LifecycleState) -> str:
    return state.lower().replace("_", " ")


AT_WAREHOUSE: Final[dict[WarehouseStatus, Event]] = {
    "DRAFT": Event.WAIT,
    "PENDING": Event.WAIT,
    "ALLOCATED": Event.ALLOCATE,
    "PART_ALLOCATED": Event.ALLOCATE,
    "PICK": Event.PICK,
    "COMPLETED": Event.LEAVE,
    "CANCELLED": Event.GONE,
    "DELETED": Event.GONE,
    "REFUSED": Event.REFUSE,
    "CANCEL_REFUSED": Event.REFUSE_CANCEL,
    "CHANGE_REFUSED": Event.STOP,
}
"""`UNMAPPED` is none of them: a status without a meaning changes nothing but opens an exception."""
