"""The command line as a person meets it: help, one line for a problem, the exit status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.files import SHOP, shop

ROOT = Path(__file__).parents[3]


def run(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *words], capture_output=True, text=True, timeout=120, cwd=ROOT, env=environ
    )


def test_help_names_every_command_with_examples_and_no_import_of_heavy_parts() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in (
        "demo",
        "drill",
        "config",
        "topics",
        "worker",
        "ingress",
        "doctor",
        "why",
        "replay",
        "pause",
        "resume",
        "resync",
    ):
        assert f"\n  {command} " in done.stdout
    assert "clarus-stream config check --config shop.yaml" in done.stdout


def test_nothing_typed_is_help() -> None:
    done = run()
    assert "Commands:" in done.stdout + done.stderr


def test_the_version() -> None:
    assert run("--version").stdout.startswith("clarus-stream, version ")


@pytest.mark.parametrize("words", [["sell"], ["topics", "destroy"], ["config", "check", "--colour"], ["worker", "now"]])
def test_what_is_not_a_command_is_one_line_and_status_2(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("clarus-stream: No such ") or "unexpected extra argument" in line


def test_a_problem_under_the_defaults_alone_says_that_no_configuration_was_named(tmp_path: Path) -> None:
    hint = "no configuration was named: --config FILE"
    bare = run("config", "check")
    assert bare.returncode == 2 and hint in bare.stderr.splitlines()[-1]
    path = shop(tmp_path, SHOP.replace("unit: case}}}", "unit: pallet}}}"))
    assert hint not in run("config", "check", "--config", str(path)).stderr
    assert hint not in run("config", "check", CLARUS_STREAM__CLARUS__ACCOUNT="ACME").stderr


def test_a_wrong_file_is_one_line_a_fault_and_starts_nothing(tmp_path: Path) -> None:
    path = shop(tmp_path, SHOP.replace("unit: case}}}", "unit: pallet}}}").replace("buffer: 1}", "warehouses: [EAST]}"))
    for command in (["config", "check"], ["worker"], ["ingress"], ["topics", "create"]):
        done = run(*command, "--config", str(path))
        assert done.returncode == 2, command
        assert [line.split(": ")[2].split(" ")[0] for line in done.stderr.splitlines()] == [
            "products[0].channels.bc-us.unit",
            "policies[0].warehouses",
        ]
        assert done.stdout == ""


def test_the_configuration_by_variable_as_json(tmp_path: Path) -> None:
    done = run("config", "check", "--json", CLARUS_STREAM_CONFIG=str(shop(tmp_path)), CLARUS_STREAM__OPS__PORT="7")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["setting"]: row for row in json.loads(done.stdout)}
    assert rows["settings.ops.port"] == {
        "setting": "settings.ops.port",
        "value": 7,
        "source": "CLARUS_STREAM__OPS__PORT",
    }


def test_no_broker_is_one_line_and_status_1() -> None:
    done = run("topics", "check", CLARUS_STREAM__KAFKA__BOOTSTRAP="127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("clarus-stream: kafka: 127.0.0.1:9 cannot be asked: ")
    assert "Traceback" not in done.stderr
