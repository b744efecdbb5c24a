"""Whether a channel is written to at all: live, or in shadow, where everything is computed and compared and nothing is sent. Pure.

One row in the channel's partition, written when the channel first starts in shadow and by every change. Without a row the configuration decides; with one
its `mode` is only where the channel began.
"""

import msgspec

from schemas.records import ChannelMode

CONFIGURED = "configuration"
"""Who decided it, where no operator did."""


class ModeRow(msgspec.Struct, array_like=True, frozen=True):
    """The mode in force, who decided it and why. `since`: our milliseconds."""

    channel: str
    shadow: bool
    actor: str
    reason: str
    since: int


def started(channel: str, now: int) -> ModeRow:
    """The row of a channel that the configuration starts in shadow."""
    return ModeRow(channel, True, CONFIGURED, "mode: shadow", now)


def changed(known: ModeRow | None, command: ChannelMode, now: int) -> ModeRow | None:
    """The row after an operator's command; None where it changes nothing. Without a row going live counts: it takes a new baseline."""
    if known is not None and known.shadow is command.shadow:
        return None
    return ModeRow(command.channel, command.shadow, command.actor, command.reason, now)
