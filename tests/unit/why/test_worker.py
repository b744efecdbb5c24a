"""A worker explains what lies in its own partitions, says where the rest lies, and two workers together say all of it."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from agents.availability import StockTables
from agents.delivery import DeliveryTables
from app.engine.murmur import partition_of
from app.errors import Problem
from app.settings import OpsSettings
from app.why.ask import NotThereError, ask, default_worker
from app.why.names import near, product_of
from app.why.worker import ExplainedTables, Explainer
from tables.catalogue import Catalogue, Listing, Product
from tables.deliveries.listing import ListingRow
from tables.deliveries.pauses import PauseRow
from tables.deliveries.peers import Bounds, PeerKind
from tables.deliveries.reads import ReadRow
from tables.explain.report import Answer
from tables.stock.rows import Line, ListingState, OrderLines, Rules, SkuRow
from tests.support.engine import MemoryEngine, memory_tables

PARTITIONS = 4
CATALOGUE = Catalogue(
    [
        Product("MUG", listings=(Listing("ct", "M1", "MUG"), Listing("bc", "M-1", "MUG"))),
        Product("MUG/RED", listings=(Listing("ct", "M2", "MUG/RED"),)),
    ],
    [],
    ["MAIN"],
)
TABLES = ExplainedTables(memory_tables(StockTables), memory_tables(DeliveryTables))
BOUNDS: Mapping[str, Bounds] = MappingProxyType({"ct": Bounds(0, 0, 0, 0), "bc": Bounds(0, 0, 0, 0)})


def place(key: str) -> int:
    return partition_of(key, PARTITIONS)


def order(eaches: int) -> OrderLines:
    return OrderLines({"1": Line(version=1, eaches=eaches, state="OPEN", warehouses=["MAIN"])})


@pytest.fixture
def engine() -> MemoryEngine:
    engine = MemoryEngine(PARTITIONS)
    states = {
        f"{x.channel}//{x.sku}": ListingState(epoch=1, ready=True, inc=7, dec=7, sent=True, version=1)
        for x in CATALOGUE.products["MUG"].listings
    }
    row = SkuRow("MUG", read_no=5, free={"MAIN": 10}, demand={"MAIN": 3}, listings=states)

    def stock(context: Any) -> None:
        context.put(TABLES.stock.stock, "MUG", row)
        context.put(TABLES.stock.lines, "MUG/ct:1", order(1))
        context.put(TABLES.stock.lines, "MUG/ct:2", order(2))

    def other(context: Any) -> None:
        context.put(TABLES.stock.lines, "MUG/RED/ct:9", order(8))

    engine.run(place("MUG"), stock)
    engine.run(place("MUG"), other)
    for channel, sku in (("ct", "M1"), ("bc", "M-1")):
        delivered = ListingRow(
            f"{channel}//{sku}", channel, "MUG", epoch=1, version=1, inc=7, dec=7, published=7, high=7, told=1
        )
        engine.run(place(channel), lambda context, x=delivered: context.put(TABLES.delivery.listings, x.listing, x))  # type: ignore[misc]
    engine.run(
        place("bc"),
        lambda context: context.put(TABLES.delivery.pauses, "bc/MUG", PauseRow("bc", "MUG", "kim", "stocktake", 1)),
    )
    engine.run(
        place("clarus"),
        lambda context: context.put(TABLES.delivery.reads, "MUG", ReadRow("MUG", read_no=5, read_at=99)),
    )
    return engine


class Worker:
    """A worker's operations server, asked from outside."""

    def __init__(self, explainer: Explainer) -> None:
        self._app = Starlette(routes=explainer.routes())

    def get(self, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
                return await client.get(path)

        return asyncio.run(ask())


def client(engine: MemoryEngine, name: str = "w1") -> Worker:
    kinds = {"ct": PeerKind.VERSIONED, "bc": PeerKind.RELATIVE}
    explainer = Explainer(engine, Rules(CATALOGUE, PARTITIONS, dict(BOUNDS)), TABLES, kinds, name, place, lambda: 1.0)
    return Worker(explainer)


def get(engine: MemoryEngine, sku: str = "MUG") -> Answer:
    response = client(engine).get(f"/why/sku/{sku}")
    assert response.status_code == 200
    return msgspec.json.decode(response.content, type=Answer)


def test_everything_that_lies_here_is_told(engine: MemoryEngine) -> None:
    answer = get(engine)
    assert answer.ledger is not None and answer.lines is not None and answer.read is not None
    assert [(x.channel, x.inc, x.told_inc) for x in answer.ledger.targets] == [("ct", 7, 7), ("bc", 7, 7)]
    assert (answer.lines.count, answer.lines.eaches) == (2, 3), (
        "lines of another SKU that starts alike are not this one's"
    )
    assert {x.listing: [w.what for w in x.awaits] for x in answer.listings} == {"ct//M1": [], "bc//M-1": ["resume"]}
    assert (answer.read.read_no, answer.read.read_at) == (5, 99)
    assert all(part.here for part in answer.parts)


def test_asking_changes_nothing(engine: MemoryEngine) -> None:
    before = [dict(rows) for rows in engine.rows]
    get(engine)
    assert ([dict(rows) for rows in engine.rows], engine.sent) == (before, [])


def test_what_another_worker_owns_is_named_with_its_partition(engine: MemoryEngine) -> None:
    engine.lost = {place("MUG")}
    answer = get(engine)
    assert answer.ledger is None and answer.lines is None
    [part] = [part for part in answer.parts if part.what == "ledger"]
    assert (part.partition, part.here) == (place("MUG"), False)


def test_a_sku_that_is_not_configured_is_404_with_near_ones(engine: MemoryEngine) -> None:
    response = client(engine).get("/why/sku/MUGG")
    assert response.status_code == 404
    assert "MUG" in response.json()["near"]


def test_a_sku_with_a_slash_is_one_sku(engine: MemoryEngine) -> None:
    assert get(engine, "MUG%2FRED").sku == "MUG/RED"


class Workers(httpx.BaseTransport):
    """Workers by host; nobody listens elsewhere."""

    def __init__(self, **workers: Worker) -> None:
        self.workers = workers

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        worker = self.workers.get(request.url.host)
        if worker is None:
            raise httpx.ConnectError("Connection refused")
        answer = worker.get(request.url.raw_path.decode())
        return httpx.Response(answer.status_code, content=answer.content)


def split(engine: MemoryEngine, lost: set[int]) -> MemoryEngine:
    """A worker on the same rows that does not own these partitions."""
    other = MemoryEngine(PARTITIONS)
    other.rows, other.lost = engine.rows, lost
    return other


def test_two_workers_together_say_all_of_it(engine: MemoryEngine) -> None:
    home = {place("MUG")}
    workers = Workers(a=client(split(engine, home), "a"), b=client(split(engine, set(range(PARTITIONS)) - home), "b"))
    asked = ask("MUG", ["http://a", "http://b/"], workers)
    assert asked.missing == []
    assert asked.answer.ledger is not None
    assert {one.listing for one in asked.answer.listings} == {"ct//M1", "bc//M-1"}
    assert asked.answer.worker == "a, b"


def test_a_piece_that_nobody_asked_owns_is_named(engine: MemoryEngine) -> None:
    asked = ask("MUG", ["http://gone", "http://a"], Workers(a=client(split(engine, {place("MUG")}), "a")))
    assert "http://gone cannot be reached" in asked.missing[0]
    assert f"ledger lies in partition {place('MUG')}" in asked.missing[1]


def test_no_worker_at_all_is_a_problem_that_says_what_to_do() -> None:
    with pytest.raises(Problem) as caught:
        ask("MUG", ["http://gone"], Workers())
    assert "Connection refused" in caught.value.lines[0]
    assert "--worker" in caught.value.lines[-1]


def test_a_worker_with_another_configuration_is_told_apart(engine: MemoryEngine) -> None:
    with pytest.raises(NotThereError, match="no SKU, channel:SKU or listing CUP"):
        ask("CUP", ["http://gone", "http://a"], Workers(a=client(engine)))


@pytest.mark.parametrize("word", ["ct:M1", "bc//M-1"])
def test_a_worker_knows_a_sku_by_the_names_of_the_catalogue_in_force(word: str, engine: MemoryEngine) -> None:
    assert ask(word, ["http://a"], Workers(a=client(engine))).answer.sku == "MUG"


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:9464"), ("0.0.0.0", "http://127.0.0.1:9464"), ("::", "http://[::1]:9464")],  # noqa: S104
)
def test_the_default_worker_is_the_configurations(host: str, url: str) -> None:
    assert default_worker(OpsSettings(host=host)) == url


@pytest.mark.parametrize("word", ["MUG", "ct:M1", "bc:M-1", "bc//M-1"])
def test_a_product_has_several_names(word: str) -> None:
    assert product_of(word, CATALOGUE).sku == "MUG"


def test_an_unknown_name_is_a_problem_with_near_ones() -> None:
    with pytest.raises(Problem, match=r"near it: .*bc:M-1") as caught:
        product_of("bc:M1", CATALOGUE)
    assert caught.value.status == 2
    assert near("zzz", CATALOGUE) == []
