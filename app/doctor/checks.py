"""What a check finds, and how checks are run: side by side, each within its own time, none able to stop another. What is looked at is said elsewhere."""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from confluent_kafka import KafkaException

from app.errors import Problem

State = Literal["ok", "warn", "fail"]
_ORDER: Final[tuple[State, ...]] = ("fail", "warn", "ok")


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table: what was looked at, how it is, and where it is not well what to do."""

    area: str
    check: str
    state: State
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One look. `look` may block or be a coroutine function; `remedy` is for when it does not end in time."""

    area: str
    name: str
    look: Callable[[], list[Result]] | Callable[[], Awaitable[list[Result]]]
    seconds: float
    remedy: str


@dataclass(slots=True)
class Report:
    """Everything that was found. `requests` counts what was asked of each peer."""

    results: list[Result] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Nothing failed; warnings are allowed."""
        return all(result.state != "fail" for result in self.results)

    def count(self, state: State) -> int:
        """How many results are so."""
        return sum(result.state == state for result in self.results)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "ok": self.ok,
            "counts": {state: self.count(state) for state in _ORDER},
            "checks": [
                {"area": r.area, "check": r.check, "result": r.state, "detail": r.detail, "remedy": r.remedy}
                for r in self.results
            ],
            "requests": self.requests,
            "seconds": round(self.seconds, 1),
        }


async def run(checks: Sequence[Check]) -> list[Result]:
    """All results, in the order of the checks."""
    found = await asyncio.gather(*(_guarded(check) for check in checks))
    return [result for results in found for result in results]


async def _guarded(check: Check) -> list[Result]:
    limit = asyncio.timeout(check.seconds)
    try:
        async with limit:
            return await _look(check)
    except Problem as problem:
        return [Result(check.area, check.name, "fail", *_parted(line)) for line in problem.lines]
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding of its own, the others go on
        text = f"no answer within {check.seconds:g} s" if limit.expired() else _words(error)
        return [Result(check.area, check.name, "fail", text, check.remedy)]


def _words(error: Exception) -> str:
    if isinstance(error, KafkaException):
        return str(error.args[0].str()) if error.args else str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"could not be looked at: {type(error).__name__}: {error}"


async def _look(check: Check) -> list[Result]:
    if inspect.iscoroutinefunction(check.look):
        found: list[Result] = await check.look()
        return found
    return await _threaded(check.look)


async def _threaded(look: Callable[[], Any]) -> list[Result]:
    """On a daemon thread: one that never comes back does not keep the command from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[list[Result]] = loop.create_future()

    def tell(settle: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            settle(value)

    def work() -> None:
        try:
            settle, value = done.set_result, look()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            settle, value = done.set_exception, error  # type: ignore[assignment]
        try:
            loop.call_soon_threadsafe(tell, settle, value)
        except RuntimeError:
            return  # the loop has ended: nobody waits any more

    threading.Thread(target=work, daemon=True).start()
    return await done


def _parted(line: str) -> tuple[str, str]:
    """A problem's line as what is wrong and what to do: they are parted by the last semicolon."""
    detail, parted, remedy = line.rpartition("; ")
    return (detail, remedy) if parted else (line, "")
