"""What may be done about an exception, and the command for it. Who may ask is decided by the caller; what follows, by the rows that hold it."""

from collections.abc import Sequence

from app.errors import Problem
from app.operations import send_all
from app.settings import Settings
from schemas.records import ExceptionState, OperatorCommand
from tables.exceptions import CATALOGUE
from tables.handling import Action

LONGEST_REASON = 500


def obstacle(one: ExceptionState, action: Action) -> str:
    """Why it cannot be done, with what to do instead; empty where it can."""
    if one.state == "RESOLVED":
        still = one.holder.startswith("order/") and action == "retry"
        more = f"; clarus-stream why {one.holder.removeprefix('order/')} says whether the order waits" if still else ""
        return f"it is resolved already{more}"
    if not one.holder:
        return "it is the ledger's own: the next read-back that agrees resolves it (clarus-stream resync CHANNEL)"
    if action == "acknowledge" and one.state == "ACKNOWLEDGED":
        return f"it is acknowledged already, see clarus-stream exceptions show {one.exception_id}"
    kind = CATALOGUE.get(one.type)
    if action == "retry" and (kind is None or not kind.retry):
        return "there is nothing that can be sent again: resolve it when it is put right"
    return ""


def act(settings: Settings, chosen: Sequence[ExceptionState], action: Action, actor: str, reason: str) -> list[str]:
    """Write a command for each; where they lie. `Problem` where one cannot be done: then nothing is written."""
    words = reason.strip()
    if not words or len(words) > LONGEST_REASON:
        raise Problem(f"the reason must have 1 to {LONGEST_REASON} characters", 2)
    for one in chosen:
        if why := obstacle(one, action):
            raise Problem(f"{one.exception_id}: {why}")
    commands = [
        OperatorCommand(action=action, target=one.exception_id, actor=actor, reason=words, holder=one.holder)
        for one in chosen
    ]
    return send_all(settings, commands)
