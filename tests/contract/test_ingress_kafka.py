"""Ingress on a broker, as a process: what was answered 200 is on the topic, whatever happens to ingress or the broker. On the bundled broker."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from app import topics
from app.config import load
from app.ports import free_port
from schemas.catalogue import INGRESS_WEBHOOKS
from schemas.codec import Codecs
from schemas.records import Event, RawNotification
from tests.support.bundled import bundled_broker, eventually

CODEC = Codecs()[INGRESS_WEBHOOKS]


@pytest.fixture
def broker() -> Iterator[tuple[str, int]]:
    with bundled_broker() as running:
        yield running


class Process:
    """`clarus-stream ingress` with its configuration."""

    def __init__(self, folder: Path, bootstrap: str, *, make_topics: bool = True) -> None:
        self.port = free_port()
        self.config = folder / "ingress.yaml"
        self.config.write_text(
            f"""
clarus: {{webhook_secret: floor}}
channels:
  ct-eu: {{system: commercetools, kafka_bootstrap: "{bootstrap}", kafka_topic: from-commercetools, kafka_security: {{}}}}
settings:
  kafka: {{bootstrap: "{bootstrap}", partitions: 3, replication: 1}}
  engine: {{guarantee: at_least_once}}
  ingress: {{port: {self.port}, max_body: 2000}}
