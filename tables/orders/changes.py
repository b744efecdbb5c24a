"""What its storefront changes of an order after it was released, and cancels: the warehouse's answer wins. Pure."""

from schemas.records import CancelOrder, OrderSnapshot
from tables.orders.demand import Reading, demands_of
from tables.orders.effects import Effect, move
from tables.orders.exceptions import judge, resolve_all
from tables.orders.lifecycle import Event
from tables.orders.lines import tell
from tables.orders.rows import OrderRow, gone
from tables.orders.rules import Rules


def after_release(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, now: int) -> list[Effect]:
    """Until the warehouse amends it, a released line keeps at least the eaches it was released with; what the storefront lowered follows the storefront."""
    wanted = demands_of(seen, reading, rules.catalogue, "OPEN")
    changed = False
    for line_id, old in row.demands.items():
        new = wanted.get(line_id)
        if new is None:
            wanted[line_id], changed = gone(old, old.state), changed or old.units > 0
        else:
            changed = changed or new.eaches != old.eaches
            new.eaches, new.state = max(new.eaches, old.eaches), old.state
    changed = changed or (bool(row.demands) and any(line_id not in row.demands for line_id in wanted))
    effects = tell(row, wanted)
    if changed and move(row, Event.STOP, "changed at the storefront after its release"):
        effects += judge(row, "late_change", "lines changed after the release: tell the warehouse", now)
    return effects


def cancelled(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules) -> list[Effect]:
    """Before the release it is closed at once; afterwards the warehouse is asked once and its answer decides."""
    if not row.released:
        move(row, Event.CANCEL)
        effects = tell(row, demands_of(seen, reading, rules.catalogue, "CLOSED"))
        return [*effects, *resolve_all(row, seen.modified_at)]
    closing = demands_of(seen, reading, rules.catalogue, "CANCELLING")
    for line_id, old in row.demands.items():
        new = closing.setdefault(line_id, old)
        new.eaches = max(new.eaches, old.eaches)
        new.state = old.state if old.state == "CLOSED" or row.state == "CANCELLED" else "CANCELLING"
    effects = tell(row, closing)
    if not row.cancel_asked and move(row, Event.CANCEL):
        row.cancel_asked = True
        effects.append(CancelOrder(channel="clarus", order_key=row.key, reference=row.reference, version=row.revision))
    return effects
