"""How long to wait before somebody looks again for what became of a request, and until when a lost one may land. Pure."""

from typing import Any, Final, Protocol

import msgspec

_FIRST: Final = 250
_LONGEST: Final = 15_000


class Sent(Protocol):
    """A request that was committed before it left, at `at`. `given_up`: when its answer was, at the latest; 0: it is waited for."""

    @property
    def at(self) -> int: ...
    @property
    def given_up(self) -> int: ...


class Asking(Protocol):
    """A row with at most one request under way: its `intent` is a `Sent`. `looks`: so many since that did not show the end of it."""

    intent: Any
    looks: int
    next_at: int


def lands_until(sent: Sent, late: int) -> int:
    """From then on a lost request lands no more. `late` counts from when it was given up: it may have waited long for its turn, and for its answer."""
    return (sent.given_up or sent.at) + late


def look_wait(looks: int, longest: int = _LONGEST) -> int:
    """Milliseconds to wait after so many looks that did not show the end of it: doubling, up to `longest`."""
    return int(min(longest, _FIRST * 2 ** min(looks, 8)))


def unknown(row: Asking, now: int) -> None:
    """Its answer did not come: it may have had its effect. The intent stays, looks follow."""
    if row.intent is not None:
        row.intent = msgspec.structs.replace(row.intent, given_up=now)
    row.next_at = now + look_wait(row.looks)


def taken_over(row: Asking, now: int) -> bool:
    """Whoever sent it is gone, and may have done so until now. False where nothing is open, or it was given up before."""
    if row.intent is None or row.intent.given_up:
        return False
    row.intent = msgspec.structs.replace(row.intent, given_up=now)
    return True
