"""The commands as people type them: what is listed, what is asked, what is written, what is refused with a remedy."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import cli
from app.errors import Problem
from app.exceptions import act, reader
from app.exceptions import cli as words
from app.exceptions.reader import Found, Wanted
from app.settings import Settings
from schemas.catalogue import INTEGRATION_EXCEPTIONS
from schemas.codec import Codecs
from schemas.records import Event, ExceptionState, ExceptionStep, OperatorCommand
from tests.support.files import SHOP, shop

HOUR = 3_600_000


def state(kind: str, entity: str, **fields: Any) -> ExceptionState:
    given: dict[str, Any] = {
        "owner": "ecommerce",
        "state": "OPEN",
        "detail": "no mapping",
        "opened_at": HOUR,
        "changed_at": HOUR,
    }
    given |= {"holder": f"order/{entity}"} | fields
    return ExceptionState(exception_id=f"{kind}:{entity}", type=kind, entity=entity, **given)


ALL = [
    state("unmapped_sku", "bc-us:1001"),
    state("unmapped_sku", "ct-eu:A1", state="ACKNOWLEDGED", opened_at=2 * HOUR),
    state("unmapped_shipping_method", "bc-us:1002", state="RESOLVED"),
    state("stuck_order", "bc-us:1003", owner="warehouse"),
    state("delivery_failed", "ct-eu:A2", owner="integration", holder="channel/clarus"),
    state("stock_drift", "bc-us//M1", owner="integration", holder=""),
]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[OperatorCommand]:
    found: list[OperatorCommand] = []

    def read(_: Settings, wanted: Wanted) -> Found:
        return Found({one.exception_id: one for one in ALL if wanted.takes(one)}, True)

    def send_all(_: Settings, commands: Sequence[OperatorCommand]) -> list[str]:
        found.extend(commands)
        return ["operations.commands:0:7"] * len(commands)

    monkeypatch.setattr(words, "read", read)
    monkeypatch.setattr(act, "send_all", send_all)
    return found


@pytest.fixture
def config(tmp_path: Path) -> str:
    return str(shop(tmp_path, SHOP))


def run(config: str, *line: str, answer: str = "") -> Result:
    return CliRunner().invoke(cli, ["exceptions", *line, "--config", config], input=answer)


def listed(config: str, *line: str) -> list[str]:
    done = run(config, "list", "--json", *line)
    assert done.exit_code == 0, done.output
    return [one["exception_id"] for one in json.loads(done.output)["exceptions"]]


@pytest.mark.usefixtures("sent")
def test_filters_choose(config: str) -> None:
    assert len(listed(config)) == 5
    assert listed(config, "--type", "unmapped_sku") == ["unmapped_sku:bc-us:1001", "unmapped_sku:ct-eu:A1"]
    assert listed(config, "--state", "resolved") == ["unmapped_shipping_method:bc-us:1002"]
    assert listed(config, "--channel", "clarus") == ["delivery_failed:ct-eu:A2"]
    assert listed(config, "--owner", "warehouse") == ["stuck_order:bc-us:1003"]
    assert len(listed(config, "--older-than", "7d")) == 5 and listed(config, "--older-than", "30000d") == []
    assert "30m, 2h or 7d" in run(config, "list", "--older-than", "soon").output


@pytest.mark.usefixtures("sent")
def test_a_channel_that_there_is_not_is_said_with_near_names(config: str) -> None:
    refused = run(config, "list", "--channel", "bc-eu").exception
    assert isinstance(refused, Problem) and refused.status == 2
    assert "bc-eu is no channel of this configuration" in str(refused) and "near it: " in str(refused)
    assert run(config, "list", "--channel", "bc-us", "--older-than", "30000d").output == "none\n"


@pytest.mark.usefixtures("sent")
def test_people_are_told_what_mends_it(config: str) -> None:
    shown = run(config, "list", "--type", "stuck_order").output
    assert "stuck_order:bc-us:1003" in shown and "Enter, free or cancel" in shown
    one = run(config, "show", "unmapped_sku:bc-us:1001").output
    assert "clarus-stream why bc-us:1001" in one
    assert "clarus-stream why" not in run(config, "show", "delivery_failed:ct-eu:A2").output
    assert "look first at" in one and "mappings import" in one
    assert "exceptions list" in str(run(config, "show", "unmapped_sku:nobody").exception)


def test_a_command_names_its_exception_and_who_holds_it(config: str, sent: list[OperatorCommand]) -> None:
    done = run(config, "acknowledge", "unmapped_sku:bc-us:1001", "--reason", "asked Kim")
    assert done.exit_code == 0 and "operations.commands:0:7" in done.output
    [command] = sent
    assert (command.action, command.target, command.holder, command.reason) == (
        "acknowledge",
        "unmapped_sku:bc-us:1001",
        "order/bc-us:1001",
        "asked Kim",
    )
    assert command.actor
    run(config, "retry", "unmapped_sku:bc-us:1001", "--reason", "mapped", "--actor", "kim")
    assert sent[1].actor == "kim"


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        (["resolve", "unmapped_shipping_method:bc-us:1002", "--reason", "x"], "resolved already"),
        (
            ["retry", "unmapped_shipping_method:bc-us:1002", "--reason", "x"],
            "clarus-stream why bc-us:1002 says whether",
        ),
        (["retry", "stuck_order:bc-us:1003", "--reason", "x"], "resolve it when it is put right"),
        (["acknowledge", "stock_drift:bc-us//M1", "--reason", "x"], "next read-back"),
        (["acknowledge", "unmapped_sku:ct-eu:A1", "--reason", "x"], "acknowledged already"),
        (["retry", "unmapped_sku:bc-us:1001", "--reason", " "], "reason"),
        (["retry", "--reason", "x"], "either an ID or filters"),
    ],
)
def test_what_cannot_be_done_is_refused(config: str, sent: list[OperatorCommand], line: list[str], remedy: str) -> None:
    done = run(config, *line)
    assert done.exit_code != 0 and sent == []
    text = " ".join(done.exception.lines) if isinstance(done.exception, Problem) else done.output
    assert remedy in text


def test_many_are_shown_and_asked_for_first(config: str, sent: list[OperatorCommand]) -> None:
    bulk = ["retry", "--channel", "ct-eu", "--reason", "mapped"]
    assert isinstance(run(config, *bulk, answer="n\n").exception, Problem) and sent == []
    assert "unmapped_sku:ct-eu:A1" in run(config, *bulk, answer="y\n").output
    assert [one.target for one in sent] == ["delivery_failed:ct-eu:A2", "unmapped_sku:ct-eu:A1"]
    assert run(config, *bulk, "--yes").exit_code == 0 and len(sent) == 4


def test_many_leave_out_what_it_cannot_be_done_to(config: str, sent: list[OperatorCommand]) -> None:
    done = run(config, "retry", "--channel", "bc-us", "--reason", "mapped", "--yes")
    assert [one.target for one in sent] == ["unmapped_sku:bc-us:1001"]
    assert "2 others" in done.output


class Topic:
    """A consumer over one partition of written states."""

    def __init__(self, values: list[bytes]) -> None:
        self._values, self._closed = values, False

    def list_topics(self, topic: str, timeout: float) -> Any:
        described = type("Described", (), {"error": None, "partitions": {0: None}})()
        return type("Listed", (), {"topics": {topic: described}})()

    def assign(self, _: object) -> None: ...

    def consume(self, _: int, timeout: float) -> list[Any]:
        from confluent_kafka import KafkaError

        values, self._values = self._values, []
        return [Message(value, None) for value in values] + [Message(b"", KafkaError(KafkaError._PARTITION_EOF))]

    def close(self) -> None:
        self._closed = True


class Message:
    def __init__(self, value: bytes, error: Any) -> None:
        self.value, self.error, self.partition = lambda: value, lambda: error, lambda: 0


def test_the_newest_state_counts_and_foreign_records_are_passed_over(config: str) -> None:
    from app.config import load

    codec = Codecs()[INTEGRATION_EXCEPTIONS]
    step = ExceptionStep(at=3, action="resolve", actor="kim", reason="by hand")
    over = state("unmapped_sku", "bc-us:1001", state="RESOLVED", actor="kim", history=[step])
    written = [ALL[0], ALL[3], over]
    values = [
        codec.encode(Event(event_id="e", occurred_at=1, received_at=1, source="orders", body=one)) for one in written
    ]
    settings = load(Path(config), {}).settings
    found = reader.read(settings, Wanted(), lambda _: Topic([b"foreign", *values]))
    assert list(found.states) == ["stuck_order:bc-us:1003"] and found.whole
    resolved = reader.read(settings, Wanted(states=frozenset({"RESOLVED"})), lambda _: Topic(values))
    assert resolved.in_order() == [over]
