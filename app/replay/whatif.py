"""The same rows under another configuration: which listings would be offered other figures. It changes no row."""

from app.engine.cycle import Naming, Scope
from app.engine.store import Store
from app.replay.report import SHOWN, Changed, PartitionReport
from app.replay.scratch import STOCK, scratch_state
from tables.stock.publish import publish
from tables.stock.rows import ListingState, Rules


def what_if(report: PartitionReport, store: Store, rules: Rules, sku: str) -> None:
    """Add to the report what every row (or one SKU's) would give under `rules`."""
    scope = Scope(report.partition, 0, store, Naming("", ""))
    for _, value in store.scan(STOCK.key(sku)):
        row = STOCK.decode(value)
        if sku and row.sku != sku:
            continue
        state = scratch_state(scope)
        before = {name: (known.available, known.inc, known.dec) for name, known in row.listings.items()}
        publish(state, rules, row.sku, "policy")
        after = state.sku(row.sku)
        scope.changes.clear()
        for name, known in (after.listings if after is not None else {}).items():
            _add(report, row.sku, name, before.get(name, (-1, 0, 0)), known)


def _add(report: PartitionReport, sku: str, listing: str, before: tuple[int, int, int], known: ListingState) -> None:
    available, inc, dec = before
    if before == (known.available, known.inc, known.dec):
        return
    report.changes += 1
    if len(report.changed) < SHOWN:
        report.changed.append(Changed(sku, listing, available, known.available, inc, known.inc, dec, known.dec))