""",
            encoding="utf-8",
        )
        self.settings = load(self.config, {}).settings
        if make_topics:
            self.make_topics()
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, verify=False, timeout=30)  # noqa: S501 - no TLS

    def make_topics(self) -> None:
        assert topics.ensure(self.settings).ok

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "app.cli", "ingress", "--config", str(self.config)]
            self.process = subprocess.Popen(command, stderr=log)

    def ready(self) -> bool:
        try:
            return self.client.get("/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def post(self, body: bytes, path: str = "/hooks/clarus/floor") -> int:
        """The answer's status; 0 where there is none."""
        try:
            return self.client.post(path, content=body).status_code
        except httpx.TransportError:
            return 0

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for one in started:
        one.client.close()
        if one.process is not None and one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def bodies(bootstrap: str) -> list[Event[RawNotification]]:
    """Everything on ingress.webhooks."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False, "fetch.wait.max.ms": 10}
    )
    try:
        places = [TopicPartition(INGRESS_WEBHOOKS.name, p) for p in range(3)]
        ends = {p.partition: consumer.get_watermark_offsets(p, timeout=10)[1] for p in places}
        found: list[Event[RawNotification]] = []
        for place in places:
            place.offset = 0
        consumer.assign(places)
        while len(found) < sum(ends.values()):
            messages = [m] if (m := consumer.poll(10)) else []
            assert messages, "the topic's end was not reached"
            messages += consumer.consume(1000, 0)
            found += [CODEC.decode(m.value()) for m in messages if m.error() is None]
        return found
    finally:
        consumer.close()


def test_what_was_answered_is_on_the_topic_and_an_end_is_graceful(
    tmp_path: Path, broker: tuple[str, int], made: list[Process]
) -> None:
    ingress = Process(tmp_path, broker[0])
    made.append(ingress)
    ingress.start()
    eventually(ingress.ready, "ingress is ready")
    sent = [b'{"id": %d, "product": {"code": "A"}}' % n for n in range(200)]
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ingress.post, sent)) == {200}
    assert ingress.post(b"x" * 2001) == 413
    assert ingress.post(b"{}", "/hooks/clarus/wall") == 401
    assert ingress.end() == 0
    assert sorted(e.body.body for e in bodies(broker[0])) == sorted(sent)
    assert "Traceback" not in ingress.log.read_text()


def test_nothing_answered_is_lost_when_ingress_is_killed(
    tmp_path: Path, broker: tuple[str, int], made: list[Process]
) -> None:
    ingress = Process(tmp_path, broker[0])
    made.append(ingress)
    ingress.start()
    eventually(ingress.ready, "ingress is ready")
    answered: list[bytes] = []
    enough = threading.Event()

    def post(n: int) -> None:
        body = b'{"id": %d}' % n
        if ingress.post(body) == 200:
            answered.append(body)
            if len(answered) >= 60:
                enough.set()

    with ThreadPoolExecutor(16) as pool:
        posts = [pool.submit(post, n) for n in range(400)]
        assert enough.wait(30)
        assert ingress.end(signal.SIGKILL) == -signal.SIGKILL
        for one in posts:
            one.result()
    assert len(answered) < 400

    def all_there() -> bool:
        """The bundled broker now and then tells an end of the topic that is a moment old."""
        return set(answered) <= {e.body.body for e in bodies(broker[0])}

    eventually(all_there, "everything that was answered is on the topic", 10)


def test_while_the_broker_is_away_senders_are_asked_to_come_again_and_then_all_is_well(
    tmp_path: Path, broker: tuple[str, int], made: list[Process]
) -> None:
    ingress = Process(tmp_path, broker[0])
    made.append(ingress)
    ingress.start()
    eventually(ingress.ready, "ingress is ready")
    os.kill(broker[1], signal.SIGSTOP)
    try:
        assert ingress.post(b'{"id": 1}') == 503
    finally:
        os.kill(broker[1], signal.SIGCONT)
    eventually(lambda: ingress.post(b'{"id": 2}') == 200, "ingress takes webhooks again")
    assert b'{"id": 2}' in {e.body.body for e in bodies(broker[0])}


def test_ingress_waits_for_its_topic(tmp_path: Path, broker: tuple[str, int], made: list[Process]) -> None:
    ingress = Process(tmp_path, broker[0], make_topics=False)
    made.append(ingress)
    ingress.start()
    eventually(lambda: "the topic does not exist" in ingress.log.read_text(), "ingress says what it waits for")
    assert not ingress.ready()
    ingress.make_topics()
    eventually(ingress.ready, "ingress is ready once the topic is there")


def test_the_bridge_loses_nothing_over_a_kill(tmp_path: Path, broker: tuple[str, int], made: list[Process]) -> None:
    admin = AdminClient({"bootstrap.servers": broker[0]})
    admin.create_topics([NewTopic("from-commercetools", 2, 1)])["from-commercetools"].result(10)
    producer = Producer({"bootstrap.servers": broker[0]})

    def send(numbers: range) -> None:
        for n in numbers:
            producer.produce("from-commercetools", b'{"resource": {"typeId": "order", "id": "o%d"}}' % n, b"one")
        assert producer.flush(10) == 0

    ingress = Process(tmp_path, broker[0])
    made.append(ingress)
    send(range(300))
    ingress.start()
    has: Callable[[int], bool] = lambda n: len({e.body.body for e in bodies(broker[0])}) >= n  # noqa: E731
    eventually(lambda: has(1), "the bridge brings something")
    ingress.end(signal.SIGKILL)
    send(range(300, 400))
    ingress.start()
    eventually(lambda: has(400), "the bridge brings everything", 60)
    found = bodies(broker[0])
    assert {(e.source, e.body.route) for e in found} == {("ct-eu", "kafka")}
    assert ingress.end() == 0


def test_an_address_in_use_is_one_line_and_no_traceback(
    tmp_path: Path, broker: tuple[str, int], made: list[Process]
) -> None:
    ingress = Process(tmp_path, broker[0])
    made.append(ingress)
    ingress.start()
    eventually(ingress.ready, "ingress is ready")
    second = subprocess.run(
        [sys.executable, "-m", "app.cli", "ingress", "--config", str(ingress.config)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "CLARUS_STREAM__OPS__LOG_LEVEL": "error"},
    )
    assert second.returncode == 1
    assert second.stderr.splitlines() == [
        f"clarus-stream: ingress.port: cannot listen on 127.0.0.1:{ingress.port}: Address already in use; choose another port (0 takes any)"
    ]
