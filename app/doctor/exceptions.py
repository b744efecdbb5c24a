"""Counts the open exceptions by type, as `app/exceptions/reader.py` finds them."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer

from app.doctor.checks import Check, Result
from app.exceptions.reader import SECONDS, Wanted, read
from app.settings import Settings
from schemas.records import ExceptionState

AREA: Final = "exceptions"


def check(settings: Settings) -> Check:
    """The look at the open exceptions."""
    return Check(AREA, "open", lambda: look(settings), SECONDS + 10, "see the checks of kafka")


def look(
    settings: Settings,
    make: Callable[[dict[str, Any]], Any] = Consumer,
    steady: Callable[[], float] = time.monotonic,
) -> list[Result]:
    """What is open, newest state of each id."""
    found = read(settings, Wanted(), make, steady)
    return summed(found.states, whole=found.whole)


def summed(opened: dict[str, ExceptionState], *, whole: bool) -> list[Result]:
    """One line a type, with the oldest of them. Pure."""
    results = []
    if not whole:
        text = "not all could be read in time: there may be others, and some of these may be resolved"
        results.append(Result(AREA, "open", "warn", text, "ask again when the cluster is quieter"))
    for kind, count in sorted(Counter(one.type for one in opened.values()).items()):
        oldest = min((one for one in opened.values() if one.type == kind), key=lambda one: one.opened_at)
        since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(oldest.opened_at / 1000))
        text = f"{count} open, the oldest since {since}: {oldest.entity}: {oldest.detail[:160]}"
        results.append(
            Result(AREA, kind, "warn", text, f"for {oldest.owner}; clarus-stream exceptions list --type {kind}")
        )
    return results or [Result(AREA, "open", "ok", "none")]
