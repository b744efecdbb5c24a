"""Finds the order that people mean, by `CHANNEL:ID`, id, number or reference, and asks workers for its story. What cannot be had is said."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import httpx
import msgspec
from confluent_kafka import KafkaException

from app import registry
from app.errors import Problem
from app.settings import Settings
from app.why.ask import NotThereError, client, elsewhere, get, nobody
from app.why.log import LogReader
from app.why.show import moment
from schemas.catalogue import ORDERS_STATUS
from schemas.codec import UndecodableRecord
from schemas.records import NormalisedOrder
from tables.explain.order_report import OrderAnswer, OrderMore, found, merge
from tables.explain.report import Lines

SEARCH_SECONDS = 15.0
MOST_NAMED = 5


@dataclass(slots=True)
class Asked:
    """The joint answer with the order's lines in the ledger by SKU, and one line for each piece or worker that is missing from it."""

    answer: OrderAnswer
    lines: dict[str, Lines]
    missing: list[str] = field(default_factory=list)


def ask(settings: Settings, word: str, workers: Sequence[str], transport: httpx.BaseTransport | None = None) -> Asked:
    """`Problem` where no worker answers, where nothing is known by this name, or where several orders are."""
    with client(transport) as asking:
        troubles: list[str] = []
        seen = {key: _answer(asking, workers, key, troubles) for key in candidates(word, settings.channels)}
        keys = [key for key, answer in seen.items() if answer.known]
        if not keys or word.partition(":")[0] not in settings.channels:
            try:
                keys += [key for key in search(settings, word) if key not in keys]
            except Problem as problem:
                if not keys:
                    raise
                troubles += [f"other orders of this number: {line}" for line in problem.lines]
        if not keys:
            raise _unknown(settings, word, list(seen.values()), troubles)
        if len(keys) > 1:
            more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
            raise Problem(f"{word} names {len(keys)} orders: {', '.join(keys[:MOST_NAMED])}{more}; say which one", 2)
        answer = seen.get(keys[0]) or _answer(asking, workers, keys[0], troubles)
        return _with_more(asking, workers, answer, troubles)


def candidates(word: str, channels: Collection[str]) -> list[str]:
    """Order keys that the word may be itself."""
    channel, _, order_id = word.partition(":")
    if channel in channels:
        return [word] if order_id else []
    return [] if word.startswith("#") else [f"{channel}:{word}" for channel in channels]


def search(settings: Settings, word: str) -> list[str]:
    """Keys of the orders with this number, id or reference, from the public states of all orders. `Problem` where not all could be read in time."""
    channel, _, number = word.partition(":")
    if channel not in settings.channels:
        channel, number = "", word
    if not number:
        return []
    given, codec = settings.settings.kafka, registry.codecs_for(settings)[ORDERS_STATUS]
    needle = number.encode()
    keys: dict[str, None] = {}
    reader = LogReader(given, "clarus-stream-why", SEARCH_SECONDS)
    try:
        for message in reader.whole(ORDERS_STATUS.name):
            if needle not in (message.value() or b""):
                continue
            try:
                body: NormalisedOrder = codec.decode(message.value()).body
            except UndecodableRecord:
                continue
            names = body.number, body.order_id, body.reference
            if (number in names or word == body.reference) and channel in ("", body.channel):
                keys[f"{body.channel}:{body.order_id}"] = None
    except KafkaException as error:
        text = error.args[0].str() if error.args else str(error)
        raise Problem(
            f"kafka: {given.bootstrap} cannot be searched for {word}: {text}; name it as CHANNEL:ID"
        ) from error
    finally:
        reader.close()
    if reader.over and not keys:
        raise Problem(
            f"{word} was not found in {SEARCH_SECONDS:g} s, and not all orders were looked at: name it as CHANNEL:ID"
        )
    return sorted(keys)


def _answer(asking: httpx.Client, workers: Sequence[str], key: str, troubles: list[str]) -> OrderAnswer:
    """Every worker in turn until every piece is there; the troubles of one round count once."""
    answers: list[OrderAnswer] = []
    said: list[str] = []
    for worker in workers:
        try:
            answer = get(asking, worker, f"/why/order/{quote(key, safe='')}", OrderAnswer, said)
        except NotThereError as error:
            answer = None
            said += [f"{worker}: {line}" for line in error.lines]
        if answer is None:
            continue
        answers.append(answer)
        if all(part.here for part in merge(answers).parts):
            break
    troubles += [line for line in said if line not in troubles]
    if not answers:
        raise nobody(troubles)
    return merge(answers)


def _with_more(asking: httpx.Client, workers: Sequence[str], answer: OrderAnswer, troubles: list[str]) -> Asked:
    reference = answer.head.reference if answer.head is not None else ""
    returned = [("return", one.reference) for one in answer.returns if one.reference]
    query = urlencode([*(("sku", sku) for sku in answer.skus), *returned])
    more: list[OrderMore] = []
    said: list[str] = []
    for worker in workers if query else ():
        one = get(asking, worker, f"/why/order-more/{quote(reference, safe='')}?{query}", OrderMore, said)
        if one is not None:
            more.append(one)
    troubles += [line for line in said if line not in troubles]
    parts = found([one.parts for one in more])
    lines = {sku: lines for one in more for sku, lines in one.lines.items()}
    calls = [call for one in more for call in one.calls]
    whole = msgspec.structs.replace(answer, calls=[*answer.calls, *calls])
    return Asked(whole, lines, [*troubles, *elsewhere(answer.parts), *elsewhere(parts)])


def _unknown(settings: Settings, word: str, seen: Sequence[OrderAnswer], troubles: Sequence[str]) -> Problem:
    """Nothing is known by this name: how far orders are known, and what to try."""
    lines = [f"no SKU, listing or order {word} is known here"]
    gaps = [line for answer in seen for line in elsewhere(answer.parts)]
    lines += [*dict.fromkeys([*troubles, *gaps])]
    for answer in seen:
        channel = answer.key.partition(":")[0]
        known = f"up to {moment(answer.orders_known_to)}" if answer.orders_known_to else "not yet (see /status)"
        lines.append(f"orders of {channel} are known {known}")
    channels = ", ".join(settings.channels) or "none is configured"
    lines.append(
        f"try CHANNEL:ID with the storefront's own order id (channels: {channels}), the order number, or the reference at Clarus; look whether"
        " the storefront has it as a finished order; `clarus-stream exceptions list` names orders that could not be fetched"
    )
    return Problem(lines)


def as_plain(asked: Asked) -> dict[str, object]:
    """For JSON."""
    return {
        "answer": msgspec.to_builtins(asked.answer),
        "lines": msgspec.to_builtins(asked.lines),
        "missing": asked.missing,
    }
