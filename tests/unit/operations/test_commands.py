"""`pause`, `resume` and `resync` write one durable record, or say why not and write nothing."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError

from app import operations
from app.cli import cli
from app.config import load
from app.errors import Problem
from app.returns.cli import read_lines
from app.settings import Settings
from schemas.codec import Codecs
from schemas.records import OperatorCommand
from tests.support.files import shop


class FakeProducer:
    """Takes records; `error` is what the broker answers."""

    def __init__(self, error: int | None = None) -> None:
        self.error, self.records = error, list[tuple[str, bytes, bytes]]()
        self.properties: dict[str, Any] = {}

    def __call__(self, properties: dict[str, Any]) -> "FakeProducer":
        self.properties = properties
        return self

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Callable[[Any, Any], None]) -> None:
        self.records.append((topic, value, key))
        self._report = on_delivery

    def flush(self, seconds: float) -> int:
        error = KafkaError(self.error) if self.error is not None else None
        self._report(error, SimpleNamespace(partition=lambda: 3, offset=lambda: 17))
        return 0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(shop(tmp_path), {}).settings


def command(action: str, target: str) -> OperatorCommand:
    return OperatorCommand(action=action, target=target, actor="kim", reason="stocktake")


@pytest.mark.parametrize("target", ["bc-us", "clarus", "000123", "GIFT"])
def test_the_record_is_keyed_by_its_target_and_says_where_it_lies(settings: Settings, target: str) -> None:
    producer = FakeProducer()
    assert (
        operations.send(settings, command("pause", target), producer, Settings.catalogue) == "operations.commands:3:17"
    )
    [(topic, value, key)] = producer.records
    assert (topic, key) == ("operations.commands", target.encode())
    assert Codecs()[topic].decode(value).body == command("pause", target)
    assert producer.properties["acks"] == "all"


def test_an_unknown_target_is_refused_with_near_names(settings: Settings) -> None:
    producer = FakeProducer()
    with pytest.raises(Problem, match=r"bc-eu is neither a channel nor a SKU .*near it: .*bc-us") as caught:
        operations.send(settings, command("pause", "bc-eu"), producer, Settings.catalogue)
    assert caught.value.status == 2
    assert producer.records == []


def test_a_listing_is_no_target_and_the_sku_to_name_instead_is_said(settings: Settings) -> None:
    listing = next(iter(settings.catalogue().listings.values()))
    target = f"{listing.channel}:{listing.sku}"
    with pytest.raises(Problem, match=f"it is a listing of {listing.product}; name that SKU"):
        operations.send(settings, command("resync", target), FakeProducer(), Settings.catalogue)


def test_a_broker_that_refuses_is_one_line_and_nothing_is_claimed(settings: Settings) -> None:
    producer = FakeProducer(KafkaError._MSG_TIMED_OUT)
    with pytest.raises(Problem, match=r"broker:9092 did not confirm the command: .*a second one does no harm"):
        operations.send(settings, command("resync", "000123"), producer, Settings.catalogue)


def test_the_command_line_writes_who_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[OperatorCommand] = []

    def send(_: Settings, body: OperatorCommand) -> str:
        sent.append(body)
        return "operations.commands:0:1"

    monkeypatch.setattr(operations, "send", send)
    monkeypatch.setenv("LOGNAME", "kim")
    words = ["resume", "bc-us", "--reason", "import done", "--config", str(shop(tmp_path))]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert sent == [OperatorCommand(action="resume", target="bc-us", actor="kim", reason="import done")]
    assert "operations.commands:0:1" in done.output


def test_a_reason_must_be_given() -> None:
    done = CliRunner().invoke(cli, ["pause", "bc-us"])
    assert done.exit_code == 2
    assert "--reason" in done.output


def test_a_return_is_authorised_with_its_lines_and_a_name_to_repeat_it_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[OperatorCommand] = []

    def send(settings: Settings, body: OperatorCommand) -> str:
        sent.append(body)
        return "operations.commands:0:1"

    monkeypatch.setattr("app.returns.cli.send", send)
    words = ["returns", "authorise", "bc-us:1001", "--line", "A=1", "--line", "A=1", "--line", "B=C=3"]
    words += ["--reason", "too small", "--actor", "kim", "--config", str(shop(tmp_path))]
    done = CliRunner().invoke(cli, [*words, "--name", "R-7"])
    assert done.exit_code == 0, done.output
    (body,) = sent
    assert (body.action, body.target, body.holder, body.actor) == ("authorise_return", "bc-us:1001", "R-7", "kim")
    assert body.lines == {"A": 2, "B=C": 3}
    assert "return R-7" in done.output
    CliRunner().invoke(cli, words)
    assert sent[1].holder not in ("", "R-7")


def test_a_return_that_was_not_confirmed_names_itself_so_that_a_second_one_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(settings: Settings, body: OperatorCommand) -> str:
        raise Problem("kafka did not confirm the command")

    monkeypatch.setattr("app.returns.cli.send", send)
    words = ["returns", "authorise", "bc-us:1001", "--line", "A=1", "--reason", "x", "--config", str(shop(tmp_path))]
    result = CliRunner().invoke(cli, words)
    assert isinstance(result.exception, Problem)
    assert re.search(r"try again with --name R-[0-9a-f]{8}", str(result.exception))


@pytest.mark.parametrize("line", ["A", "A=", "A=0", "=1", "A=x"])
def test_a_line_that_cannot_be_read_is_said(line: str) -> None:
    with pytest.raises(Problem, match="write SKU=UNITS"):
        read_lines((line,))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere:1", "nowhere is no channel"),
        ("bc-us", "names no order"),
        ("ct-eu:1", "ct-eu has returns of its own: authorise it there"),
    ],
)
def test_a_return_that_cannot_be_raised_here_is_refused_with_the_remedy(
    tmp_path: Path, target: str, words: str
) -> None:
    settings = load(shop(tmp_path), {}).settings
    body = OperatorCommand(
        action="authorise_return", target=target, actor="kim", reason="r", holder="R-1", lines={"A": 1}
    )
    producer = FakeProducer()
    with pytest.raises(Problem, match=words):
        operations.send(settings, body, producer)
    assert producer.records == []
