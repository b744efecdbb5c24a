"""What comes onto a topic from now on, as consumers of one isolation level see it: how the rig knows that something is committed."""

import threading
from collections import defaultdict

from confluent_kafka import Consumer, TopicPartition


class Tail:
    """Follows one topic in a thread, from its present end. Values stay by key until `forget`, the newest for ever; None is a deletion."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, isolation: str = "read_committed") -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"tail-of-{topic}-{isolation}",
                "enable.auto.commit": False,
                "isolation.level": isolation,
                "fetch.wait.max.ms": 5,
            }
        )
        ends = [TopicPartition(topic, number) for number in range(partitions)]
        for end in ends:
            end.offset = self._consumer.get_watermark_offsets(end, timeout=10)[1]
        self._consumer.assign(ends)
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._seen: defaultdict[bytes, list[bytes | None]] = defaultdict(list)
        self._newest: dict[bytes, bytes | None] = {}
        self._thread = threading.Thread(target=self._run, name=f"tail of {topic}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            messages = [m for m in self._consumer.consume(500, 0.02) if m.error() is None]
            with self._lock:
                for message in messages:
                    self._seen[message.key() or b""].append(message.value())
                    self._newest[message.key() or b""] = message.value()

    def of(self, key: str) -> list[bytes | None]:
        """Every value of the key since then, the oldest first."""
        with self._lock:
            return list(self._seen.get(key.encode(), ()))

    def beginning(self, prefix: str) -> list[list[bytes | None]]:
        """The same of every key that begins so."""
        begins = prefix.encode()
        with self._lock:
            return [list(values) for key, values in self._seen.items() if key.startswith(begins)]

    def newest(self, prefix: str) -> list[bytes]:
        """What every key that begins so holds now."""
        begins = prefix.encode()
        with self._lock:
            return [value for key, value in self._newest.items() if value is not None and key.startswith(begins)]

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._seen.clear()

    def close(self) -> None:
        """Follow it no more."""
        self._ended.set()
        self._thread.join()
        self._consumer.close()
