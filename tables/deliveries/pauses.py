"""Targets that an operator paused, one row each in the partition of their channel: a whole channel, or one SKU at it. Pure."""

from collections.abc import Callable

import msgspec

from schemas.records import OperatorState

WHOLE = ""
"""The target that is the whole channel."""


class PauseRow(msgspec.Struct, array_like=True, frozen=True):
    """Nothing is written to this target; reads and polls go on. `since`: our milliseconds."""

    channel: str
    target: str
    actor: str
    reason: str
    since: int

    @property
    def words(self) -> str:
        """Who and why."""
        return f"{self.actor}: {self.reason}"


def key(channel: str, target: str) -> str:
    """Key of the row."""
    return f"{channel}/{target}"


def row(state: OperatorState, now: int) -> PauseRow:
    """The row of a pause that begins."""
    return PauseRow(state.channel, state.target, state.actor, state.reason, now)


def in_force(get: Callable[[str], PauseRow | None], channel: str, sku: str) -> PauseRow | None:
    """The pause that a SKU's listing at a channel falls under: the channel's, or its own; None where it may be written to."""
    return get(key(channel, WHOLE)) or get(key(channel, sku))
