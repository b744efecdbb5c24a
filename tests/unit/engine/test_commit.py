"""What a commit sends: every output once, in the order of its topic, in few calls into the client."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.engine import commit
from app.engine.commit import JournalCommitter
from app.engine.config import EngineConfig
from app.engine.cycle import Output, OutputRun, Sealed
from app.engine.heartbeat import Heartbeat
from app.engine.store import Mark


class Client:
    """A producer of librdkafka whose queue takes at most `room` records between two polls."""

    def __init__(self, room: int = 1_000) -> None:
        self.sent: list[tuple[str, bytes, int | None]] = []
        self.calls: list[str] = []
        self._room, self._left = room, room

    def produce(self, topic: str, value: Any, key: bytes, partition: int | None = None, **options: Any) -> None:
        self.calls.append(topic)
        if not self._left:
            raise BufferError
        self._left -= 1
        self.sent.append((topic, key, partition))

    def produce_batch(self, topic: str, items: list[dict[str, Any]], partition: int | None = None, **_: Any) -> int:
        self.calls.append(topic)
        for item in items:
            self.sent.append((topic, item["key"], partition))
            if callback := item.get("callback"):
                callback(None, SimpleNamespace(offset=lambda: len(self.sent)))
        return len(items)

    def poll(self, timeout: float) -> int:
        self._left = self._room
        return 0

    def flush(self, timeout: float) -> int:
        return 0


def committed(monkeypatch: pytest.MonkeyPatch, client: Client, outputs: list[Output | OutputRun]) -> None:
    monkeypatch.setattr(commit, "Producer", lambda *_, **__: client)
    committer = JournalCommitter(EngineConfig(bootstrap="nowhere:1", guarantee="at_least_once"), Heartbeat(60))
    committer.open()
    committer.claim(0, b"epoch--A")
    committer.commit(Sealed({0: []}, outputs, {0: {"in": 1}}), {0: Mark("x", 0, 0)}, None)


def output(topic: str, key: str, partition: int | None = None, public: bool = False) -> Output:
    return Output(topic, key.encode(), b"v", partition, (("ce_id", b"1"),) if public else ())


def test_what_is_sent_by_turns_keeps_the_order_of_its_topic_and_goes_out_in_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client()
    turns = [one for n in range(50) for one in (output("a", f"{n}"), output("b", f"{n}", 3))]
    committed(monkeypatch, client, [*turns, output("a", "last", 1), OutputRun("b", [(b"run", b"v")], ())])
    assert [key for topic, key, _ in client.sent if topic == "a"] == [*(b"%d" % n for n in range(50)), b"last"]
    assert [key for topic, key, _ in client.sent if topic == "b"] == [*(b"%d" % n for n in range(50)), b"run"]
    assert [place for topic, _, place in client.sent if topic == "b"] == [3] * 50 + [None]
    assert client.calls.count("a") == 2
    assert client.calls.count("b") == 2


def test_records_with_headers_wait_for_room_in_the_queue_and_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(room=2)
    committed(monkeypatch, client, [output("public", f"{n}", public=True) for n in range(7)])
    assert [key for topic, key, _ in client.sent if topic == "public"] == [b"%d" % n for n in range(7)]
