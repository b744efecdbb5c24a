"""The brokers tests run on, and how a real one is found. First match wins:

1. `CLARUS_STREAM_TEST_BROKER` (host:port) with a random topic prefix;
2. a Docker daemon that answers within two seconds (testcontainers);
3. Apache Kafka from Maven Central where Java 17 and Maven are there; its jars are kept in the checkout's `.cache/` folder;
4. none: tests that need a real Kafka are skipped with the reason, the others run on the bundled broker.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from app.ports import free_port

VARIABLE = "CLARUS_STREAM_TEST_BROKER"
KAFKA = "4.3.1"
_IMAGE = "confluentinc/cp-kafka:7.9.0"
_CHECKOUT = Path(__file__).parent.parent
_START_S = 60.0
QUICK_START = ("-XX:TieredStopAtLevel=1", "-Xmx512m", "-XX:+UseSerialGC")
"""Options of Java for a broker that lives for one test."""
AS_SHIPPED = (
    *("-server", "-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
    *("-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"),
)
"""Those of Kafka's own start script."""


class NoKafka(Exception):
    """No real Kafka can be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class TestBroker:
    """A broker that runs. `prefix` stands before every topic and group of the tests that use it."""

    __test__ = False

    kind: str
    bootstrap: str
    prefix: str
    stop: Callable[[], None]


def random_prefix() -> str:
    """A prefix that no other test run uses."""
    return f"t{uuid.uuid4().hex[:8]}."


def real_kafka(folder: Path) -> TestBroker:
    """A real Kafka, by the chain above. Raises NoKafka. `folder` may be used for its data."""
    named = os.environ.get(VARIABLE)
    if named:
        if not answers(named, 10):
            raise NoKafka(f"the broker of {VARIABLE} ({named}) does not answer")
        return TestBroker("named", named, random_prefix(), _nothing)
    reasons = []
    for way in (_by_docker, _by_maven):
        try:
            return way(folder)
        except NoKafka as reason:
            reasons.append(str(reason))
    raise NoKafka(f"no real Kafka: {VARIABLE} is not set; " + "; ".join(reasons))


def answers(bootstrap: str, seconds: float) -> bool:
    """Whether a broker answers there within the time."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    deadline = time.monotonic() + seconds
    while True:
        try:
            admin.list_topics(timeout=1)
            return True
        except KafkaException:
            if time.monotonic() > deadline:
                return False


def _nothing() -> None:
    return


def _by_docker(folder: Path) -> TestBroker:
    docker = shutil.which("docker")
    if docker is None:
        raise NoKafka("no Docker")
    try:
        subprocess.run([docker, "info"], check=True, capture_output=True, timeout=2)
    except (subprocess.SubprocessError, OSError) as error:
        raise NoKafka("no Docker daemon answers") from error
    from testcontainers.community.kafka import KafkaContainer

    container = KafkaContainer(_IMAGE).with_kraft()
    try:
        container.start()
    except Exception as error:
        raise NoKafka(f"Docker did not start {_IMAGE}: {error}") from error
    return TestBroker("docker", container.get_bootstrap_server(), random_prefix(), container.stop)


def _by_maven(folder: Path) -> TestBroker:
    server = KafkaServer(folder)
    server.start()
    return TestBroker("maven", server.bootstrap, random_prefix(), server.stop)


@cache
def kafka_jars() -> Path:
    """The folder with Kafka's jars, filled when first asked for (126 MB). Raises NoKafka."""
    java, maven = shutil.which("java"), shutil.which("mvn")
    if java is None or maven is None:
        raise NoKafka("no Java and Maven")
    version = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', version)
    if found is None or int(found[1]) < 17:
        raise NoKafka(f"Java 17 or newer is needed, this is {version.splitlines()[0] if version else 'unknown'}")
    folder = _CHECKOUT / ".cache" / f"kafka-{KAFKA}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        library = folder / "lib"
        if not library.is_dir():
            fresh = folder / "lib.new"
            shutil.rmtree(fresh, ignore_errors=True)
            command = [maven, "-q", "-B", "-f", str(_CHECKOUT / "tests" / "kafka-pom.xml")]
            try:
                subprocess.run(
                    [*command, "dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"],
                    check=True,
                    capture_output=True,
                    text=True,
                    timeout=300,
                )
            except subprocess.SubprocessError as error:
                raise NoKafka("Maven could not bring Kafka's jars") from error
            fresh.rename(library)
    return library


class KafkaServer:
    """One Apache Kafka broker (KRaft) of our own, which tests may stop, kill, freeze and start again. Its data stay in `folder`; `java` are Java's options."""

    def __init__(self, folder: Path, java: Sequence[str] = QUICK_START) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-", dir=folder))
        self._jars, self._options = kafka_jars(), java
        self._port, self._controller = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = self._folder / "server.properties"
        self._settings.write_text(self._properties())
        self._java("kafka.tools.StorageTool", "format", "-t", "bm90LWEtc2VjcmV0LWlkAA", "-c", str(self._settings))

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Its process while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Until it answers."""
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(self._options), "kafka.Kafka", str(self._settings)],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_S
        while not answers(self.bootstrap, 0.5):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise NoKafka(f"Kafka did not start: see {self._folder / 'broker.log'}")

    def stop(self) -> None:
        """Orderly, as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """At once."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _command(self, options: Sequence[str]) -> list[str]:
        return ["java", *options, "-cp", f"{self._jars}/*"]

    def _java(self, *arguments: str) -> None:
        subprocess.run([*self._command(QUICK_START), *arguments], check=True, capture_output=True, timeout=60)

    def _properties(self) -> str:
        return f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{self._controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{self._controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self._port}
log.dirs={self._folder / "data"}
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""
