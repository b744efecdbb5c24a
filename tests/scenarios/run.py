"""Runs scenario files, all or those that are named, each through the real command: `make scenarios`. What a file must come to is said in the file."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.scenarios import generate

HERE = Path(__file__).parent
_SECONDS = 600
_WORDS = {2: "file is wrong", 3: "not settled"}


@dataclass(slots=True)
class Result:
    """What one file came to."""

    file: str
    status: int
    seconds: float
    report: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    @property
    def word(self) -> str:
        """The result in a word or two."""
        return "ok" if self.status == 0 else _WORDS.get(self.status, "failed")

    def wrong(self) -> list[str]:
        """What failed, with its entity."""
        if self.status == 0:
            return []
        lines = [
            f"{name}: {failure['entity']}: " + "; ".join(f"{k} {v}" for k, v in failure.items() if k != "entity")
            for name, check in self.report.get("checks", {}).items()
            for failure in check["failed"][:3]
        ]
        lines += [f"step {s['step']}: {s['what']}: {s['detail']}" for s in self.report.get("steps", []) if not s["ok"]]
        lines += [failure.splitlines()[0] for failure in self.report.get("failures", [])]
        if waiting := self.report.get("waiting_for"):
            lines.append(f"waiting for: {waiting}")
        return lines or [self.text.strip()[-500:] or f"exit status {self.status}"]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "file": self.file,
            "status": self.status,
            "ok": self.status == 0,
            "seconds": round(self.seconds, 1),
            "wrong": self.wrong(),
            "report": self.report,
        }


def found(names: tuple[Path, ...]) -> list[Path]:
    """The files that are meant: a folder stands for all in it."""
    files = []
    for name in names or (HERE,):
        if not name.exists():
            raise click.UsageError(f"{name}: there is no such file or folder")
        files += sorted(name.glob("*.yaml")) if name.is_dir() else [name]
    if not files:
        raise click.UsageError(f"no .yaml file in {', '.join(map(str, names))}")
    return files


def made(folder: Path, seeds: range) -> list[Path]:
    """One generated file a seed."""
    files = [folder / f"random-{seed}.yaml" for seed in seeds]
    for file, seed in zip(files, seeds, strict=True):
        file.write_text(generate.text(seed), encoding="utf-8")
    return files


def run(file: Path, broker: str | None, seed: int | None, keep: Path | None) -> Result:
    """One file through the command, as a user runs it."""
    with tempfile.TemporaryDirectory(prefix="scenario-") as folder:
        target = Path(folder) / file.name
        text = file.read_text(encoding="utf-8")
        if seed is not None:
            text = "\n".join(line for line in text.splitlines() if not line.startswith("seed:")) + f"\nseed: {seed}\n"
        target.write_text(text, encoding="utf-8")
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "app.cli", "drill", str(target), "--quiet", "--json", str(report)]
        command += ["--broker", broker] if broker else []
        command += ["--logs", str(keep / file.stem)] if keep else []
        started = time.monotonic()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, cwd=HERE.parents[1])
        except subprocess.TimeoutExpired:
            return Result(file.stem, 1, _SECONDS, text=f"no end within {_SECONDS} s")
        seconds = time.monotonic() - started
        known = json.loads(report.read_text()) if report.exists() else {}
        return Result(file.stem, done.returncode, seconds, known, done.stderr)


def table(results: list[Result]) -> Table:
    """The summary."""
    shown = Table(title="Scenarios")
    for name in ("scenario", "result", "seconds", "orders", "oversold", "excused", "429"):
        shown.add_column(name, justify="left" if name in ("scenario", "result") else "right")
    for result in results:
        checks = result.report.get("checks", {})
        oversell = checks.get("no_oversell", {})
        style = "green" if result.status == 0 else "red"
        shown.add_row(
            result.file,
            f"[{style}]{result.word}[/]",
            f"{result.seconds:.0f}",
            str(result.report.get("orders", {}).get("placed", "-")),
            str(oversell.get("units", "-")),
            str(oversell.get("excused", "-")),
            str(checks.get("budget_respected", {}).get("throttled", "-")),
        )
    return shown


@contextmanager
def progress(console: Console, total: int) -> Iterator[Progress]:
    """A bar with what runs now."""
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        shown.add_task("", total=total)
        yield shown


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "report", type=click.Path(path_type=Path), help="Write all reports there (- prints them).")
@click.option("--jobs", type=click.IntRange(1, 8), default=2, show_default=True, help="How many at a time.")
@click.option("--broker", metavar="HOST:PORT", help="A running Kafka instead of the bundled broker.")
@click.option("--seed", type=int, help="Another seed for all of them.")
@click.option("--logs", type=click.Path(path_type=Path), help="Keep the logs of the processes in this folder.")
@click.option(
    "--random", "count", type=click.IntRange(1, 1000), help="So many files made from seeds, instead of FILES."
)
@click.option("--first", type=int, default=1, show_default=True, help="The first seed of --random.")
def main(
    files: tuple[Path, ...],
    report: Path | None,
    jobs: int,
    broker: str | None,
    seed: int | None,
    logs: Path | None,
    count: int | None,
    first: int,
) -> None:
    """Run scenario FILES or folders (default: all of tests/scenarios) and print what each came to.

    \b
    Examples:
      make scenarios FILES="my-sale.yaml more/"
      make scenarios ARGS="--random 20 --first 1000"                       files nobody wrote
      python -m tests.scenarios.generate 1007 > it.yaml                    the file of a seed that failed

    Exit status: 0 all as expected; 1 at least one not.
    """
    with tempfile.TemporaryDirectory(prefix="scenarios-") as folder:
        chosen = made(Path(folder), range(first, first + count)) if count else found(files)
        results = run_all(chosen, report, jobs, broker, seed, logs)
    if any(result.status for result in results):
        raise SystemExit(1)


def run_all(
    chosen: list[Path], report: Path | None, jobs: int, broker: str | None, seed: int | None, logs: Path | None
) -> list[Result]:
    """All files, `jobs` at a time; prints each result as it comes, then the table."""
    console = Console(stderr=str(report) == "-")
    running: dict[str, None] = {}
    lock = threading.Lock()
    results: dict[Path, Result] = {}
    with progress(console, len(chosen)) as shown, ThreadPoolExecutor(jobs) as pool:
        task = shown.task_ids[0]

        def one(file: Path) -> Result:
            with lock:
                running[file.stem] = None
                shown.update(task, description=", ".join(running))
            try:
                return run(file, broker, seed, logs)
            finally:
                with lock:
                    del running[file.stem]

        waiting = {pool.submit(one, file): file for file in chosen}
        try:
            for done in as_completed(waiting):
                result = results[waiting[done]] = done.result()
                shown.update(task, advance=1, description=", ".join(running))
                style = "green" if result.status == 0 else "red"
                console.print(f"[{style}]{result.word}[/] {result.file} ({result.seconds:.0f} s)", highlight=False)
                for line in result.wrong():
                    console.print(f"    {line}", style="red", markup=False, highlight=False)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    ordered = [results[file] for file in chosen]
    console.print(table(ordered))
    failed = [result.file for result in ordered if result.status]
    console.print(
        f"{len(ordered) - len(failed)} of {len(ordered)} as expected"
        + ("." if not failed else f"; not: {', '.join(failed)}")
    )
    if report is not None:
        text = json.dumps({"ok": not failed, "scenarios": [r.as_dict() for r in ordered]}, indent=2, ensure_ascii=False)
        if str(report) == "-":
            click.echo(text)
        else:
            report.write_text(text + os.linesep, encoding="utf-8")
    return ordered


if __name__ == "__main__":
    main()
