"""The availability agent on a batch of records: what goes where, once a batch, with ids that a replay repeats."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.availability import Availability, PartitionState, StockTables
from agents.watch import Unwatched
from schemas import catalogue as topics
from schemas.codec import Codecs
from schemas.records import Event, Record, StockTarget
from tables.stock.figures import UNREADY, Parts
from tables.stock.rows import OrderLines
from tests.unit.stock.memory import MUG, baseline, level, line, read_back, rules, watermark

CODECS = Codecs()
Sent = tuple[str, str, int | None, Event[Any], Mapping[str, str] | None]


@dataclass
class Table:
    name: str


@dataclass
class One:
    offset: int
    value: bytes | None
    key: bytes = b"MUG"
    timestamp: int = 0
    headers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class OneBatch:
    """`api.Batch` on dictionaries."""

    rows: dict[str, dict[str, Any]]
    records: list[One]
    partition: int = 3
    now_ms: int = 0
    topic: str = "inventory.events"
    sent: list[Sent] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    def get(self, table: Any, key: str) -> Any:
        return self.rows.setdefault(table.name, {}).get(key)

    def put(self, table: Any, key: str, row: Any) -> None:
        self.rows.setdefault(table.name, {})[key] = row

    def delete(self, table: Any, key: str) -> None:
        self.rows.setdefault(table.name, {}).pop(key, None)

    def scan(self, table: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
        found = self.rows.setdefault(table.name, {})
        yield from sorted((k, row) for k, row in found.items() if k.startswith(prefix))

    def send(
        self,
        topic: str,
        key: str,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.sent.append((topic, key, partition, CODECS[topic].decode(value), headers))

    def dead_letter(self, record: Any, reason: str) -> None:
        self.dead.append(reason)

    def __enter__(self) -> "OneBatch":
        return self

    def __exit__(self, *exc: object) -> bool:
        return False


def tables() -> StockTables:
    return StockTables(*map(Table, ("stock", "stock_lines", "watermarks", "sweeps", "differences")))


class Adds(Unwatched):
    """What the rows last added to the sums."""

    def __init__(self) -> None:
        self.parts: dict[str, Parts] = {}

    def adds(self, partition: int, key: str, parts: Parts) -> None:
        self.parts[key] = parts


class Worker:
    """Batches of one partition, one after the other."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.offset = 0
        self.watch = Adds()
        self.agent = Availability(rules(), CODECS, tables(), {"shop": 7}.__getitem__, self.watch)

    def __call__(self, *bodies: Record | bytes) -> OneBatch:
        records = []
        for body in bodies:
            value = body if isinstance(body, bytes) else self.encode(body)
            records.append(One(self.offset, value))
            self.offset += 1
        batch = OneBatch(self.rows, records)
        with batch:
            self.agent.fold(batch)
        return batch

    @staticmethod
    def encode(body: Record) -> bytes:
        event = Event(event_id="e", occurred_at=5, received_at=6, source="test", trace="00-aa-bb-01", body=body)
        return CODECS[topics.INVENTORY_EVENTS].encode(event)


def of(batch: OneBatch, topic: topics.Topic) -> list[Sent]:
    return [one for one in batch.sent if one[0] == topic.name]


def started() -> Worker:
    worker = Worker()
    worker(level(1, 10), baseline(), watermark(4000))
    return worker


def test_a_target_goes_to_the_channels_partition_under_its_listing() -> None:
    batch = Worker()(level(1, 10), baseline(), watermark(4000))
    ((topic, key, partition, event, _),) = of(batch, topics.CHANNEL_COMMANDS)
    assert (topic, key, partition) == ("channel.commands", f"stock/{MUG.id}", 7)
    assert isinstance(event.body, StockTarget) and event.body.inc == 10
    assert (event.occurred_at, event.trace, event.source) == (5, "00-aa-bb-01", "availability")


