"""Structured logs: one line an event, JSON or console, the standard library's loggers through the same pipe. No personal data and no secrets.

Code logs an event in plain words with fields (`log.warning("webhook refused", channel=…)`); entities are named by our keys. Fields whose name says
that they hold a secret or a person's data are blanked here, as the last resort, not as the rule.
"""

import logging
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from app.settings import OpsSettings

_SECRETS = (
    "password",
    "secret",
    "token",
    "access_token",
    "client_secret",
    "api_secret",
    "path_secret",
    "authorization",
)
_PERSONAL = ("address", "email", "phone", "postcode", "body")
_BLANKED = frozenset((*_SECRETS, *_PERSONAL))
_REPEATING = ("librdkafka", "app.engine.librdkafka")
_EVERY = 60.0
_KINDS = 500
_CHATTY = ("httpx", "httpcore", "faust", "mode", "aiokafka", "asyncio", "uvicorn")


def _blank(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in _BLANKED.intersection(event):
        event[name] = "***"
    return event


class Repeats(logging.Filter):
    """Of lines that differ in figures only the first in a minute, with how many were left out before it.

    librdkafka has a line for every attempt to connect, twenty in a second while a broker is away. `[thrd:…]` names the broker: each has its own line.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._steady = steady
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Is it to be written?"""
        if record.levelno < logging.WARNING:
            return True
        message, now = record.getMessage(), self._steady()
        broker = re.search(r"\[thrd:[^\]]*", message)
        kind = (broker.group() if broker else "", re.sub(r"\d+", "#", message))
        at, left_out = self._said.get(kind, (now - _EVERY, 0))
        if now - at < _EVERY:
            self._said[kind] = (at, left_out + 1)
            return False
        if left_out:
            record.msg, record.args = f"{message} ({left_out} more like it in {now - at:.0f} s)", ()
        if len(self._said) >= _KINDS:
            self._said.clear()
        self._said[kind] = (now, 0)
        return True


def configure(settings: OpsSettings, stream: TextIO | None = None) -> None:
    """Set up logging of this process; may be called again. Logs go to standard error, so that what a command prints stays its own."""
    target = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.ExtraAdder(),
        _blank,
    ]
    end: list[Any]
    if settings.log_format == "json":
        end = [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("event"),
            structlog.processors.JSONRenderer(default=str),
        ]
    else:
        end = [
            structlog.dev.ConsoleRenderer(
                colors=target.isatty(), timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
            )
        ]
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end]
        )
    )
    level = getattr(logging, settings.log_level.upper())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _REPEATING:
        logging.getLogger(name).filters[:] = [Repeats()]
    for name in _CHATTY:
        logging.getLogger(name).setLevel(level if settings.log_level == "debug" else max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
