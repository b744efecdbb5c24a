"""The ingress process: the HTTP service and the bridges around one sink, from start to a graceful stop. It wires and waits; the work is elsewhere."""

import asyncio
import signal
from collections.abc import Mapping

import structlog

from app import registry
from app.connectors import CLARUS, intake_for
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.contract import Intake
from app.errors import Problem
from app.httpserver import BackgroundServer
from app.ingress.bridge import Bridge
from app.ingress.hooks import Door, Hooks
from app.ingress.sink import DELIVERY_TIMEOUT_S, KafkaSink
from app.settings import Settings
from schemas.catalogue import INGRESS_WEBHOOKS
from schemas.codec import TopicCodec

log = structlog.get_logger(__name__)


def path_secret(channel: str, settings: Settings) -> str | None:
    """The secret that a channel's webhook path must hold; None where the notification proves itself; empty where none is set: then nothing is let in."""
    general = settings.settings.ingress.path_secret.get_secret_value()
    if channel == CLARUS:
        return settings.clarus.webhook_secret.get_secret_value() or general
    return None if isinstance(settings.channels[channel], BigCommerceSettings) else general


def shut(settings: Settings) -> dict[str, str]:
    """Channels from which no webhook can be let in until a secret is set, each with the setting."""
    found = {}
    for name in (*settings.channels, CLARUS):
        if path_secret(name, settings) == "":
            found[name] = "clarus.webhook_secret" if name == CLARUS else "settings.ingress.path_secret"
        given = settings.channels.get(name)
        if isinstance(given, BigCommerceSettings) and not (
            given.client_secret.get_secret_value() or given.webhook_secret.get_secret_value()
        ):
            found[name] = f"channels.{name}.client_secret or webhook_secret"
    return found


def hook_path(channel: str, settings: Settings) -> str:
    """The path a peer must be given, below the public address of ingress. It may hold a secret: not for logs."""
    secret = path_secret(channel, settings)
    return f"/hooks/{channel}" if secret is None else f"/hooks/{channel}/{secret}"


class Ingress:
    """One running ingress. `intakes` by channel, `clarus` among them."""

    def __init__(self, settings: Settings, intakes: Mapping[str, Intake], codec: TopicCodec) -> None:
        given = settings.settings.ingress
        self._sink = KafkaSink(settings.settings.kafka, INGRESS_WEBHOOKS.name, given.max_body)
        doors = {name: Door(intake, path_secret(name, settings)) for name, intake in intakes.items()}
        self._shut = shut(settings)
        self._hooks = Hooks(doors, self._sink, codec, given.max_body)
        self._server = BackgroundServer(
            self._hooks.app(), given.host, given.port, what="ingress.port", grace=DELIVERY_TIMEOUT_S + 2
        )
        self._bridges = [
            Bridge(name, channel, intakes[name], self._sink, codec)
            for name, channel in settings.channels.items()
            if isinstance(channel, CommercetoolsSettings) and channel.kafka_bootstrap
        ]
        self._host = given.host
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        """Start everything; returns the bound port. `Problem` where the address cannot be had."""
        await self._sink.start()
        port = await self._server.start()
        self._tasks = [asyncio.create_task(bridge.run(), name="bridge") for bridge in self._bridges]
        log.info("ingress listens", host=self._host, port=port, bridges=len(self._bridges))
        for name, remedy in self._shut.items():
            log.warning("no webhook of this channel is let in until a secret is set", channel=name, remedy=remedy)
        return port

    async def wait(self, ended: asyncio.Event) -> None:
        """Return when `ended` is set; raise what ended a bridge by itself."""
        waiting = asyncio.create_task(ended.wait())
        done, _ = await asyncio.wait([waiting, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in done - {waiting}:
            task.result()

    async def stop(self) -> None:
        """No new notification is taken; those under way become durable or are refused; then the bridges and the sink end."""
        self._hooks.stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.stop()
        await self._sink.stop()
        log.info("ingress ended")


def run(settings: Settings) -> None:
    """Run ingress until SIGTERM or SIGINT. `Problem` where it cannot start."""
    codec = registry.codecs_for(settings)[INGRESS_WEBHOOKS]
    intakes = {name: intake_for(name, settings) for name in (*settings.channels, CLARUS)}
    asyncio.run(_serve(Ingress(settings, intakes, codec)))


async def _serve(ingress: Ingress) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    try:
        await ingress.start()
        await ingress.wait(ended)
    except OSError as error:
        raise Problem(f"ingress: {error}") from error
    finally:
        await ingress.stop()
