"""Any order of any events: nothing is lost or counted twice, states go as the life-cycle's table says, and every effect happens once.

What is judged is what the others are told: the ledger, the warehouse, the storefront and subscribers. The warehouse here is a memory of what it was asked
and answered, kept by the test alone.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import (
    Address,
    CancelOrder,
    DemandLine,
    ExceptionCommand,
    ExceptionState,
    NormalisedOrder,
    NoteOrder,
    OrderSnapshot,
    ReleaseOrder,
    ShipmentOutcome,
    ShipParcel,
    WarehouseDespatch,
    WarehouseOrder,
    WarehouseParcel,
)
from tables.goods_out import eaches_of
from tables.orders import answers, attention, fold, shipping
from tables.orders.demand import read
from tables.orders.despatch import delivered, needs_of
from tables.orders.effects import Effect, new_row
from tables.orders.lifecycle import FORWARD, TABLE
from tables.orders.rows import OrderRow
from tables.orders.telling import telling
from tests.unit.orders.test_fold import CATALOGUE, RULES, line, order

TOLD = replace(RULES, told=frozenset({"shop"}))
EDGES: dict[str, set[str]] = {}
for _row in TABLE:
    for _state in _row.states:
        EDGES.setdefault(_state, set()).add(_row.to)
STATUSES = ["DRAFT", "PENDING", "ALLOCATED", "PART_ALLOCATED", "PICK", "COMPLETED", "CANCELLED", "DELETED"]
PROGRESS = {"DRAFT": 0, "PENDING": 0, "PART_ALLOCATED": 1, "ALLOCATED": 1, "PICK": 2, "COMPLETED": 3}
REFUSALS = ["REFUSED", "CANCEL_REFUSED", "CHANGE_REFUSED", "UNMAPPED"]


@dataclass(frozen=True)
class Answer:
    """An answer; `confirms`: it says that the goods out is what was asked last. `lines`: what the warehouse made of it by itself."""

    status: str
    there: bool = True
    confirms: bool = False
    lines: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The storefront's answer about one of the parcels; `late`: to a command before the newest."""

    which: int
    state: str
    late: bool


@dataclass(frozen=True)
class Command:
    """An operator's."""

    kind: str
    action: str


def is_out(row: OrderRow) -> bool:
    """Is anything of it out of the warehouse?"""
    return any(any(parcel.contents.values()) for parcel in row.parcels.values() if parcel.wanted)


