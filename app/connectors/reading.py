"""How both storefronts' orders are read, whatever they hold: texts, quantities, and an order that cannot be read at all. Pure.

Nothing here refuses an order because of one odd value: what is wrong is written on it, and one order that is not as documented never stands in the way of
the others of its page.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from schemas.records import OrderSnapshot

TEXT: Final = 20_000
"""Characters of one text that are carried; more is no note any more, and records have a size limit."""
FACT: Final = 1_000
FACTS: Final = 100
LINES: Final = 2_000
"""Lines of one order that can be one goods out; a limit of ours, Clarus publishes none."""
_MOST: Final = 1_000_000_000
_LONG: Final = 1 << 62


def text(value: Any, limit: int = TEXT) -> str:
    """Any JSON value as text: localised texts in English or their first language, lists with commas. Halves of surrogate pairs, which no UTF-8 can hold, are
    replaced."""
    if type(value) is str and len(value) <= limit and value.isascii():
        return value.strip()
    if value is None:
        return ""
    match value:
        case "":
            return ""
        case str():
            found = value
        case bool():
            found = "true" if value else "false"
        case Mapping():
            found = text(value.get("en") or value.get("label") or value.get("key") or next(iter(value.values()), ""))
        case list():
            found = ", ".join(filter(None, (text(one, limit) for one in value[:FACTS])))
        case _:
            found = str(value)
    if not found.isascii():
        found = found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(found) > limit:
        return f"{found[: limit - 40].rstrip()}… ({limit - 40} of {len(found)} characters)"
    return found.strip()


def word(value: Any) -> str:
    """An identifier: a short text."""
    return text(value, 200)


def facts(*given: tuple[str, Mapping[str, Any] | None]) -> dict[str, str]:
    """Name to text of several groups, each with the prefix of its names; empty ones left out, at most 100."""
    found: dict[str, str] = {}
    for prefix, group in given:
        for name, value in (group or {}).items():
            if len(found) < FACTS and (said := text(value, FACT)):
                found[f"{prefix}{word(name)}"] = said
    return found


def whole(value: Any) -> tuple[int, str]:
    """A quantity as selling units, and what is wrong with it. Of a part of a unit the stock counts a whole one. ValueError where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"a quantity that is no number: {type(value).__name__}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a quantity that is no number")
    if number < 0:
        return 0, f"quantity {number:g} is below 0"
    if number > _MOST:
        return 0, f"quantity {number:g} is beyond reason"
    if number != int(number):
        return math.ceil(number), f"quantity {number:g} is no whole number"
    return int(number), ""


class Faults:
    """What is wrong with the lines of one order, as they are read. `where`: the storefront at which it is put right."""

    def __init__(self, where: str) -> None:
        self._where, self._found, self._ids = where, list[str](), set[str]()

    def quantity(self, value: Any, line: str) -> int:
        """The line's selling units."""
        units, wrong = whole(value)
        if wrong:
            self._found.append(f"line {line}: {wrong}")
        return units

    def unique(self, line_id: str) -> str:
        """The line's id; a second line of the same id is told apart, and held: nobody knows which of them counts."""
        if line_id not in self._ids:
            self._ids.add(line_id)
            return line_id
        self._found.append(f"line {line_id} is there twice")
        return self.unique(f"{line_id}#{len(self._ids)}")

    def said(self) -> dict[str, str]:
        """As `OrderSnapshot.faults`."""
        if not self._found:
            return {}
        more = f" and {len(self._found) - 5} more" if len(self._found) > 5 else ""
        return {
            "unit_mismatch": f"{'; '.join(self._found[:5])}{more}: correct it at {self._where} and the order goes on"
        }


def readable(
    channel: str, order_id: Any, number: Any, modified: int, read: Callable[[], OrderSnapshot]
) -> OrderSnapshot:
    """What `read` makes of an order; where it is not as documented, a snapshot that only says so."""
    try:
        found = read()
        if len(found.lines) > LINES:
            raise ValueError(f"{len(found.lines)} lines, at most {LINES} fit one goods out")
        if not 0 <= found.version < _LONG:
            raise ValueError("its version is no number that can be")
        msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=OrderSnapshot)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, msgspec.ValidationError) as error:
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__} {error}"
        return _unreadable(channel, word(order_id), word(number), modified, text(reason, 300))
    return found


def _unreadable(channel: str, order_id: str, number: str, modified: int, reason: str) -> OrderSnapshot:
    return OrderSnapshot(
        channel=channel,
        order_id=order_id,
        number=number or order_id,
        version=0,
        state="OPEN",
        status="",
        paid=False,
        created_at=modified,
        modified_at=modified,
        lines=[],
        faults={
            "poison_record": f"it is not as documented: {reason}: put it right at {channel}, and it is read again; or enter it at the warehouse by hand"
        },
    )


def one_currency(codes: Iterable[Any], channel: str) -> dict[str, str]:
    """A fault where the amounts of one order are in several currencies."""
    found = sorted({word(code) for code in codes if code})
    if len(found) < 2:
        return {}
    return {"payment_hold": f"its amounts are in {' and '.join(found)}: correct or cancel it at {channel}"}


def several_addresses(count: int, channel: str) -> dict[str, str]:
    """A fault where an order goes to several addresses."""
    if count < 2:
        return {}
    text = f"it ships to {count} addresses, a goods out to one: split it at {channel}, or enter it at the warehouse by hand and complete it there"
    return {"invalid_address": text}
