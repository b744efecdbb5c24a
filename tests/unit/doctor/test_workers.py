"""What a worker says of itself, judged: each state that needs somebody is a line with what to do."""

from typing import Any

import httpx

from app import metrics
from app.doctor.checks import Result
from app.doctor.workers import ask, judge, oldest_pending

CHANNEL: dict[str, Any] = {
    "backlog": {"stock": 2, "fetches": 0},
    "writes": True,
    "paused": [],
    "breaker": "closed",
    "findings": [],
}
ENGINE: dict[str, Any] = {
    "live": True,
    "ready": True,
    "broker_away": False,
    "partitions": {"0": "running"},
    "restoring": {},
    "failure": None,
}


def judged(engine: dict[str, Any] | None = None, **channel: Any) -> list[Result]:
    oldest = channel.pop("oldest", 0.0)
    status = {"version": "1.2", "engine": {**ENGINE, **(engine or {})}, "channels": {"bc": {**CHANNEL, **channel}}}
    return judge("worker w", status, {"bc": oldest})


def test_a_worker_that_runs_is_two_good_lines() -> None:
    assert [(r.check, r.state, r.detail) for r in judged()] == [
        ("engine", "ok", "version 1.2, 1 partitions, ready"),
        ("channel bc", "ok", "writes; waiting: stock 2"),
    ]


def test_an_engine_in_trouble_says_which() -> None:
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"failure": "Fenced: taken over"}, "fail", "stopped: Fenced: taken over"),
        ({"live": False, "last_turn_ms_ago": 90_000}, "fail", "no cycle for 90 s"),
        ({"broker_away": True}, "fail", "the broker is away"),
        (
            {"ready": False, "restoring": {"3": {"offset": 10, "target": 50, "rows": 7}}},
            "warn",
            "restoring 1: 7 rows read, 40 offsets left",
        ),
        ({"ready": False}, "warn", "not ready"),
    ]
    for change, state, text in cases:
        [engine, _] = judged(change)
        assert engine.state == state, change
        assert text in engine.detail
        assert engine.remedy


def test_a_paused_channel_names_who_since_when_why_and_the_command_that_ends_it() -> None:
    pause = {"target": "000123", "actor": "ada", "reason": "stocktake", "since": 0}
    [_, channel] = judged(paused=[pause])
    assert channel.state == "warn"
    assert channel.detail == "000123 paused by ada since 1970-01-01 00:00:00Z: stocktake"
    assert channel.remedy.startswith("clarus-stream resume 000123")


def test_a_channel_that_may_not_write_names_the_finding() -> None:
    findings = [
        {"check": "token", "ok": True, "detail": "", "blocking": True},
        {"check": "location", "ok": False, "detail": "no location 3", "blocking": True},
        {"check": "webhooks", "ok": False, "detail": "none", "blocking": False},
    ]
    [_, channel] = judged(writes=False, findings=findings)
    assert (channel.state, channel.detail) == ("fail", "nothing is written: location: no location 3")
    assert judged(writes=False)[1].detail == "nothing is written: the start check is not done"


def test_an_open_breaker_and_old_work_are_lines_of_their_own() -> None:
    found = judged(breaker="open", failures_in_a_row=9, oldest=400.0)
    assert [(r.state, r.detail) for r in found[1:]] == [
        ("fail", "breaker open after 9 failures in a row"),
        ("warn", "the oldest of 2 waiting is 400 s old"),
    ]
    assert judged(oldest=10.0)[1].state == "ok"


def test_a_channel_in_shadow_has_no_fault_and_says_who_put_it_there_and_what_ends_it() -> None:
    shadow = {"in_force": "shadow", "actor": "kim", "reason": "old program", "since": 1_700_000_000_000}
    [_, told] = judged(writes=False, mode=shadow)
    assert told.state == "warn"
    assert "in shadow by kim since 2023-11-14 22:13:20Z: old program" in told.detail
    assert "clarus-stream go-live bc" in told.remedy
    [_, configured] = judged(writes=False, mode={"in_force": "shadow"})
    assert (configured.state, configured.detail) == ("warn", "in shadow: nothing is written, figures are compared")
    check = {"check": "location", "ok": False, "detail": "location 7 is disabled", "blocking": True}
    assert [r.state for r in judged(writes=False, mode=shadow, findings=[check])[1:]] == ["fail", "warn"]
    [_, unchecked] = judged(writes=False, mode={"in_force": "live"})
    assert (unchecked.state, "start check is not done" in unchecked.detail) == ("fail", True)


def test_what_is_no_worker_is_told_from_what_is_not_there() -> None:
    page = httpx.MockTransport(lambda request: httpx.Response(200, json={"hello": 1}))
    assert "that is no answer of a worker" in ask("http://w:1", page)[0].detail

    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    [result] = ask("http://w:1", httpx.MockTransport(gone))
    assert (result.state, result.detail) == ("fail", "cannot be reached: refused")
    assert "--worker" in result.remedy


def test_how_long_the_oldest_work_waits_is_the_most_of_a_channels_classes() -> None:
    text = "\n".join(
        [
            "# TYPE clarus_stream_oldest_pending_seconds gauge",
            'clarus_stream_oldest_pending_seconds{channel="bc",priority="sweep"} 400.5',
            'clarus_stream_oldest_pending_seconds{channel="bc",priority="increase"} 3.0',
            'clarus_stream_oldest_pending_seconds{channel="ct"} 0.0',
            "",
        ]
    )
    assert oldest_pending(text) == {"bc": 400.5, "ct": 0.0}
    assert b"# TYPE clarus_stream_oldest_pending_seconds gauge" in metrics.render("worker"), (
        "a worker calls it otherwise"
    )


def test_mappings_that_are_not_in_force_are_named() -> None:
    status: dict[str, Any] = {"version": "1.2", "engine": ENGINE, "channels": {}}
    told = judge("w", {**status, "mappings": {"version": 3, "records": 12, "left_out": []}}, {})
    assert [(r.check, r.state, r.detail) for r in told[1:]] == [("mappings", "ok", "version 3, 12 records")]
    left = ["sku gone//1: there is no channel 'gone'; allowed: bc"]
    [_, lost] = judge("w", {**status, "mappings": {"version": 3, "records": 12, "left_out": left}}, {})
    assert lost.state == "warn" and left[0] in lost.detail and "remove: true" in lost.remedy
