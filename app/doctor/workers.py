"""Asks workers at their operators' addresses how they are. What a worker says there is made in `app.main` and `app.delivery.runtime`."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from app.doctor.checks import Check, Result
from app.settings import Settings
from app.why.ask import default_worker

_OLDEST: Final = "clarus_stream_oldest_pending_seconds"
SECONDS: Final = 5.0
OLD_SECONDS: Final = 300.0
"""Work that waits longer is worth a look whatever it is."""


def checks(settings: Settings, workers: Sequence[str]) -> list[Check]:
    """One look at each worker."""
    remedy = "it accepts connections and does not answer: see its log, restart it"
    return [
        Check(f"worker {url}", "answers", _look(url), 2 * SECONDS, remedy)
        for url in workers or [default_worker(settings.settings.ops)]
    ]


def _look(url: str) -> Callable[[], list[Result]]:
    return lambda: ask(url)


def ask(url: str, transport: httpx.BaseTransport | None = None) -> list[Result]:
    """One worker's state as results."""
    area = f"worker {url}"
    try:
        with httpx.Client(timeout=SECONDS, trust_env=False, transport=transport) as client:
            response = client.get(f"{url.rstrip('/')}/status")
            status = response.json()
            status["engine"]["ready"], status["version"]
            figures = client.get(f"{url.rstrip('/')}/metrics").text
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = f"cannot be reached: {error or type(error).__name__}"
        remedy = "start clarus-stream worker, or name its address with --worker (settings.ops.host, settings.ops.port)"
        return [Result(area, "answers", "fail", text, remedy)]
    except (ValueError, KeyError, TypeError):
        text = f"{response.status_code}: that is no answer of a worker"
        return [Result(area, "answers", "fail", text, "name a worker's address with --worker")]
    return judge(area, status, oldest_pending(figures))


def oldest_pending(figures: str) -> dict[str, float]:
    """Seconds that the oldest work of each channel waits, from a worker's metrics."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(figures):
        for sample in family.samples:
            if sample.name == _OLDEST:
                channel = sample.labels.get("channel", "")
                found[channel] = max(found.get(channel, 0.0), sample.value)
    return found


def judge(area: str, status: Mapping[str, Any], oldest: Mapping[str, float]) -> list[Result]:
    """`oldest`: seconds by channel. Pure."""
    channels = status.get("channels", {}).items()
    return [
        *_engine(area, status),
        *_mappings(area, status.get("mappings") or {}),
        *(r for name, one in channels for r in _channel(area, name, one, oldest.get(name, 0.0))),
    ]


def _engine(area: str, status: Mapping[str, Any]) -> list[Result]:
    engine = status["engine"]
    owned = f"version {status['version']}, {len(engine.get('partitions', {}))} partitions"
    if engine.get("failure"):
        return [
            Result(
                area, "engine", "fail", f"{owned}; stopped: {engine['failure']}", "read its log, put right, restart it"
            )
        ]
    if not engine.get("live", True):
        text = f"{owned}; no cycle for {engine.get('last_turn_ms_ago', 0) / 1000:.0f} s"
        return [Result(area, "engine", "fail", text, "it hangs: keep its log, restart it")]
    if engine.get("broker_away"):
        return [
            Result(
                area, "engine", "fail", f"{owned}; the broker is away", "see the checks of kafka; it goes on by itself"
            )
        ]
    if restoring := engine.get("restoring"):
        done = sum(one["rows"] for one in restoring.values())
        left = sum(max(0, one["target"] - one["offset"]) for one in restoring.values())
        text = f"{owned}; restoring {len(restoring)}: {done} rows read, {left} offsets left"
        return [Result(area, "engine", "warn", text, "wait; its partitions start one by one")]
    if not engine["ready"]:
        return [
            Result(area, "engine", "warn", f"{owned}; not ready", "a rebalance takes some seconds; else see its log")
        ]
    return [Result(area, "engine", "ok", f"{owned}, ready")]


def _mappings(area: str, mappings: Mapping[str, Any]) -> list[Result]:
    if left := mappings.get("left_out"):
        text = f"version {mappings['version']}; not in force: {'; '.join(left[:3])}"
        remedy = (
            "give all workers one configuration, or import these records as they shall be (remove: true takes one out)"
        )
        return [Result(area, "mappings", "warn", text, remedy)]
    if not mappings:
        return []
    return [Result(area, "mappings", "ok", f"version {mappings['version']}, {mappings['records']} records")]


def _channel(area: str, name: str, one: Mapping[str, Any], oldest: float) -> list[Result]:
    found: list[Result] = []
    check = f"channel {name}"
    if one.get("breaker", "closed") != "closed":
        text = f"breaker {one['breaker']} after {one.get('failures_in_a_row', 0)} failures in a row"
        found.append(Result(area, check, "fail", text, "the peer does not answer: see its own checks here"))
    mode = one.get("mode", {})
    shadow = mode.get("in_force") == "shadow"
    wrong = "; ".join(f"{f['check']}: {f['detail']}" for f in one.get("findings", []) if not f["ok"] and f["blocking"])
    if not one.get("writes", True) and (wrong or not shadow):
        text = f"nothing is written: {wrong or 'the start check is not done'}"
        found.append(
            Result(area, check, "fail", text, "put right what the start check names; it is repeated by itself")
        )
    if shadow:
        by = f" by {mode['actor']} since {_moment(mode['since'])}: {mode['reason']}" if mode.get("actor") else ""
        remedy = f"clarus-stream shadow {name} compares, clarus-stream go-live {name} --reason … ends it"
        found.append(Result(area, check, "warn", f"in shadow{by}: nothing is written, figures are compared", remedy))
    for pause in one.get("paused", []):
        text = f"{pause['target']} paused by {pause['actor']} since {_moment(pause['since'])}: {pause['reason']}"
        found.append(Result(area, check, "warn", text, f"clarus-stream resume {pause['target']} --reason …"))
    if oldest > OLD_SECONDS:
        text = f"the oldest of {sum(one.get('backlog', {}).values())} waiting is {oldest:.0f} s old"
        found.append(
            Result(area, check, "warn", text, "see breaker, budget and pauses of the channel, then its exceptions")
        )
    if not found:
        waits = ", ".join(f"{kind} {count}" for kind, count in one.get("backlog", {}).items() if count)
        found.append(Result(area, check, "ok", f"writes; {f'waiting: {waits}' if waits else 'nothing waits'}"))
    return found


def _moment(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at / 1000))
