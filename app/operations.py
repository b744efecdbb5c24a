"""The commands `pause`, `resume` and `resync`: one record each in `operations.commands`. What it means is decided by `agents/operations.py`."""

import getpass
import os
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from confluent_kafka import KafkaError, KafkaException, Producer

from app import kafka
from app.cli import actor_option, config_option
from app.config import load
from app.connectors import CLARUS, storefront_type
from app.errors import Problem
from app.mappings.importing import mapped
from app.registry import codecs_for
from app.settings import Settings
from app.why.names import near, product_of, unknown
from schemas.catalogue import OPERATIONS_COMMANDS
from schemas.records import Event, OperatorCommand
from tables.catalogue import Catalogue
from tables.handling import ACTIONS, FOUND

SECONDS = 10.0


Known = Callable[[Settings], Catalogue]
"""What the workers know by their mappings, the imported ones too; asked where the configuration alone does not know a target."""


def send(
    settings: Settings,
    command: OperatorCommand,
    make: Callable[[dict[str, Any]], Any] = Producer,
    known: Known = mapped,
) -> str:
    """Write the command durably; where it lies. `Problem` where its target is none, or where the broker does not take it in time."""
    return send_all(settings, [command], make, known)[0]


def send_all(
    settings: Settings,
    commands: Sequence[OperatorCommand],
    make: Callable[[dict[str, Any]], Any] = Producer,
    known: Known = mapped,
) -> list[str]:
    """As `send`, of many; where each lies. `Problem` says how many are not confirmed: sending all again does no harm."""
    for command in commands:
        _check(settings, command, known)
    given, codec = settings.settings.kafka, codecs_for(settings)[OPERATIONS_COMMANDS]
    placed: list[str] = []
    failed: list[str] = []

    def delivered(error: KafkaError | None, message: Any) -> None:
        if error is None:
            placed.append(f"{OPERATIONS_COMMANDS.name}:{message.partition()}:{message.offset()}")
        else:
            failed.append(error.str())

    try:
        producer = make(kafka.producer(given, {"delivery.timeout.ms": int(SECONDS * 1000), "linger.ms": 0}))
        for command in commands:
            now = time.time_ns() // 1_000_000
            event = Event(event_id=str(uuid.uuid4()), occurred_at=now, received_at=now, source="operator", body=command)
            topic = kafka.topic(given, OPERATIONS_COMMANDS.name)
            producer.produce(topic, codec.encode(event), command.target.encode(), on_delivery=delivered)
        producer.flush(SECONDS + 1)
    except KafkaException as error:
        failed.append(error.args[0].str() if error.args else str(error))
    missing = len(commands) - len(placed)
    if missing:
        reason = failed[0] if failed else f"no answer within {SECONDS:g} s"
        what = "the command" if len(commands) == 1 else f"{missing} of {len(commands)} commands"
        again = "it may be carried out all the same: try again, a second one does no harm"
        raise Problem(f"kafka: {given.bootstrap} did not confirm {what}: {reason}; {again}")
    return placed


def _check(settings: Settings, command: OperatorCommand, known: Known) -> None:
    """Only what the agent can act on is written."""
    if command.action in (*ACTIONS, *FOUND):
        return None  # its exception was read from the topic, or is an audit's
    if command.action == "authorise_return":
        return _check_return(settings, command)
    catalogue, channels = settings.catalogue(), [CLARUS, *settings.channels]
    if command.target in channels:
        return None
    if command.action in ("go_live", "go_shadow"):
        raise unknown(command.target, f"{command.target} is no channel of this configuration", channels)
    product = catalogue.products.get(command.target)
    if product is None or not product.listings:
        catalogue = known(settings)
        product = catalogue.products.get(command.target)
    if product is None:
        text = f"{command.target} is neither a channel nor a SKU of this configuration"
        if listed := _listed(command.target, catalogue):
            raise Problem(f"{text}: it is a listing of {listed}; name that SKU, which means all its listings", 2)
        raise unknown(command.target, text, near(command.target, catalogue, channels))
    if not product.listings and command.action != "resync":
        raise Problem(f"{command.target} is listed nowhere: there is nothing to {command.action}", 2)


def _listed(word: str, catalogue: Catalogue) -> str:
    """The product of a listing that is named as `why` takes it; empty where it is none."""
    try:
        return product_of(word, catalogue).sku
    except Problem:
        return ""


def _check_return(settings: Settings, command: OperatorCommand) -> None:
    channel, _, order_id = command.target.partition(":")
    given = settings.channels.get(channel)
    if given is None:
        raise unknown(channel, f"{channel} is no channel of this configuration", list(settings.channels))
    if not order_id:
        raise Problem(f"{command.target} names no order: write {channel}:ORDER", 2)
    if storefront_type(given).keeps_returns:
        raise Problem(f"{channel} has returns of its own: authorise it there, it is taken up by itself", 2)


def this_user() -> str:
    """Who gives a command: the operating system's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _command(action: str, done: str, text: str, example: str) -> click.Command:
    @click.command(action, help=f"{text}\n\n\b\nExample:\n  clarus-stream {action} {example}")
    @click.argument("target")
    @click.option("--reason", required=True, help="Why; kept with the command and shown to others.")
    @actor_option
    @config_option
    def command(target: str, reason: str, actor: str | None, config_file: Path | None) -> None:
        settings = load(config_file, os.environ).settings
        body = OperatorCommand(action=action, target=target, actor=actor or this_user(), reason=reason)
        click.echo(f"{target}: {done} ({send(settings, body)})")

    return command


pause = _command(
    "pause",
    "nothing is written to it as soon as the workers have read this",
    "Write nothing to TARGET, a channel or a SKU (clarus: no releases and cancels), until it is resumed. Reads and polls go on.",
    'bc-us --reason "price import running" --config shop.yaml',
)
resume = _command(
    "resume",
    "the newest wanted state is written as soon as the workers have read this",
    "End the pause of TARGET: the newest wanted state is written.",
    'bc-us --reason "import done" --config shop.yaml',
)
resync = _command(
    "resync",
    "it is read again as soon as the workers have read this",
    "Read TARGET again: a SKU at the warehouse and at its storefronts, a channel's listings, or (clarus) every SKU at the warehouse.",
    '000123 --reason "counted by hand" --config shop.yaml',
)
