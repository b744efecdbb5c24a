"""Prepares the contenders (virtual environment, jars, compiled classes, all kept in `.cache/`) and runs them as processes. It judges no figure."""

import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import job

_CHECKOUT = Path(__file__).parent.parent
_HERE = Path(__file__).parent / "contenders"
_CACHE = _CHECKOUT / ".cache"
_LIMIT_S = 300


@dataclass(frozen=True, slots=True)
class Result:
    """What one run used. `cpu`, `seconds`: from the first record to the last commit; `whole_cpu`: the process with its start; `warm_*`: second half (JVM)."""

    seconds: float
    cpu: float
    peak: int
    whole_cpu: float
    warm_seconds: float = 0.0
    warm_cpu: float = 0.0


class Programs:
    """Command lines of the contenders, prepared when first asked for."""

    def python(self, name: str, task: job.Task) -> list[str]:
        """A contender that runs in the project's own environment."""
        return [sys.executable, "-m", f"bench.contenders.{name}", json.dumps(dataclasses.asdict(task))]

    def quix(self, task: job.Task) -> list[str]:
        environment = _environment("quix")
        return [str(environment), "-m", "bench.contenders.quix_streams", json.dumps(dataclasses.asdict(task))]

    def kafka_streams(self, task: job.Task, *further: str) -> list[str]:
        return [
            "java",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            _streams_classes(),
            "KafkaStreamsContender",
            task.bootstrap,
            task.run,
            task.source,
            task.out,
            str(task.count),
            str(task.commit_ms),
            task.folder,
            str(task.headers).lower(),
            *further,
        ]


def start(command: list[str], log: Path) -> "subprocess.Popen[str]":
    """A contender's process; what it says comes by its stdout."""
    with log.open("ab") as errors:
        return subprocess.Popen(command, cwd=_CHECKOUT, stdout=subprocess.PIPE, stderr=errors, text=True)


def finish(process: "subprocess.Popen[str]", log: Path) -> Result:
    """Wait for its result."""
    before = _children_cpu()
    try:
        said, _ = process.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        said = ""
    finally:
        process.kill()
        process.wait()
    lines = said.strip().splitlines()
    if not lines:
        raise RuntimeError(f"a contender ended without a result: {process.args!r}\n{log.read_text()[-2_000:]}")
    return Result(**json.loads(lines[-1]), whole_cpu=_children_cpu() - before)


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


def stop(process: "subprocess.Popen[Any]") -> None:
    """In order; at once where that does not help."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# what is prepared once --------------------------------------------------------------------------------------------------------------------------------


@contextmanager
def _prepared(name: str, *inputs: Path) -> Iterator[tuple[Path, bool]]:
    """A folder of the cache, and whether it has to be made; one process at a time, and anew where an input changed."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:12]
    folder = _CACHE / f"bench-{name}-{digest}"
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / f"bench-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "complete"
        if done.exists():
            yield folder, False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        print(f"preparing {name} in {folder.relative_to(_CHECKOUT)}", flush=True)
        yield folder, True
        done.touch()


def _environment(name: str) -> Path:
    """The interpreter of a virtual environment with the pinned requirements of `contenders/NAME.txt`."""
    requirements = _HERE / f"{name}.txt"
    with _prepared(name, requirements) as (folder, missing):
        python = folder / "bin" / "python"
        if missing:
            _call(sys.executable, "-m", "venv", str(folder))
            _call(str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(requirements))
        return python


def _streams_classes() -> str:
    """The class path of the Kafka Streams contender."""
    source, pom = _HERE / "KafkaStreamsContender.java", _HERE / "streams-pom.xml"
    with _prepared("streams-jars", pom) as (jars, missing):
        if missing:
            target = f"-DoutputDirectory={jars}"
            _call("mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", target, "-DincludeScope=runtime")
    with _prepared("streams-classes", source, pom) as (classes, missing):
        if missing:
            _call("javac", "-cp", f"{jars}/*", "-d", str(classes), str(source))
    return f"{jars}/*:{classes}"


def _call(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    except FileNotFoundError as error:
        raise RuntimeError(f"{command[0]} is needed for this benchmark and is not installed") from error
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"{' '.join(command)} failed:\n{error.stdout}\n{error.stderr}") from error
