"""The commands around shadow as a person meets them: what is held back, a question that nobody answers, who it was."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app import cli as command_line
from app.cli import cli
from app.shadow import cli as command
from schemas.records import OperatorCommand
from tables.explain.shadow import Held, ShadowAnswer
from tests.support.files import shop


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[OperatorCommand]:
    found: list[OperatorCommand] = []

    def send(_: Any, body: OperatorCommand) -> str:
        found.append(body)
        return "operations.commands:0:1"

    monkeypatch.setattr(command, "send", send)
    return found


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, shadow: bool, *words: str, answer: str = "") -> Result:
    told = ShadowAnswer("clarus", "w", 1, 0, True, shadow, held=Held(releases=3 if shadow else 0))
    monkeypatch.setattr(command, "ask", lambda *_: told)
    monkeypatch.setattr(command, "reasons", lambda *_: {})
    return CliRunner().invoke(cli, [*words, "--config", str(shop(folder))], input=answer)


def test_what_is_held_back_is_said_of_what_is_in_shadow_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    live = run(monkeypatch, tmp_path, False, "shadow", "clarus").output
    assert "nothing is held back" in live and "going live" not in live
    shadowed = run(monkeypatch, tmp_path, True, "shadow", "clarus").output
    assert "held back: 3 releases, 0 cancels; going live sends them" in shadowed


def test_who_put_it_there_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sent: list[OperatorCommand]) -> None:
    words = ["go-shadow", "clarus", "--reason", "old program", "--actor", "kim"]
    assert run(monkeypatch, tmp_path, False, *words, answer="y\n").exit_code == 0
    assert [(one.action, one.actor, one.reason) for one in sent] == [("go_shadow", "kim", "old program")]


def test_a_question_that_nobody_answers_changes_nothing_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sent: list[OperatorCommand], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ask", lambda *_: ShadowAnswer("clarus", "w", 1, 0, True))
    monkeypatch.setattr("click.termui.visible_prompt_func", _nobody)
    words = ["clarus-stream", "go-shadow", "clarus", "--reason", "x", "--config", str(shop(tmp_path))]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 130 and sent == []
    assert "the question was not answered: nothing was changed (--yes does not ask)" in capsys.readouterr().err


def _nobody(*_: object) -> str:
    raise EOFError
