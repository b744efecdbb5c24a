"""The app under Faust's own worker: signals and exit codes as a supervisor sees them."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import TestBroker
from tests.support.stream import PARTITIONS, Feeder, make_topics, read_all

PROGRAM = """
import json, sys
from pathlib import Path
import faust
from app.engine import EngineConfig
from tests.support.stream import summing_app

given = json.loads(sys.argv[1])
app, _ = summing_app(EngineConfig(**{**given, "data_dir": Path(given["data_dir"])}))
faust.Worker(app, loglevel="warning", redirect_stdouts=False).execute_from_commandline()
"""


@pytest.fixture
def worker(broker: TestBroker, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    make_topics(broker, "in", "out")
    settings = {
        "bootstrap": broker.bootstrap,
        "topic_prefix": broker.prefix,
        "partitions": PARTITIONS,
        "guarantee": "at_least_once" if broker.kind == "bundled" else "exactly_once",
        "session_timeout_ms": 2_000 if broker.kind == "bundled" else 6_000,
        "data_dir": str(tmp_path),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(settings)],
        cwd=Path(__file__).parent.parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.kill()
    process.wait()


def until_out_has(broker: TestBroker, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(read_all(broker, "out")) < count:
        assert time.monotonic() < deadline, f"{count} records come out"


def test_it_works_and_ends_in_order(broker: TestBroker, worker: "subprocess.Popen[str]") -> None:
    feeder = Feeder(broker)
    for number in range(10):
        feeder.put("in", "k", number)
    feeder.flush()
    until_out_has(broker, 10)
    worker.send_signal(signal.SIGTERM)
    output, _ = worker.communicate(timeout=30)
    assert worker.returncode == 0, output


def test_it_ends_with_an_error_where_the_engine_cannot_go_on(
    broker: TestBroker, worker: "subprocess.Popen[str]"
) -> None:
    feeder = Feeder(broker)
    feeder.put("in", "k", b"poison")
    feeder.flush()
    output, _ = worker.communicate(timeout=30)
    assert worker.returncode not in (0, None), output
    assert "PoisonBatch" in output
    assert read_all(broker, "out") == []
