"""How much of one kind waits at a channel, by priority, and since when: what owners tell whoever measures. It orders nothing."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from app.connectors.contract import Priority


@dataclass(slots=True)
class Queue:
    """What waits in one class; `oldest`: since when (our milliseconds) the longest waits, as far as that is known."""

    count: int = 0
    oldest: int | None = None


@dataclass(slots=True)
class Queues:
    """All classes of one kind of wanted state."""

    kind: str
    classes: dict[Priority, Queue] = field(default_factory=lambda: {priority: Queue() for priority in Priority})

    def add(self, priority: Priority, since: int | None) -> None:
        """One that waits."""
        queue = self.classes[priority]
        queue.count += 1
        if since is not None and (queue.oldest is None or since < queue.oldest):
            queue.oldest = since

    def add_all(self, priority: Priority, waiting: Collection[str], since: Mapping[str, int]) -> None:
        """Many that wait, a hundred thousand perhaps; `since` when, where that is known."""
        queue = self.classes[priority]
        queue.count += len(waiting)
        oldest = min((since[key] for key in waiting if key in since), default=None)
        if oldest is not None and (queue.oldest is None or oldest < queue.oldest):
            queue.oldest = oldest
