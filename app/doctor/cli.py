"""The command `doctor`: options, exit status. What is looked at is in the modules beside it."""

import asyncio
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from app.cli import config_option, json_option, workers_option
from app.doctor import cluster, configuration, exceptions, group, guarantees, peers, workers
from app.doctor.checks import Check, Report, Result, run
from app.doctor.show import show
from app.screen import screen
from app.settings import Settings


def diagnose(path: Path | None, environ: Mapping[str, str], urls: Sequence[str], *, ask_peers: bool) -> Report:
    """Look at everything. Without a configuration nothing can be looked at, without a broker nothing of the cluster; all else is independent."""
    began, report = time.monotonic(), Report()
    configured = configuration.look(path, environ)
    report.results = configured.results
    if configured.settings is not None:
        report.results += guarantees.look(configured.settings)
        asked = peers.checks(configured.settings, report.requests, configured.lacking) if ask_peers else []
        report.results += asyncio.run(_look(configured.settings, asked, urls))
    report.seconds = time.monotonic() - began
    return report


async def _look(settings: Settings, asked: Sequence[Check], urls: Sequence[str]) -> list[Result]:
    """Peers, cluster, workers, side by side."""
    parts = run(asked), _cluster(settings), run(workers.checks(settings, urls))
    return [result for results in await asyncio.gather(*parts) for result in results]


async def _cluster(settings: Settings) -> list[Result]:
    found = await run([cluster.first(settings)])
    if any(result.state == "fail" for result in found):
        text = "not looked at: topics, schemas, rights, group, lag, dead letters, open exceptions"
        return [*found, Result(group.AREA, "the rest", "fail", text, "put the broker right first")]
    return [*found, *await run([*cluster.checks(settings), exceptions.check(settings)])]


@click.command()
@workers_option
@click.option("--no-peers", is_flag=True, help="Send no request to storefronts and warehouse.")
@config_option
@json_option
def doctor(workers: tuple[str, ...], no_peers: bool, config_file: Path | None, as_json: bool) -> None:
    """Look at everything that must be well: configuration, cluster, peers, workers, listings, open exceptions. Changes nothing.

    Each line says what is wrong and what to do. A peer is asked a few reads, within its budget. Exit status 0 where nothing failed, 1 otherwise.

    \b
    Examples:
      clarus-stream doctor --config shop.yaml
      clarus-stream doctor --config shop.yaml --worker http://worker-1:9464 --worker http://worker-2:9464
      clarus-stream doctor --config shop.yaml --json | jq '.checks[] | select(.result != "ok")'
    """
    report = diagnose(config_file, os.environ, workers, ask_peers=not no_peers)
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    else:
        show(screen(), report)
    if not report.ok:
        raise SystemExit(1)
