"""How Clarus' figures are read: whole eaches, and what of a line `available` no longer contains (`ledger.md` R1, finding 24). Pure."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from app.connectors.clarus.client import PEER
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.errors import Malformed


def eaches(row: Mapping[str, Any], field: str) -> int:
    """A decimal quantity as whole eaches, rounded down; a missing one is 0."""
    value = row.get(field)
    if value is None:
        return 0
    try:
        return int(Decimal(str(value)).to_integral_value(rounding="ROUND_FLOOR"))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise Malformed(PEER, field, f"{value!r} is not a quantity") from error


def handled(row: Mapping[str, Any], settings: ClarusSettings) -> int:
    """Eaches of a line that are allocated, picked or despatched."""
    parts = [eaches(row, field) for field in ("allocated_quantity", "pick_quantity", "dispatch_quantity")]
    return sum(parts) if settings.line_quantities == "exclusive" else max(parts)


def out(row: Mapping[str, Any], settings: ClarusSettings) -> int:
    """Eaches of a line that `available` no longer contains."""
    match settings.release_point:
        case "created":
            return max(eaches(row, "order_quantity"), handled(row, settings))
        case "allocated":
            return handled(row, settings)
        case "despatched":
            return eaches(row, "dispatch_quantity")


def status(code: object, settings: ClarusSettings) -> str:
    """A tenant's status code as a standard one, in upper case (fact sheet 6.4: never by id or name)."""
    upper = str(code).upper()
    return settings.statuses.get(upper, upper)


def open_statuses(settings: ClarusSettings) -> list[str]:
    """The statuses whose lines are read: those that hold stock, and waiting ones where `available` drops at creation."""
    more = ["PENDING"] if settings.release_point == "created" else []
    return [*settings.open_statuses, *(code for code in more if code not in settings.open_statuses)]
