"""How far people are with an open exception: its phase, who did what and why. One piece of every row that keeps an exception. Pure."""

from typing import Final, Literal

import msgspec

from schemas.records import ExceptionPhase, ExceptionStep

Action = Literal["acknowledge", "resolve", "retry"]
ACTIONS: Final = ("acknowledge", "resolve", "retry")
FOUND: Final = ("differs", "agrees")
"""What an audit says of a difference: it is there, or it is gone."""
KEPT: Final = 20
"""Steps that are kept: the first and the newest."""


class Handling(msgspec.Struct, array_like=True):
    """Phase and last steps; without steps in a row of an older version."""

    phase: ExceptionPhase = "OPEN"
    history: list[ExceptionStep] = []

    def note(self, at: int, action: str, actor: str = "", reason: str = "") -> None:
        """One more step; the phase follows from it."""
        self.history.append(ExceptionStep(at=at, action=action, actor=actor, reason=reason))
        if len(self.history) > KEPT:
            del self.history[1]
        if action == "acknowledge":
            self.phase = "ACKNOWLEDGED"
        elif action in ("resolve", "resolved", "agrees"):
            self.phase = "RESOLVED"

    @property
    def last(self) -> ExceptionStep:
        """The newest step."""
        return self.history[-1] if self.history else ExceptionStep(at=0, action="", actor="", reason="")


def opened(at: int) -> Handling:
    """Of an exception that is opened now."""
    fresh = Handling()
    fresh.note(at, "opened")
    return fresh
