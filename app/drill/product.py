"""The product in a drill: broker, topics, configuration files, worker and ingress processes, and what it says of its own lag and open deliveries."""

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from app import kafka, topics
from app.broker import BundledBroker
from app.drill.configuration import product_data, write_configuration
from app.drill.file import KillStep
from app.drill.peers import Peers
from app.drill.processes import PROGRAM, Process, ProcessFailed
from app.ingress.service import hook_path
from app.operations import send
from app.ports import free_port
from app.settings import Settings, from_mapping
from app.simulators.contract import StepRefused
from schemas.records import OperatorCommand

Tell = Callable[[str], None]
_TOPIC_SECONDS = 10.0


class Broker(Protocol):
    """The broker a drill runs on: `app.broker.BundledBroker`, or somebody else's. Starting and stopping may block for seconds."""

    @property
    def bootstrap(self) -> str: ...
    def start(self) -> object: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ForeignBroker:
    """A broker that somebody else runs; it goes on running."""

    bootstrap: str

    def start(self) -> None:
        """It runs already."""

    def stop(self) -> None:
        """It is not ours to end."""


class Product:
    """Everything of the product that one drill starts, in a folder that nobody else may read."""

    def __init__(
        self,
        peers: Peers,
        raw: Mapping[str, Any],
        broker: Broker,
        *,
        foreign: bool,
        tell: Tell,
        worker: Sequence[str] = (*PROGRAM, "worker"),
    ) -> None:
        self._worker_command = worker
        self._peers, self._raw, self._broker, self._foreign, self._tell = peers, raw, broker, foreign, tell
        self.folder = Path(tempfile.mkdtemp(prefix="clarus-stream-drill-"))  # 0700
        self.settings: Settings
        self.workers: list[Process] = []
        self.ingress: Process | None = None
        self._status_urls: dict[str, str] = {}
        self._client = httpx.AsyncClient(trust_env=False, timeout=2)
        self._turn = 0
        self._prefix = f"drill-{secrets.token_hex(4)}." if foreign else ""
        self._hook_secret = secrets.token_urlsafe(16)

    @property
    def processes(self) -> list[Process]:
        """All of them."""
        return [*self.workers, *([self.ingress] if self.ingress else [])]

    @property
    def configuration(self) -> Path:
        """The first worker's configuration file: what commands about the running product take."""
        return self._configuration("worker-0")

    def _configuration(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    @property
    def failures(self) -> list[str]:
        """Processes that ended by themselves."""
        return [failure for process in self.processes for failure in process.failures]

    async def start(self) -> None:
        """Topics, then every process until it is ready. ProcessFailed, or `Problem` of the broker or the topics."""
        ingress_port = free_port()
        self.settings = from_mapping(self._data(ingress_port, "ingress", 0))
        self._tell("creating topics")
        await asyncio.to_thread(_create_topics, self.settings)
        await self._connect_streams()
        data = self._data(ingress_port, "ingress", free_port())
        ingress_file = write_configuration(self._configuration("ingress"), data)
        base = f"http://127.0.0.1:{ingress_port}"
        self._peers.notify(lambda channel: base + hook_path(channel, self.settings))
        self.ingress = Process(
            "ingress", [*PROGRAM, "ingress", "--config", str(ingress_file)], f"{base}/ready", self.folder
        )
        for n in range(self._peers.file.workers):
            self.workers.append(self._worker(f"worker-{n}", ingress_port))
        self._tell(f"starting ingress and {len(self.workers)} worker{'s'[: len(self.workers) - 1]}")
        for process in self.processes:
            await process.start()
        await asyncio.gather(*(process.ready(self._client) for process in self.processes))

    async def _connect_streams(self) -> None:
        """What a merchant's subscription needs: one topic a channel in "their" cluster, which here is the same one."""
        given = self.settings.settings.kafka
        security = {"security.protocol": "PLAINTEXT"} | kafka.login(
            given.security, given.username, given.password.get_secret_value()
        )
        for name, peer in self._peers.streaming().items():
            topic = f"{given.topic_prefix}subscription-of-{name}"
            await asyncio.to_thread(_create_topic, self.settings, topic)
            peer.connect_kafka(given.bootstrap, topic, security)

    def _worker(self, name: str, ingress_port: int) -> Process:
        port = free_port()
        path = write_configuration(self._configuration(name), self._data(ingress_port, name, port))
        self._status_urls[name] = f"http://127.0.0.1:{port}/status"
        disk = self.folder / "data" / name
        command = [*self._worker_command, "--config", str(path)]
        return Process(name, command, f"http://127.0.0.1:{port}/ready", self.folder, disk)

    def _data(self, ingress_port: int, instance: str, ops_port: int) -> dict[str, Any]:
        clarus, channels = self._peers.connections()
        chosen: dict[str, Any] = {
            "kafka": {"bootstrap": self._broker.bootstrap, "topic_prefix": self._prefix},
            "engine": {"instance": instance, "data_dir": str(self.folder / "data")},
            "ops": {"host": "127.0.0.1", "port": ops_port},
            "ingress": {"host": "127.0.0.1", "port": ingress_port, "public_url": f"http://127.0.0.1:{ingress_port}"},
        }
        given = self._raw.get("settings") or {}
        engine = given.get("engine", {})
        if "guarantee" not in engine:
            chosen["engine"]["guarantee"] = "exactly_once" if self._foreign else "at_least_once"
        if "session_timeout" not in engine and not self._foreign:
            chosen["engine"]["session_timeout"] = (
                "3s"  # the bundled broker lets a new member wait half a session, a killed one's successor two
            )
        secret = {"webhook_secret": self._hook_secret}
        return product_data(
            self._peers.file, self._raw, clarus={**secret, **clarus}, channels=channels, settings=chosen
        )

    async def kill(self, step: KillStep) -> None:
        """Kill a process and start it again; of several workers one after the other is hit."""
        if step.process == "ingress":
            target = self.ingress
        else:
            target = self.workers[self._turn % len(self.workers)]
            self._turn += 1
        if target is not None:
            self._tell(f"killing {target.name} ({step.signal}, disk {step.disk})")
            await target.kill(step.signal, fresh=step.disk == "fresh")

    async def freeze(self, seconds: float) -> None:
        """The broker answers nothing for so long. Only the bundled one can be stopped; its memory must survive, so it is stopped, not ended."""
        if not isinstance(self._broker, BundledBroker):
            raise StepRefused("a fault of kafka needs the bundled broker; run the drill without --broker")
        pid = self._broker.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    async def go_live(self, channel: str) -> None:
        """End the channel's shadow, as `clarus-stream go-live` does."""
        command = OperatorCommand(action="go_live", target=channel, actor="drill", reason="step of the file")
        await asyncio.to_thread(send, self.settings, command)

    async def authorise(self, order_key: str, name: str, lines: Mapping[str, int]) -> None:
        """Raise a return, as `clarus-stream returns authorise` does."""
        command = OperatorCommand(
            action="authorise_return",
            target=order_key,
            actor="drill",
            reason="step of the file",
            holder=name,
            lines=dict(lines),
        )
        await asyncio.to_thread(send, self.settings, command)

    async def status(self) -> dict[str, dict[str, Any]]:
        """What each worker says of itself; a worker that does not answer, or is not ready yet, is missing."""
        found: dict[str, dict[str, Any]] = {}
        for name, url in self._status_urls.items():
            try:
                response = await self._client.get(url)
                body = response.json()
            except (httpx.HTTPError, ValueError):
                continue
            if response.status_code == 200 and isinstance(body, dict) and body.get("engine", {}).get("ready", True):
                found[name] = body
        return found

    async def metrics(self) -> list[str]:
        """What each worker shows for monitoring."""
        addresses = [url.replace("/status", "/metrics") for url in self._status_urls.values()]
        return [(await self._client.get(address)).text for address in addresses]

    async def stop(self, logs: Path | None = None) -> None:
        """End every process, and remove the folder; the logs are copied to `logs` before."""
        await asyncio.gather(*(process.stop() for process in self.processes), return_exceptions=True)
        await self._client.aclose()
        if logs is not None:
            await asyncio.to_thread(_copy, [process.log for process in self.processes], logs)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)


def _copy(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, folder)


def _create_topics(settings: Settings) -> None:
    report = topics.ensure(settings)
    if not report.ok:
        raise ProcessFailed(f"the topics could not be made:\n{report.as_text()}")


def _create_topic(settings: Settings, topic: str) -> None:
    admin = AdminClient(kafka.client(settings.settings.kafka))
    made = admin.create_topics([NewTopic(topic, 1, 1)], request_timeout=_TOPIC_SECONDS)
    try:
        made[topic].result()
    except KafkaException as error:
        raise ProcessFailed(f"the topic {topic} could not be made: {error}") from error