def test_a_product_is_found_by_its_channels_watermark_only_while_it_waits() -> None:
    worker = Worker()
    worker(level(1, 10), baseline())
    (waits,) = (key for key in worker.rows["watermarks"] if key.startswith("wait/"))
    assert worker.rows["watermarks"][waits].due == worker.rows["stock"]["MUG"].waits["shop"] > 0
    worker(watermark(4000))
    assert waits not in worker.rows["watermarks"]
    assert worker.rows["stock"]["MUG"].waits == {}


def test_a_listing_that_waits_for_the_watermark_of_a_new_baseline_is_counted() -> None:
    """Nothing else shows that something is still to come: the channel has nothing pending until the ledger publishes."""
    worker = started()

    def unready() -> int:
        return sum(amount for (name, _), amount in worker.watch.parts["stock/MUG"] if name == UNREADY)

    never = unready()  # another listing of the product never had a baseline
    worker(baseline(at=5000, epoch=2))
    assert unready() == never + 1
    worker(watermark(9000))
    assert unready() == never


def test_a_batch_sends_one_target_a_listing() -> None:
    batch = started()(level(2, 9), level(3, 5), level(4, 8))
    assert [one[3].body.inc for one in of(batch, topics.CHANNEL_COMMANDS)] == [8]


def test_a_figure_that_moved_and_came_back_costs_nothing() -> None:
    assert started()(level(2, 9), level(3, 10)).sent == []


def test_what_is_available_is_public_with_its_headers() -> None:
    batch = started()(line("1", 2))
    ((_, key, partition, event, headers),) = of(batch, topics.INVENTORY_AVAILABILITY)
    assert (key, partition, event.body.available, event.body.cause) == ("MUG", None, 8, "order")
    assert headers is not None and headers["ce_type"].endswith("AvailableToSell")


def test_a_correction_goes_out_under_its_own_key() -> None:
    batch = started()(read_back(8, 9000, 10), watermark(9000))
    ((_, key, partition, event, _),) = of(batch, topics.CHANNEL_COMMANDS)
    assert (key, partition, event.body.drift) == (f"correct/{MUG.id}", 7, -2)


def test_component_stock_goes_to_the_bundles_partition() -> None:
    (one,) = of(Worker()(level(1, 10)), topics.INVENTORY_EVENTS)
    assert (one[1], one[2], one[3].body.component) == ("BOX", None, "MUG")


def test_the_orders_of_a_product_are_not_those_of_one_whose_code_begins_with_it() -> None:
    batch = OneBatch({}, [])
    state = PartitionState(batch, tables())
    for sku, reference in (("MUG", "shop:1"), ("MUG", "shop:2"), ("MUG/RED", "shop:3"), ("MUG2", "shop:4")):
        state.put_lines(sku, reference, OrderLines())
    assert list(state.references("MUG")) == ["shop:1", "shop:2"]
    assert list(state.references("MUG/RED")) == ["shop:3"]


def test_a_replay_gives_the_same_records() -> None:
    bodies = [level(1, 10), baseline(), watermark(4000), line("1", 2), read_back(8, 9000, 10), watermark(9000)]
    first, second = Worker()(*bodies).sent, Worker()(*bodies).sent
    assert first == second
    ids = [one[3].event_id for one in first]
    assert len(ids) == len(set(ids))


def test_a_record_that_cannot_be_read_is_set_aside_and_the_rest_goes_on() -> None:
    batch = started()(b"nonsense", line("1", 2))
    assert len(batch.dead) == 1
    assert len(of(batch, topics.INVENTORY_AVAILABILITY)) == 1


def test_nothing_waits_in_the_tables_when_all_is_judged() -> None:
    worker = started()
    worker(read_back(10, 9000, 10))
    assert [key for key in worker.rows["watermarks"] if key.startswith("wait/")] == ["wait/shop/MUG"]
    worker(watermark(9000))
    assert [key for key in worker.rows["watermarks"] if key.startswith("wait/")] == []
