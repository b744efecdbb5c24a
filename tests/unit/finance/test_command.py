"""The ledger of money from a worker's rows to the screen and the CSV file: days, channels, pages, workers that lack, a file that is whole or not there."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console
from starlette.applications import Starlette

from app.cli import cli
from app.engine.murmur import partition_of
from app.errors import Problem
from app.finance import cli as command
from app.finance import worker as routes
from app.finance.ask import Ledger
from app.finance.sheet import COLUMNS, Sheet, cells
from app.finance.worker import FinanceRoutes
from schemas.catalogue import INTEGRATION_EXCEPTIONS, ORDERS_EVENTS
from schemas.codec import Codecs
from schemas.records import Event, ExceptionCommand, Record
from tables.finance.report import FinanceLine, Report
from tests.support.engine import MemoryEngine, MemoryRecord
from tests.support.files import shop
from tests.unit.finance.support import DAY, NOW, agent, bought, tables
from tests.unit.orders.test_despatch import left, parcel

PARTITIONS = 4
CODECS = Codecs()
TABLES = tables()
FIRST, SECOND = "2024-10-04", "2024-10-05"
CONFIG = {
    "channels": {"shop": {"system": "commercetools", "project_key": "shop"}, "mall": {"system": "bigcommerce"}},
    "settings": {"kafka": {"bootstrap": "broker:9092", "partitions": PARTITIONS}},
}


class Shop:
    """The ORDERS agent with its ledger of money over an engine in memory."""

    def __init__(self) -> None:
        self.engine = MemoryEngine(PARTITIONS, lambda: NOW)
        self.agent = agent(TABLES, PARTITIONS)

    def put(self, order_id: str, *bodies: Record, at: int = NOW) -> None:
        for body in bodies:
            event = Event(event_id="e", occurred_at=at, received_at=at, source="shop", body=body)
            record = MemoryRecord(f"shop:{order_id}".encode(), CODECS[ORDERS_EVENTS].encode(event))
            home = partition_of(f"shop:{order_id}", PARTITIONS)
            self.engine.fold(self.agent.fold, home, ORDERS_EVENTS.name, [record])

    def order(self, number: int, **fields: Any) -> None:
        found = bought(**fields)
        found.order_id, found.number = str(number), f"A{number}"
        self.put(str(number), found)

    def told(self) -> list[Any]:
        return [
            CODECS[INTEGRATION_EXCEPTIONS].decode(one.value).body
            for one in self.engine.sent
            if one.topic == INTEGRATION_EXCEPTIONS.name
        ]


class Workers(httpx.BaseTransport):
    """Workers by host."""

    def __init__(self, **engines: MemoryEngine) -> None:
        self._apps = {
            name: Starlette(routes=FinanceRoutes(one, TABLES, name).routes()) for name, one in engines.items()
        }
        self.asked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host not in self._apps:
            raise httpx.ConnectError("Connection refused")
        self.asked += 1

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._apps[request.url.host])
            async with httpx.AsyncClient(transport=transport, base_url="http://w") as client:
                return await client.get(request.url.raw_path.decode())

        found = asyncio.run(ask())
        return httpx.Response(found.status_code, content=found.content)


def lines(
    workers: Workers, *hosts: str, first: str = FIRST, last: str = SECOND, channel: str = ""
) -> tuple[Any, list[str]]:
    with httpx.Client(transport=workers) as asking:
        ledger = Ledger(asking, [f"http://{host}" for host in hosts or ("w",)], PARTITIONS, first, last, channel)
        return list(ledger.lines()), ledger.missing


@pytest.fixture
def sale() -> Shop:
    sold = Shop()
    for number in range(40):
        sold.order(number)
    despatch = left(NOW + DAY, parcel("a", MUG=2, CARD=1), complete=True)
    for number in range(10):
        sold.put(str(number), despatch, at=NOW + DAY)
    return sold


def test_lines_come_by_day_and_order_from_every_partition(sale: Shop) -> None:
    found, missing = lines(Workers(w=sale.engine))
    assert missing == [] and [one.place for one in found] == sorted(one.place for one in found)
    assert [one.day for one in found] == [FIRST] * 40 + [SECOND] * 10
    first = next(one for one in found if one.number == "A3")
    assert first.amounts == {"ordered": 2800, "captured": 2800} and first.status == "matched"
    assert all(one.amounts == {"despatched": 2800} for one in found if one.day == SECOND)


@pytest.mark.parametrize(("first", "last", "channel", "count"), [
    (FIRST, FIRST, "", 40), (SECOND, SECOND, "", 10), ("2024-10-06", "2024-12-01", "", 0), ("2024-01-01", "2024-10-03", "", 0),
    (FIRST, SECOND, "shop", 50), (FIRST, SECOND, "mall", 0),
])  # fmt: skip
def test_days_and_channel_choose(sale: Shop, first: str, last: str, channel: str, count: int) -> None:
    assert len(lines(Workers(w=sale.engine), first=first, last=last, channel=channel)[0]) == count


def test_pages_are_bounded_and_nothing_is_left_out_or_doubled(sale: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = lines(Workers(w=sale.engine))
    monkeypatch.setattr(routes, "ROWS_AT_ONCE", 3)
    workers = Workers(w=sale.engine)
    assert lines(workers)[0] == whole
    assert workers.asked >= 50 // 3


def owning(engine: MemoryEngine, *partitions: int) -> MemoryEngine:
    other = MemoryEngine(PARTITIONS)
    other.rows, other.lost = engine.rows, set(range(PARTITIONS)) - set(partitions)
    return other


def test_two_workers_together_have_all_of_it_and_one_alone_says_what_lacks(sale: Shop) -> None:
    whole, _ = lines(Workers(w=sale.engine))
    both = Workers(a=owning(sale.engine, 0, 1), b=owning(sale.engine, 2, 3))
    assert lines(both, "a", "b") == (whole, [])
    found, missing = lines(both, "a")
    assert len(found) < len(whole) and "partitions 2, 3 of 4" in missing[-1]


def test_an_order_and_its_money_are_one_commit_and_exceptions_open_and_resolve_in_time() -> None:
    sold = Shop()
    sold.order(1, hold="looks like fraud")
    home = partition_of("shop:1", PARTITIONS)
    sold.engine.run(home, sold.agent.tick)
    assert [one.type for one in sold.told()] == ["payment_hold"]
    sold.engine.now_ms = lambda: NOW + 3_600_000
    sold.engine.run(home, sold.agent.tick)
    sold.engine.run(home, sold.agent.tick)
    opened = sold.told()[-1]
    assert [one.type for one in sold.told()] == ["payment_hold", "payment_mismatch"]
    assert (opened.state, opened.owner, opened.holder) == ("OPEN", "finance", "order/shop:1")
    [row] = lines(Workers(w=sold.engine))[0]
    assert row.status == "mismatched"
    given = ExceptionCommand(
        channel="shop", exception_id=opened.exception_id, action="resolve", actor="kim", reason="known"
    )
    sold.put("1", given, at=NOW + 3_700_000)
    assert sold.told()[-1].state == "RESOLVED" and sold.told()[-1].actor == "kim"
    [row] = lines(Workers(w=sold.engine))[0]
    assert row.status == "open" and any("accepted by hand" in reason for reason in row.reasons)


def test_a_day_that_is_not_a_day_is_400(sale: Shop) -> None:
    with httpx.Client(transport=Workers(w=sale.engine)) as asking:
        assert asking.get("http://w/finance/0?from=yesterday&to=2024-10-05").status_code == 400


# ---- the command ----


@pytest.fixture
def config(tmp_path: Path) -> str:
    return str(shop(tmp_path, yaml.safe_dump(CONFIG)))


@pytest.fixture
def run(sale: Shop, config: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def invoke(*words: str, workers: Workers | None = None) -> Any:
        monkeypatch.setattr(command, "client", lambda _: httpx.Client(transport=workers or Workers(w=sale.engine)))
        return CliRunner().invoke(
            cli, ["finance", "--from", FIRST, "--to", SECOND, "--config", config, "--worker", "http://w", *words]
        )

    return invoke


def test_the_screen_and_json_say_the_same(run: Any) -> None:
    plain = json.loads(run("--json").output)
    assert [
        (one["day"], one["orders"]["all"], one["captured"]["all"], one["despatched"]["matched"])
        for one in plain["days"]
    ] == [
        (FIRST, 40, "1120.00", "0.00"),
        (SECOND, 10, "0.00", "280.00"),
    ]
    assert plain["days"][0]["captured"]["open"] == "840.00" and plain["open"] == {"not despatched yet": 30}
    shown = run().output
    for words in (FIRST, "1120.00", "280.00", "EUR", "30 × not despatched yet"):
        assert words in shown


def test_the_csv_file_has_every_line_with_exact_decimals(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    done = run("--csv", str(path))
    assert done.exit_code == 0 and f"{path}: 50 lines" in done.output
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 50
    assert [row["despatched"] for row in rows if row["order_number"] == "A3"] == ["0.00", "28.00"]
    assert {row["status"] for row in rows} == {"matched", "open"}


def test_a_file_that_would_not_be_whole_is_not_there(run: Any, sale: Shop, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("what was there before")
    done = run("--csv", str(path), workers=Workers(w=owning(sale.engine, 0, 1)))
    assert isinstance(done.exception, Problem) and "is not written" in done.exception.lines[-1]
    assert path.read_text() == "what was there before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out.csv", "shop.yaml"]


def test_what_lacks_is_said_and_the_exit_status_is_1(run: Any, sale: Shop) -> None:
    done = run(workers=Workers(w=owning(sale.engine, 0, 1)))
    assert done.exit_code == 1 and "not known: partitions 2, 3 of 4" in done.output
    done = run(workers=Workers())
    assert isinstance(done.exception, Problem) and "cannot be reached" in done.exception.lines[0]


def test_a_worker_that_does_not_answer_in_time_is_asked_once_not_for_every_partition() -> None:
    asked: list[httpx.Request] = []

    def hanging(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ReadTimeout("timed out")

    with httpx.Client(transport=httpx.MockTransport(hanging)) as asking:
        ledger = Ledger(asking, ["http://w"], PARTITIONS, FIRST, SECOND, "")
        assert list(ledger.lines()) == []
    assert len(asked) == 1
    assert "did not answer within 8 s" in ledger.missing[0] and "partitions 0, 1, 2, 3 of 4" in ledger.missing[1]


@pytest.mark.parametrize(("words", "text"), [
    (["--to", "2024-10-01"], "is before --from"), (["--to", "2030-10-01"], "at most 400 days"), (["--channel", "mal"], "near it: mall"),
    (["--csv", "/nowhere/at/all.csv"], "cannot be written"),
])  # fmt: skip
def test_what_is_wrong_with_the_command_is_one_line(run: Any, words: list[str], text: str) -> None:
    done = run(*words)
    assert isinstance(done.exception, Problem) and text in done.exception.lines[0] and done.exception.status == 2


def test_a_day_is_written_so(run: Any) -> None:
    done = run("--to", "30 Nov")
    assert done.exit_code == 2 and "30 Nov is no day such as 2026-11-27" in done.output


def test_no_cell_is_a_formula_and_every_currency_has_its_digits(tmp_path: Path) -> None:
    one = FinanceLine(
        FIRST, "shop", "7", "=1+1", "shop:7", "JPY", 0, {"captured": 1999, "refunded": -5}, "open", ["@x", "y"]
    )
    found = dict(zip(COLUMNS, cells(one), strict=True))
    assert (found["order_number"], found["captured"], found["refunded"], found["reasons"]) == (
        "'=1+1",
        "1999",
        "-5",
        "'@x; y",
    )
    with Sheet(tmp_path / "a.csv") as sheet:
        sheet.write([one])
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_screen_fits(width: int) -> None:
    report = Report(9)
    for number in range(3):
        amounts = {"ordered": 123_456_78, "captured": 1, "refunded": 5}
        report.add(
            FinanceLine(
                FIRST,
                "shop-united-kingdom",
                str(number),
                f"A-{number}",
                "r",
                "EUR",
                2,
                amounts,
                "mismatched",
                ["x " * 60],
            )
        )
    stream = io.StringIO()
    command.show(Console(file=stream, width=width, highlight=False), report, ["a worker lacks"])
    assert max(map(len, stream.getvalue().splitlines())) <= width
    assert "370370.34" in stream.getvalue() and "shop-united-kingdom:A-2" in stream.getvalue()
