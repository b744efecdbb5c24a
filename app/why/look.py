"""A question to the rows of one partition, answered inside a cycle of this worker. It changes nothing."""

from collections.abc import Callable
from typing import TypeVar

from app.engine.api import Context, Engine, PartitionLost

Found = TypeVar("Found")


async def look(engine: Engine, partition: int, read: Callable[[Context], Found]) -> Found | None:
    """What `read` finds; None where the partition is another worker's."""
    if partition not in engine.owned:
        return None
    found: list[Found] = []
    try:
        await engine.submit(partition, lambda context: found.append(read(context)))
    except PartitionLost:
        return None
    return found[-1]
