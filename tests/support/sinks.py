"""Where ingress puts its records in tests, without Kafka."""

import asyncio

from app.ingress.sink import NotTaken


class MemorySink:
    """Keeps what it takes. `refuse` makes it say no so many times; while `gate` is shut, puts wait."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes]] = []
        self.refuse = 0
        self.ready = True
        self.gate = asyncio.Event()
        self.gate.set()

    async def put(self, key: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        await self.gate.wait()
        if self.refuse:
            self.refuse -= 1
            raise NotTaken("no broker")
        self.records.append((key, value))
