"""Ask workers for an explanation and put their answers together. What cannot be had is said, with what to do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from app.errors import Problem
from app.settings import OpsSettings
from tables.explain.report import Answer, Part, merge

SECONDS = 8.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104 - addresses to listen on, as a client must name them


Found = TypeVar("Found", bound=msgspec.Struct)


@dataclass(slots=True)
class Asked:
    """The joint answer, and one line for each piece or worker that is missing from it."""

    answer: Answer
    missing: list[str] = field(default_factory=list)


def default_worker(ops: OpsSettings) -> str:
    """The worker of this configuration: its operators' address."""
    return f"http://{_EVERYWHERE.get(ops.host, ops.host)}:{ops.port}"


class NotThereError(Problem):
    """A worker knows nothing by this name."""


def ask(word: str, workers: Sequence[str], transport: httpx.BaseTransport | None = None) -> Asked:
    """Every worker in turn until every piece is there: of a SKU, by any of its names. NotThereError where they know none, `Problem` where none answers."""
    answers: list[Answer] = []
    troubles: list[str] = []
    unknown: NotThereError | None = None
    with client(transport) as asking:
        for worker in workers:
            try:
                answer = get(asking, worker, f"/why/sku/{quote(word, safe='')}", Answer, troubles)
            except NotThereError as error:
                unknown = error
                continue
            if answer is None:
                continue
            answers.append(answer)
            if all(part.here for part in merge(answers).parts):
                break
    if not answers:
        raise unknown or nobody(troubles)
    joint = merge(answers)
    return Asked(joint, troubles + elsewhere(joint.parts))


def client(transport: httpx.BaseTransport | None) -> httpx.Client:
    """Asks workers."""
    return httpx.Client(timeout=SECONDS, trust_env=False, transport=transport)


def nobody(troubles: Sequence[str]) -> Problem:
    """None of the workers answered."""
    return Problem(
        [
            *troubles,
            "no worker explained it: name running ones with --worker http://HOST:PORT (settings.ops.host, settings.ops.port)",
        ]
    )


def elsewhere(parts: Sequence[Part]) -> list[str]:
    """A line for each piece that no worker asked has."""
    return [
        f"{part.what} lies in partition {part.partition}, which none of the workers asked owns: name its worker with --worker"
        for part in parts
        if not part.here
    ]


def get(asking: httpx.Client, worker: str, path: str, kind: type[Found], troubles: list[str]) -> Found | None:
    """One worker's answer; None, and a line in `troubles`, where it gives none. NotThereError where it knows nothing by that name."""
    try:
        response = asking.get(f"{worker.rstrip('/')}{path}")
    except httpx.TimeoutException:
        troubles.append(f"{worker} did not answer within {SECONDS:g} s; clarus-stream doctor says what keeps it")
        return None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        troubles.append(
            f"{worker} cannot be reached: {error or type(error).__name__}; is a worker running there (clarus-stream worker)?"
        )
        return None
    try:
        if response.status_code == 200:
            return msgspec.json.decode(response.content, type=kind)
        detail = msgspec.json.decode(response.content, type=dict)["error"]
    except (msgspec.DecodeError, KeyError):
        detail = "that is no answer of a worker of this version"
    else:
        if response.status_code == 404:
            raise NotThereError(detail, 2)
    troubles.append(f"{worker} answers {response.status_code}: {detail}")
    return None
