"""What operators see: metrics, health, logs."""

import io
import json
import logging
from typing import Any

import httpx
import pytest
import structlog

from app import logs, metrics
from app.errors import Problem
from app.logs import Repeats
from app.ops import OpsServer
from app.settings import OpsSettings


async def test_health_and_status_follow_the_process() -> None:
    state = {"live": True, "ready": False}
    server = OpsServer(
        OpsSettings(port=0), lambda: state["live"], lambda: state["ready"], lambda: {"partitions": [1, 2], **state}
    )
    port = await server.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            assert (await client.get("/live")).status_code == 200
            assert (await client.get("/ready")).status_code == 503
            state.update(live=False, ready=True)
            assert (await client.get("/live")).status_code == 503
            assert (await client.get("/ready")).status_code == 200
            assert (await client.get("/status")).json() == {"partitions": [1, 2], "live": False, "ready": True}
            shown = await client.get("/metrics")
            assert shown.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert "clarus_stream_records_in_total" in shown.text
    finally:
        await server.stop()


async def test_what_is_not_here_is_said_with_what_there_is() -> None:
    server = OpsServer(OpsSettings(port=0), lambda: True, lambda: True, dict)
    port = await server.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            none = await client.get("/")
            assert (none.status_code, none.json()) == (
                404,
                {"error": "there is no / here; there is /metrics, /live, /ready, /status"},
            )
            other = await client.post("/status")
            assert (other.status_code, other.json()["error"]) == (405, "POST /status: Method Not Allowed")
            assert "GET" in other.headers["allow"]
    finally:
        await server.stop()


async def test_a_port_in_use_is_one_line_with_the_setting() -> None:
    first = OpsServer(OpsSettings(port=0), lambda: True, lambda: True, dict)
    port = await first.start()
    try:
        second = OpsServer(OpsSettings(port=port), lambda: True, lambda: True, dict)
        with pytest.raises(Problem, match=rf"ops\.port: cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            await second.start()
    finally:
        await first.stop()


def test_every_metric_is_defined_once_with_its_words_and_its_prefix() -> None:
    names = [d.name for d in metrics.DEFINITIONS]
    assert len(names) == len(set(names))
    for definition in metrics.DEFINITIONS:
        assert definition.name.startswith("clarus_stream_")
        assert definition.doc.endswith(".")
        assert definition.name in metrics.document()
        assert (definition.type == "counter") == definition.name.endswith("_total")


@pytest.fixture
def lines() -> Any:
    stream = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level

    def configure(form: str, level: str = "info") -> io.StringIO:
        logs.configure(OpsSettings.model_validate({"log_format": form, "log_level": level}), stream)
        return stream

    yield configure
    structlog.reset_defaults()
    logging.getLogger().handlers[:], level = before
    logging.getLogger().setLevel(level)


def test_one_line_an_event_in_json_from_both_worlds(lines: Any) -> None:
    stream = lines("json")
    structlog.get_logger("a.b").info("order released", order="ct-eu:1")
    logging.getLogger("library").warning("something %s", "odd")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["order"], first["level"], first["logger"]) == (
        "order released",
        "ct-eu:1",
        "info",
        "a.b",
    )
    assert (second["event"], second["level"]) == ("something odd", "warning")
    assert first["time"].endswith("Z")


def test_an_error_with_its_traceback_is_one_line_in_json(lines: Any) -> None:
    stream = lines("json")
    secret = "hush"
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger("a").exception("cycle failed")
    [line] = stream.getvalue().splitlines()
    assert "ValueError: broken" in json.loads(line)["exception"]
    assert secret not in line


def test_secrets_and_personal_data_are_blanked_by_name(lines: Any) -> None:
    stream = lines("console")
    structlog.get_logger("a").warning("x", password="hush", email="a@b.example", sku="000123")
    logging.getLogger("b").warning("y", extra={"token": "hush"})
    assert "hush" not in stream.getvalue()
    assert "a@b.example" not in stream.getvalue()
    assert "000123" in stream.getvalue()


def test_libraries_are_quiet_unless_debugging(lines: Any) -> None:
    stream = lines("json")
    logging.getLogger("httpx").info("HTTP Request: GET https://peer/?token=hush")
    assert stream.getvalue() == ""
    lines("json", "error")
    structlog.get_logger("a").warning("not shown")
    assert stream.getvalue() == ""


def test_what_librdkafka_says_at_every_attempt_is_written_once_a_minute_for_each_broker() -> None:
    now = [1000.0]
    repeats = Repeats(lambda: now[0])

    def written(broker: int, milliseconds: int, level: int = logging.ERROR) -> str:
        words = "FAIL [p#producer-1] [thrd:b%d:9092]: refused (after %dms in state CONNECT)"
        record = logging.LogRecord("librdkafka", level, "", 0, words, (broker, milliseconds), None)
        return record.getMessage() if repeats.filter(record) else ""

    assert "b1:9092" in written(1, 0)
    assert written(1, 1) == written(1, 0) == ""
    assert "b2:9092" in written(2, 0), "another broker has its own line"
    assert written(1, 2, logging.DEBUG) and written(1, 3, logging.DEBUG)
    now[0] += 61
    assert written(1, 5).endswith("(after 5ms in state CONNECT) (2 more like it in 61 s)")
    assert written(1, 6) == ""