@dataclass
class World:
    """What everybody was told, and what follows from it."""

    row: OrderRow = field(default_factory=lambda: new_row("shop", "7"))
    ledger: dict[tuple[str, str], DemandLine] = field(default_factory=dict)
    creates: int = 0
    may_create: int = 1
    may_cancel: int = 1
    there: dict[str, int] = field(default_factory=dict)  # what the warehouse has of it
    asked: ReleaseOrder | None = None
    told: set[tuple[str, int]] = field(default_factory=set)
    open: dict[str, ExceptionState] = field(default_factory=dict)
    note: NoteOrder | None = None
    state: NormalisedOrder | None = None
    by_hand: bool = False
    own_will: bool = False  # the warehouse changed lines by itself, or is done with what left
    at: int = 0

    def play(self, event: Any) -> None:
        row, before = self.row, self.row.state
        self.at += 10
        effects = [*self.fold(row, event), *telling(row, TOLD)]
        for effect in effects:
            self.take(effect, event)
        self.row = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=OrderRow)
        self.judge(before, event)

    def fold(self, row: OrderRow, event: Any) -> list[Effect]:
        match event:
            case OrderSnapshot():
                was = row.snapshot
                seen = msgspec.convert(msgspec.to_builtins(event), OrderSnapshot)
                effects = fold.snapshot(row, seen, RULES, self.at)
                if row.snapshot is seen and was is not None and was.state == "CANCELLED" and seen.state == "OPEN":
                    self.may_cancel += 1
                return effects
            case Answer():
                return self.answer(row, event)
            case WarehouseDespatch():
                self.own_will = self.own_will or event.complete
                out = is_out(row)
                effects = shipping.despatched(row, msgspec.structs.replace(event, read_at=self.at), RULES, self.at)
                if out and not is_out(
                    row
                ):  # a part that left was taken back: a cancel that was refused may be asked again
                    self.may_cancel += 1
                return effects
            case Outcome():
                parcels = list(row.parcels.values())
                if not parcels:
                    return []
                parcel = parcels[event.which % len(parcels)]
                outcome = ShipmentOutcome(
                    parcel_id=parcel.parcel_id,
                    version=parcel.sent - 1 if event.late else parcel.sent,
                    state=event.state,  # type: ignore[arg-type]
                )
                return shipping.shipment(row, outcome, RULES, self.at)
            case Command():
                known = row.exceptions.get(event.kind)
                if event.action == "resolve" and event.kind == "late_change" and known is not None:
                    self.by_hand = True
                if event.action == "retry" and event.kind == "late_change" and known is not None and row.cancel_asked:
                    self.may_cancel += 1
                command = ExceptionCommand(
                    channel="shop",
                    exception_id=f"{event.kind}:shop:A7",
                    action=event.action,  # type: ignore[arg-type]
                    actor="x",
                    reason="y",
                )
                return attention.command(row, command, RULES, self.at)
        raise AssertionError(event)

    def answer(self, row: OrderRow, event: Answer) -> list[Effect]:
        holds = row.asked.version if row.asked is not None and event.confirms else 0
        if holds and self.asked is not None:
            self.there = eaches_of(self.asked)
        self.own_will = self.own_will or bool(event.lines)
        gone = event.status in ("CANCELLED", "DELETED")
        if PROGRESS.get(event.status, 9) < PROGRESS.get(row.wms_status, 0):
            self.may_cancel += 1
        if (gone and not event.there) or (event.status == "REFUSED" and row.state in ("HELD", "RELEASING", "RECEIVED")):
            self.may_create, self.may_cancel = self.creates + 1, self.may_cancel + 1
        if gone or event.status == "REFUSED":
            self.there = {} if gone or row.state in ("HELD", "RELEASING") else self.there
        answer = WarehouseOrder(
            reference="shop:7",
            status=event.status,  # type: ignore[arg-type]
            wms_id="1" if event.there else "",
            detail="no",
            holds=holds,
            ordered=dict(event.lines),
        )
        return answers.warehouse(row, answer, RULES, self.at)

    def take(self, effect: Effect, event: Any) -> None:
        match effect:
            case DemandLine():
                known = self.ledger.get((effect.sku, effect.line_id))
                assert known is None or effect.version > known.version, "a line is told under a version of its own"
                self.ledger[effect.sku, effect.line_id] = effect
            case ReleaseOrder():
                assert self.row.snapshot is not None and self.row.snapshot.state == "OPEN"
                assert effect.lines, "an empty goods out"
                self.asked = effect
                if not effect.amends:
                    self.creates += 1
                    self.there = eaches_of(effect)
                    assert self.creates <= self.may_create, "two creates"
            case CancelOrder():
                self.may_cancel -= 1
                assert self.may_cancel >= 0, "two cancels for one ask"
            case ShipParcel():
                assert (effect.parcel_id, effect.version) not in self.told, "a parcel is told twice"
                self.told.add((effect.parcel_id, effect.version))
            case NoteOrder():
                assert self.note is None or effect.version > self.note.version, (
                    "a note is told under a version of its own"
                )
                assert effect.open or (self.note is not None and self.note.open), "nothing that was said is over"
                self.note = effect
            case ExceptionState():
                if effect.state == "RESOLVED":
                    assert self.open.pop(effect.type, None) is not None, f"{effect.type} was not open"
                else:
                    self.open[effect.type] = effect
            case NormalisedOrder():
                self.state = effect

    def judge(self, before: str, event: Any) -> None:
        row = self.row
        assert set(self.open) == set(row.exceptions)
        if row.snapshot is not None:
            assert self.state is not None and (self.state.state, self.state.reason) == (row.state, row.reason)
        late = row.exceptions.get("late_change")
        assert (self.note.text if self.note is not None and self.note.open else "") == (late.detail if late else "")
        self.judge_state(before, event)
        self.judge_demand()
        self.judge_parcels()

    def judge_state(self, before: str, event: Any) -> None:
        row = self.row
        reached, steps = {before}, {before}
        for _ in range(4):
            steps = {to for state in steps for to in EDGES.get(state, set())}
            reached |= steps
        assert row.state in reached, f"{before} → {row.state} is not in the table"
        rank = {state: n for n, state in enumerate(FORWARD)}
        if rank.get(row.state, 99) < rank.get(before, -1):
            told = isinstance(event, (Answer, Outcome, WarehouseDespatch))
            assert told, (
                f"{before} → {row.state} is a step back that only the warehouse or the storefront's parcels explain"
            )
        assert row.state != "READY"
        assert row.state != "COMPLETED" or delivered(row)
        assert row.state != "MANUAL_STOP" or "late_change" in row.exceptions

    def judge_demand(self) -> None:
        row = self.row
        counted = {key: told for key, told in self.ledger.items() if told.state != "CLOSED"}
        assert {
            (demand.product, line_id): (demand.eaches, demand.units)
            for line_id, demand in row.demands.items()
            if demand.state != "CLOSED"
        } == {key: (told.eaches, told.units) for key, told in counted.items()}, "the ledger knows what the row says"
        if row.snapshot is None or row.snapshot.excluded is not None:
            return
        taken: dict[str, int] = {}
        for told in self.ledger.values():
            if told.listing is not None and "/" not in told.line_id:
                taken[told.listing] = taken.get(told.listing, 0) + told.units
        sold: dict[str, int] = {}
        for one in row.snapshot.lines:
            listing = CATALOGUE.find("shop", one.sku, "")
            if listing is not None and one.quantity:
                sold[listing.id] = sold.get(listing.id, 0) + one.quantity
        assert {k: n for k, n in taken.items() if n} == sold, "what the storefront lowered is counted as it shows it"
        total: dict[str, int] = {}
        for told in counted.values():
            if told.eaches:
                total[told.sku] = total.get(told.sku, 0) + told.eaches
        if row.state == "CANCELLED":
            assert not counted, "a cancelled order wants nothing"
        elif not self.by_hand:
            if row.snapshot.state == "OPEN" and row.wms_status != "COMPLETED":
                for sku, eaches in self.wanted().items():
                    assert total.get(sku, 0) >= eaches, f"{sku} is wanted and not counted"
            if row.released and row.held is None and row.snapshot.state == "OPEN" and not self.own_will:
                assert total == self.wanted(), "where both sides agree nothing more is counted"
            for held in (self.there, eaches_of(row.asked) if row.asked is not None else {}):
                for sku, eaches in held.items() if not self.own_will else ():
                    assert total.get(sku, 0) >= eaches, f"{sku} may leave the warehouse and is not counted"

    def wanted(self) -> dict[str, int]:
        assert self.row.snapshot is not None
        total: dict[str, int] = {}
        for need in needs_of(self.row.snapshot, read(self.row.snapshot, CATALOGUE), CATALOGUE):
            for code, each in need.eaches.items():
                total[code] = total.get(code, 0) + each * need.units
        return {code: eaches for code, eaches in total.items() if eaches}

    def judge_parcels(self) -> None:
        row = self.row
        left: dict[str, int] = {}
        for parcel in row.parcels.values():
            for code, eaches in parcel.contents.items() if parcel.wanted else ():
                left[code] = left.get(code, 0) + eaches
        counted: dict[str, int] = dict(row.spare)
        each = {"1": {"MUG": 1}, "2": {"MUG": 12}, "3": {"MUG": 2, "CARD": 1}, "4": {"CARD": 1}}
        for parcel in row.parcels.values():
            for line_id, units in parcel.units.items():
                for code, n in each[line_id].items():
                    counted[code] = counted.get(code, 0) + units * n
        assert {k: n for k, n in left.items() if n} == {k: n for k, n in counted.items() if n}, "eaches are conserved"


