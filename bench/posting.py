"""Posts webhooks as a busy storefront does, over kept connections: `python -m bench.posting PORT SECONDS CONNECTIONS RATE FIRST`. A process of its own.

Prints one JSON object: answered (identities with 200), refused (other answers and lost connections), seconds, latencies of the answered in milliseconds.
Every post is signed as BigCommerce signs (Standard Webhooks). RATE 0: as fast as answers come.
"""

import asyncio
import base64
import json
import sys
import time
from typing import Any

from app.connectors.bigcommerce.webhooks import signature

STORE, KEY = "abc123", b"bench-client-secret"


def request(number: int) -> bytes:
    """One signed notification that order `number` changed."""
    body = json.dumps(
        {
            "producer": f"stores/{STORE}",
            "scope": "store/order/updated",
            "data": {"type": "order", "id": number},
            "hash": f"{number:040x}",
            "created_at": int(time.time()),
            "store_id": "1001",
        }
    ).encode()
    stamp, identity = str(int(time.time())), f"msg-{number}"
    signed = base64.b64encode(signature(KEY, identity, stamp, body)).decode()
    head = (
        "POST /hooks/bc HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"webhook-id: {identity}\r\nwebhook-timestamp: {stamp}\r\nwebhook-signature: v1,{signed}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Poster:
    """`connections` posters that share one sequence of orders; each has one post under way at a time, at most `rate` a second together."""

    def __init__(self, port: int, connections: int, rate: float, first: int) -> None:
        self._port, self._connections, self._rate, self._first = port, connections, rate, first
        self._next = first
        self.answered: list[int] = []
        self.refused = 0
        self.latencies: list[float] = []

    async def run(self, seconds: float) -> dict[str, Any]:
        """Post for so long; what is lost with a connection is neither counted as answered nor posted again here."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._connections):
                group.create_task(self._one(began, began + seconds))
        return {
            "answered": self.answered,
            "refused": self.refused,
            "seconds": time.monotonic() - began,
            "latencies": self.latencies,
        }

    async def _one(self, began: float, end: float) -> None:
        reader: asyncio.StreamReader | None = None
        while time.monotonic() < end:
            number, self._next = self._next, self._next + 1
            if self._rate and (ahead := began + (number - self._first) / self._rate - time.monotonic()) > 0:
                await asyncio.sleep(ahead)
            try:
                if reader is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                sent = time.monotonic()
                writer.write(request(number))
                head = await reader.readuntil(b"\r\n\r\n")
            except (OSError, asyncio.IncompleteReadError):
                reader = None
                self.refused += 1
                await asyncio.sleep(0.05)
                continue
            if head.startswith(b"HTTP/1.1 200"):
                self.answered.append(number)
                self.latencies.append((time.monotonic() - sent) * 1000)
            else:
                self.refused += 1


if __name__ == "__main__":
    port, seconds, connections, rate, first = sys.argv[1:]
    poster = Poster(int(port), int(connections), float(rate), int(first))
    json.dump(asyncio.run(poster.run(float(seconds))), sys.stdout)
