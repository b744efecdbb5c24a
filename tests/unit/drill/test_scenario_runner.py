"""`make scenarios`: which files are meant, what is said of each, the exit status; the drill command itself is replaced."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.scenarios import run as runner
from tests.scenarios.run import Result

REPORT = {
    "checks": {
        "no_order_lost": {"failed": [{"entity": "ct:1", "wms": "no goods out"}]},
        "no_oversell": {"failed": [], "units": 0},
    },
    "steps": [{"step": 2, "what": "order ct:9", "ok": False, "detail": "short"}],
    "failures": ["worker-0 ended by itself, exit status 1:\n  log"],
    "waiting_for": "7 records behind",
    "orders": {"placed": 4},
}


def results(monkeypatch: pytest.MonkeyPatch, statuses: dict[str, int]) -> None:
    def instead(file: Path, *_: Any) -> Result:
        return Result(file.stem, statuses[file.stem], 1.0, REPORT)

    monkeypatch.setattr(runner, "run", instead)


def test_a_folder_stands_for_its_files_and_all_of_ours_are_the_default(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", "note.txt"):
        (tmp_path / name).touch()
    assert [f.name for f in runner.found((tmp_path, tmp_path / "b.yaml"))] == ["a.yaml", "b.yaml", "b.yaml"]
    assert len(runner.found(())) >= 25


def test_what_failed_is_named_with_its_entity() -> None:
    assert Result("x", 0, 1.0, REPORT).wrong() == []
    assert Result("x", 1, 1.0, REPORT).wrong() == [
        "no_order_lost: ct:1: wms no goods out",
        "step 2: order ct:9: short",
        "worker-0 ended by itself, exit status 1:",
        "waiting for: 7 records behind",
    ]
    assert Result("x", 2, 1.0, {}, "x.yaml:3: steps …\n").wrong() == ["x.yaml:3: steps …"]


def test_one_failure_fails_the_whole_and_the_report_holds_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).touch()
    report = tmp_path / "all.json"
    results(monkeypatch, {"a": 0, "b": 3})
    done = CliRunner().invoke(runner.main, [str(tmp_path), "--json", str(report)])
    assert done.exit_code == 1
    assert "1 of 2 as expected; not: b" in done.output
    assert [(s["file"], s["ok"]) for s in json.loads(report.read_text())["scenarios"]] == [("a", True), ("b", False)]
    results(monkeypatch, {"a": 0, "b": 0})
    assert CliRunner().invoke(runner.main, [str(tmp_path)]).exit_code == 0


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert CliRunner().invoke(runner.main, [str(tmp_path / "gone.yaml")]).exit_code == 2
    assert CliRunner().invoke(runner.main, [str(tmp_path)]).exit_code == 2
