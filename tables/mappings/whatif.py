"""What becomes of an order under given mappings, as if it were seen for the first time: the ordinary rules over a row that nobody keeps. Pure."""

from dataclasses import dataclass, field

import msgspec

from schemas.records import OrderSnapshot, ReleaseOrder
from tables.mappings.force import OrdersForce
from tables.mappings.statuses import meant
from tables.orders import fold
from tables.orders.effects import new_row


@dataclass(frozen=True, slots=True)
class Outcome:
    """State and reason; what holds it, by type of exception; and what the warehouse would be told: eaches by product, carrier, service, warehouse, texts."""

    state: str
    reason: str
    holds: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    carrier: str = ""
    service: str = ""
    warehouse: str = ""
    texts: dict[str, str] = field(default_factory=dict)


def outcome(seen: OrderSnapshot, force: OrdersForce) -> Outcome:
    """Under these mappings."""
    row = new_row(seen.channel, seen.order_id)
    given = msgspec.structs.replace(meant(seen, force.meanings))
    effects = fold.snapshot(row, given, force.rules_of(seen.channel), seen.modified_at)
    holds = {kind: one.detail for kind, one in row.exceptions.items()}
    release = next((effect for effect in effects if isinstance(effect, ReleaseOrder)), None)
    if release is None:
        return Outcome(row.state, row.reason, holds)
    lines: dict[str, int] = {}
    for line in release.lines:
        lines[line.sku] = lines.get(line.sku, 0) + line.eaches
    texts = dict(sorted(release.texts.items()))
    return Outcome(
        row.state, row.reason, holds, lines, release.carrier, release.service, release.warehouse or "", texts
    )


def differences(now: Outcome, then: Outcome) -> list[str]:
    """What would be otherwise, in words."""
    found = []
    if (now.state, now.reason) != (then.state, then.reason):
        found.append(f"{_state(now)} → {_state(then)}")
    for name in ("carrier", "service", "warehouse"):
        before, after = getattr(now, name), getattr(then, name)
        if before != after and now.state == then.state:
            found.append(f"{name} {before or 'none'} → {after or 'none'}")
    if now.lines != then.lines and then.lines:
        found.append(f"lines {_lines(now)} → {_lines(then)}" if now.lines else f"lines {_lines(then)}")
    changed = [name for name in {**now.texts, **then.texts} if now.texts.get(name) != then.texts.get(name)]
    if changed and now.state == then.state:
        found.append(f"texts: {', '.join(sorted(changed))}")
    return found


def _state(one: Outcome) -> str:
    return f"{one.state.lower()} ({one.reason})" if one.reason else one.state.lower()


def _lines(one: Outcome) -> str:
    return ", ".join(f"{eaches} x {sku}" for sku, eaches in one.lines.items()) or "none"
