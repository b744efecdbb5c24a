"""Ask the workers for a channel's comparison, and for the reasons of single figures. `Problem` where nobody owns the channel."""

from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import quote

import httpx
import msgspec

from app.connectors import CLARUS
from app.errors import Problem
from app.settings import Settings
from app.why.ask import SECONDS
from app.why.ask import ask as ask_why
from app.why.names import near, unknown
from tables.explain.report import Target
from tables.explain.shadow import Compared, ShadowAnswer


def ask(
    settings: Settings, channel: str, workers: Sequence[str], transport: httpx.BaseTransport | None = None
) -> ShadowAnswer:
    """Every worker in turn until one owns the channel."""
    if channel != CLARUS and channel not in settings.channels:
        channels = [CLARUS, *settings.channels]
        raise unknown(
            channel, f"{channel} is no channel of this configuration", near(channel, settings.catalogue(), channels)
        )
    troubles: list[str] = []
    with httpx.Client(timeout=SECONDS + 4, trust_env=False, transport=transport) as client:
        for worker in workers:
            try:
                response = client.get(f"{worker.rstrip('/')}/shadow/{quote(channel, safe='')}")
                if response.status_code == 200:
                    answer = msgspec.json.decode(response.content, type=ShadowAnswer)
                    if answer.here:
                        return answer
                    troubles.append(f"{worker} does not own {channel} (partition {answer.partition})")
                else:
                    troubles.append(f"{worker} answers {response.status_code}: {response.text[:200]}")
            except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
                troubles.append(f"{worker} cannot be asked: {error or type(error).__name__}")
    raise Problem([*troubles, f"no worker asked owns {channel}: name the running ones with --worker http://HOST:PORT"])


def reasons(compared: Sequence[Compared], workers: Sequence[str]) -> dict[str, str]:
    """In one line for each listing, without the terms that change nothing, how its figure comes about; nothing for those that nobody explains."""
    found: dict[str, str] = {}
    for one in compared:
        try:
            answer = ask_why(one.sku, workers).answer
        except Problem:
            continue
        target = next((x for x in answer.ledger.targets if x.listing == one.listing), None) if answer.ledger else None
        if target is not None:
            found[one.listing] = _words(target)
    return found


def _words(target: Target) -> str:
    parts = []
    if target.unions:
        pool = target.unions[0]
        parts.append(f"pool {pool.left} = {pool.free} free - {pool.demand} demand")
    changing = (new for old, new in pairwise(target.terms) if new.result != old.result)
    parts += [f"{term.name} {term.operation} {term.operand}: {term.result}" for term in changing]
    if target.quota is not None:
        parts.append(f"quota {target.quota.target}")
    return "; ".join(parts[:4])
