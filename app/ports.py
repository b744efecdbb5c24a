"""Ports for processes that are started here: a broker, a drill's workers."""

import random
import socket
from typing import Final

_FIRST: Final = 15_000
_AFTER: Final = 32_768
"""From here on systems give ports to outgoing connections."""
_TRIES: Final = 200


def free_port() -> int:
    """A port of the loopback interface that nobody uses now. The system gives it to no connection, so that who stops finds it free when it starts again."""
    for _ in range(_TRIES):
        port = random.randrange(_FIRST, _AFTER)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"none of {_TRIES} ports between {_FIRST} and {_AFTER - 1} is free on 127.0.0.1")
