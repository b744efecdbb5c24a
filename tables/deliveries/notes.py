"""The durable row of one order's note to its storefront's people, and the rules by which it is there once. Pure.

A note is one line that begins with our mark, in a text field that may hold other people's text as well: everything else in it stays as it is. So the field is
read before it is written, and it shows by itself whether a write landed. Where an answer was lost, nothing is repeated before the lost request cannot land any
more: it would bring back the field as it was then. Times are our milliseconds.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.records import NoteOrder
from tables.deliveries.looks import lands_until, look_wait

MARK: Final = "[clarus-stream] "
ENTITY: Final = "/note"
"""Behind channel:order id it names the exception of a note that its storefront does not take, beside those of the order itself."""


class NoteIntent(msgspec.Struct, array_like=True, frozen=True):
    """A request that was committed before it left."""

    at: int
    version: int
    given_up: int = 0
    """As `looks.Sent`."""


class NoteRow(msgspec.Struct, array_like=True):
    """One order's note. `version` is the newest command's, `answered` the newest one that is over; `refused`: why that one is not at the storefront."""

    channel: str
    order_id: str
    command: NoteOrder | None = None
    version: int = 0
    answered: int = 0
    intent: NoteIntent | None = None
    attempts: int = 0
    looks: int = 0
    next_at: int = 0
    since: int = 0
    caused_at: int = 0
    refused: str = ""

    @property
    def key(self) -> str:
        """Key of the row."""
        return f"{self.channel}/{self.order_id}"


@dataclass(frozen=True, slots=True)
class Write:
    """`begin`, commit, write the field as `text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Placed:
    """The storefront shows what is wanted."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again then: a request may still land."""

    until: int


Step = Write | Placed | Wait


# ---- the text -------------------------------------------------------------------------------------------------------------------------------


def noted(shown: str, command: NoteOrder) -> str:
    """The field with our line as the command wants it. One that is there is replaced; a new one is added at the end, where somebody waits for it."""
    line = f"{MARK}{' '.join(command.text.split())}"
    parts = shown.splitlines(keepends=True)
    ours = [n for n, part in enumerate(parts) if part.startswith(MARK)]
    if ours:
        known = parts[ours[0]]
        parts[ours[0]] = line + known[len(known.splitlines()[0]) :]
        return "".join(part for n, part in enumerate(parts) if n not in ours[1:])
    if not command.open:
        return shown
    return f"{shown}\n{line}" if shown and not shown.endswith("\n") else f"{shown}{line}"


def without_note(shown: str) -> str:
    """The field as other people wrote it: our own words are no fact of the order."""
    return "".join(part for part in shown.splitlines(keepends=True) if not part.startswith(MARK))


# ---- commands -------------------------------------------------------------------------------------------------------------------------------


def want(row: NoteRow, command: NoteOrder, now: int) -> bool:
    """What the order shall say. False where the command is not newer. An intent whose outcome is open survives."""
    if command.version <= row.version:
        return False
    row.command, row.version = command, command.version
    row.since = row.since or now
    row.attempts, row.next_at, row.refused = 0, now, ""
    return True


def again(row: NoteRow, now: int) -> bool:
    """An operator wants what was refused tried again. False where nothing was."""
    if pending(row) or not row.refused:
        return False
    row.answered, row.since, row.next_at, row.refused = 0, now, now, ""
    return True


def pending(row: NoteRow) -> bool:
    """Is it not over yet?"""
    return row.answered < row.version


# ---- what to do next ------------------------------------------------------------------------------------------------------------------------


def next_step(row: NoteRow, shown: str, looked_at: int, late: int) -> Step:
    """What to do, given what a look that began at `looked_at` showed. `late`: how long a lost request may still land."""
    command, intent = row.command, row.intent
    assert command is not None  # noqa: S101 - a row is made by its first command
    wanted = noted(shown, command)
    if intent is not None and (intent.version < row.version or wanted != shown):
        over = lands_until(intent, late)
        if looked_at < over:
            return Wait(min(looked_at + look_wait(row.looks), over))
    return Placed() if wanted == shown else Write(wanted)


def begin(row: NoteRow, now: int) -> None:
    """An attempt: the caller commits the row before the request leaves."""
    row.attempts += 1
    row.looks = 0
    row.intent = NoteIntent(now, row.version)


# ---- answers --------------------------------------------------------------------------------------------------------------------------------


def accepted(row: NoteRow) -> bool:
    """The storefront took it. True where that is what is wanted now."""
    intent, row.intent = row.intent, None
    return intent is not None and intent.version == row.version


def placed(row: NoteRow) -> None:
    """The storefront shows what is wanted, by its answer or by a look."""
    row.intent, row.answered, row.since, row.caused_at = None, row.version, 0, 0


def refused(row: NoteRow, detail: str) -> bool:
    """The storefront said no: over until a newer command or an operator. False where one is there already: that one is tried."""
    intent, row.intent = row.intent, None
    if intent is not None and intent.version < row.version:
        return False
    row.answered, row.since, row.caused_at, row.refused = row.version, 0, 0, detail
    return True


def not_sent(row: NoteRow, wait: int, now: int) -> None:
    """It certainly had no effect: look and try again after `wait`."""
    row.intent, row.next_at = None, now + wait


def waited(row: NoteRow, until: int) -> None:
    """A look did not show it yet."""
    row.looks += 1
    row.next_at = until