SKUS = {"1": "M1", "2": "M12", "3": "B1", "4": "C1"}


@st.composite
def snapshots(draw: st.DrawFn) -> OrderSnapshot:
    quantities = draw(st.dictionaries(st.sampled_from(sorted(SKUS)), st.integers(0, 3), max_size=3))
    lines = [line(SKUS[line_id], quantity, line_id) for line_id, quantity in quantities.items()]
    if draw(st.integers(0, 9)) == 0:
        lines.append(line("GHOST", 1, "9"))
    return order(
        *lines,
        version=draw(st.integers(1, 6)),
        paid=draw(st.booleans()),
        state=draw(st.sampled_from(["OPEN", "OPEN", "OPEN", "CANCELLED"])),
        address=Address(name="A", line1=draw(st.sampled_from(["1 High St", "2 Low St"])), country="GB"),
        shipping_method=draw(st.sampled_from(["", "", "express", "drone"])),
    )


PARCELS = st.lists(
    st.builds(
        lambda n, mugs, cards: WarehouseParcel(
            parcel_id=str(n), tracking=f"T{n}", lines={k: v for k, v in (("MUG", mugs), ("CARD", cards)) if v}
        ),
        st.integers(1, 3),
        st.integers(0, 6),
        st.integers(0, 2),
    ),
    max_size=3,
    unique_by=lambda parcel: parcel.parcel_id,
)
EVENTS = st.one_of(
    snapshots(),
    snapshots(),
    st.builds(
        Answer,
        st.sampled_from([*STATUSES, *STATUSES, *REFUSALS]),
        st.booleans(),
        st.booleans(),
        st.sampled_from([(), (), (("MUG", 1),), (("MUG", 2), ("CARD", 1))]),
    ),
    st.builds(
        lambda parcels, complete: WarehouseDespatch(
            reference="shop:7", wms_id="1", read_at=0, complete=complete, parcels=parcels
        ),
        PARCELS,
        st.booleans(),
    ),
    st.builds(Outcome, st.integers(0, 2), st.sampled_from(["SHIPPED", "REMOVED", "REFUSED"]), st.booleans()),
    st.builds(
        Command,
        st.sampled_from(["late_change", "stuck_order", "delivery_failed", "unmapped_sku", "despatch_gap"]),
        st.sampled_from(["acknowledge", "resolve", "retry"]),
    ),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.integers(1, 2)), max_size=14))
def test_any_order_of_any_events(events: list[tuple[Any, int]]) -> None:
    world = World()
    for event, times in events:
        for _ in range(times):
            world.play(event)


def test_the_test_would_see_a_second_create() -> None:
    world = World()
    world.play(order(line("M1", 1)))
    world.row.released, world.row.state = False, "HELD"
    with pytest.raises(AssertionError, match="two creates"):
        world.play(order(line("M1", 1), version=2))
