"""What the pages tell people to type, open and copy is there."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click import Group
from click.testing import CliRunner

from app import operations
from app.audit import cli as audit
from app.cli import cli
from app.config import load
from app.doctor import checks
from app.doctor import cli as doctor
from app.errors import Problem
from app.exceptions import act
from app.exceptions import cli as exceptions
from app.exceptions.reader import Found
from app.replay import cli as replay
from app.replay import report
from app.returns import cli as returns
from app.settings import Settings
from schemas.records import ExceptionState, OperatorCommand
from tests.support.files import SHOP, shop

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_files_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
    for name in re.findall(r"`((?:docs|tests|app|schemas|tables|agents)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_make_targets_named_exist(page: Path) -> None:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert target in known, target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_named_exist(page: Path) -> None:
    for line in re.findall(r"clarus-stream ((?:[a-z]+(?:-[a-z]+)* ?)+)", page.read_text(encoding="utf-8")):
        words = line.split()
        if words and words[0] in cli.list_commands(None):  # type: ignore[arg-type]
            command = cli.get_command(None, words[0])  # type: ignore[arg-type]
            if isinstance(command, Group) and len(words) > 1:
                assert words[1] in command.commands, line


def test_every_command_explains_itself_with_an_example() -> None:
    for words in (
        ["config", "check"],
        ["topics", "create"],
        ["topics", "check"],
        ["worker"],
        ["ingress"],
        ["drill"],
        ["demo"],
        ["doctor"],
        ["exceptions", "list"],
        ["exceptions", "show"],
        ["exceptions", "acknowledge"],
        ["exceptions", "resolve"],
        ["exceptions", "retry"],
        ["why"],
        ["replay"],
        ["pause"],
        ["returns", "authorise"],
        ["resume"],
        ["resync"],
        ["reconciliation"],
        ["finance"],
        ["shadow"],
        ["go-live"],
        ["go-shadow"],
        ["audit"],
        *(["mappings", name] for name in ("list", "check", "import", "export", "what-if")),
    ):
        shown = CliRunner().invoke(cli, [*words, "--help"])
        assert shown.exit_code == 0, words
        assert "Example" in shown.output, words


def test_the_operations_pages_commands_are_taken_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is run against a configuration with its names: a command would be written, an explanation asks a worker that is not there."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 32
    sent: list[tuple[str, str]] = []

    def send(_: Settings, command: OperatorCommand) -> str:
        sent.append((command.action, command.target))
        return "operations.commands:0:0"

    monkeypatch.setattr(operations, "send", send)
    monkeypatch.setattr(returns, "send", send)
    held = {
        name: ExceptionState(
            exception_id=name,
            type=name.split(":")[0],
            entity=name.split(":", 1)[1],
            owner="ecommerce",
            state="OPEN",
            detail="",
            opened_at=1,
            changed_at=1,
            holder="order/bc-us:1001",
        )
        for name in ("unmapped_shipping_method:bc-us:1001", "late_change:bc-us:1002", "unmapped_sku:bc-us:1003")
    }
    monkeypatch.setattr(
        exceptions, "read", lambda _, wanted: Found({i: x for i, x in held.items() if wanted.takes(x)}, True)
    )
    monkeypatch.setattr(act, "send_all", lambda _, found: [send(_, one) for one in found])
    monkeypatch.setattr(doctor, "diagnose", lambda *args, **options: checks.Report())
    monkeypatch.setattr(replay, "run", lambda *args: report.Report("", [report.PartitionReport(0)], True))
    monkeypatch.setattr(audit, "mapped", Settings.catalogue)
    monkeypatch.setattr(audit.run, "compare", lambda *args: audit.Audit())
    monkeypatch.setattr(audit.run, "tell", lambda *args: None)
    monkeypatch.setenv("CLARUS_STREAM__OPS__PORT", "9")
    config = shop(tmp_path, SHOP)
    for line in commands:
        words = shlex.split(
            re.sub(r"http://worker-\d:9464", "http://127.0.0.1:9", re.sub(r"\S+\.yaml", str(config), line))
        )
        done = CliRunner().invoke(cli, words[1:])
        if words[1] in ("why", "reconciliation", "shadow", "go-live", "go-shadow"):
            assert isinstance(done.exception, Problem), line
            assert "cannot be" in done.exception.lines[0]
        elif words[1:3] in (["exceptions", "list"], ["exceptions", "show"]) or words[1] in (
            "doctor",
            "replay",
            "audit",
        ):
            assert done.exit_code == 0, (line, done.output)
        else:
            assert done.exit_code == 0, (line, done.output)
            action, target = words[2:4] if words[1] in ("exceptions", "returns") else words[1:3]
            assert sent[-1][0] == {"authorise": "authorise_return"}.get(action, action)
            assert target.startswith("--") or sent[-1][1] == target


def test_the_quick_starts_configuration_is_accepted(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "quickstart-real-accounts.md").read_text(encoding="utf-8")
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block is not None
    config = tmp_path / "shop.yaml"
    config.write_text(block[1], encoding="utf-8")
    (tmp_path / "secrets").mkdir()
    for name in re.findall(r"\{file: secrets/([\w.-]+)\}", block[1]):
        (tmp_path / "secrets" / name).write_text(f"secret of {name}")
    loaded = load(config, {}, credentials=True)
    assert loaded.warnings == []
    assert set(loaded.settings.channels) == {"shop-eu", "shop-us"}


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {
        re.split(r"[<>=;\[ ]", line)[0] for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])
    }
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} == wanted


def test_the_lock_has_hashes_and_no_addresses() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "://" in line or line.startswith(("--index", "-i "))]
    assert (
        len([line for line in lines if "--hash=sha256:" in line]) > len([line for line in lines if "==" in line]) > 50
    )


def test_make_prints_what_there_is() -> None:
    done = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    for target in ("demo", "test", "lint", "scenarios", "setup", "help"):
        assert f"  make {target} " in done.stdout


def test_the_module_runs_as_the_command_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", "--version"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("clarus-stream, version ")
