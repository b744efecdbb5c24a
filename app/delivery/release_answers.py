"""What an answer of the warehouse about an order leads to, inside the commit of its row: what ORDERS is told, what is looked at again, what is for a person.

It calls nobody; what an answer means for the row is decided by `tables/deliveries/releases.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.emit import Emitter
from app.connectors.contract import GoodsOut, Warehouse
from app.delivery.at_work import AtWork
from app.delivery.desk import Desk
from app.delivery.stock import mark_dirty
from app.engine.api import Context
from schemas import catalogue as topics
from schemas.records import WarehouseOrder
from tables.deliveries import releases as rules
from tables.deliveries.release_row import AtWarehouse, ReleaseRow


@dataclass(frozen=True, slots=True)
class Settled:
    """What a commit made of an order: its SKUs, whether ORDERS was told something."""

    skus: tuple[str, ...]
    news: bool


class ReleaseAnswers:
    """Rows of the releases of one warehouse, inside cycles."""

    def __init__(self, desk: Desk, connector: Warehouse, at_work: AtWork) -> None:
        self._desk, self._connector, self._at_work = desk, connector, at_work

    def keep_due(self, context: Context, row: ReleaseRow) -> None:
        """What is to be looked at again is found by the next owner, too."""
        if not rules.watched(row, picks=self._connector.processes_picks):
            self._desk.is_done(context, "order", row.reference)
        elif row.absent_from or not rules.pending(row):
            self._desk.is_due(context, "order", row.reference, row.absent_from or row.since)

    def tell_stuck(self, context: Context, emit: Emitter, row: ReleaseRow) -> None:
        """Goods outs of one order that the warehouse has begun with are for a person, and one that makes no progress."""
        text = rules.standing(row, self._desk.settings.delivery.progress_level, context.now_ms)
        if row.doubled:
            text = f"Clarus has several goods outs of this order: {', '.join(row.doubled)}. Cancel all but one there"
        if text:
            self._desk.open_trouble(context, emit, "stuck_order", row.order_key, text)
        else:
            self._desk.resolve_trouble(context, emit, "stuck_order", row.order_key)

    def answer(
        self, context: Context, emit: Emitter, row: ReleaseRow, answers: Sequence[WarehouseOrder], opened: bool
    ) -> None:
        """Commit the row, tell ORDERS, have the SKUs read again. `opened`: an answer to the newest command was owed before."""
        if opened and row.answered >= row.version:
            self._ended(row, answers)
        context.put(self._desk.tables.releases, row.reference, row)
        self._at_work.note(context, row)
        self.keep_due(context, row)
        for answer in answers:
            emit.send(topics.ORDERS_EVENTS, row.order_key, answer)
        if answers:
            mark_dirty(self._desk, context, row.skus, row.reference if rules.moves_stock(row) else "")
            self._desk.resolve_trouble(context, emit, "delivery_failed", row.order_key)

    def _ended(self, row: ReleaseRow, answers: Sequence[WarehouseOrder]) -> None:
        if any(answer.status in ("REFUSED", "CANCEL_REFUSED", "CHANGE_REFUSED") for answer in answers):
            self._desk.ended("order", "failed")
        else:
            self._desk.confirmed("order", row.caused_at if row.wms_id else 0)
            row.caused_at = 0 if row.wms_id else row.caused_at


def seen(order: GoodsOut) -> AtWarehouse:
    """A goods out as the rules want it."""
    ordered = {sku: ordered for sku, (ordered, _) in order.lines.items()}
    return AtWarehouse(order.wms_id, order.status, order.warehouse, ordered)
