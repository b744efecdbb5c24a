"""A store on disk (RocksDB through rocksdict): one database per partition holds the rows of all its tables."""

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import rocksdict

from app.engine.store.base import Mark, Rows, Size
from app.engine.store.ordered import Ordered, merged
from app.engine.store.recent import Recent

_MARK_KEY = b"\x00mark"
"""No table's name begins with NUL, so no row can have this key."""
_FLUSH_EVERY_S = 2.0
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Mark).decode


def shared_cache() -> rocksdict.Cache:
    """One block cache for all partitions of a process: 64 MiB."""
    return rocksdict.Cache(64 << 20)


class RocksStore:
    """Written behind: what was applied reaches the disk within two seconds of work or 8,192 rows, and a row that changed often meanwhile is written once.
    After a kill or a power cut the store is that much behind, and is read up again from the broker."""

    def __init__(self, path: Path, cache: rocksdict.Cache) -> None:
        self._path = path
        self._cache = cache
        self._open()

    def _open(self) -> None:
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(16 << 20)
        options.set_max_write_buffer_number(2)
        options.set_max_open_files(200)
        options.set_keep_log_file_num(2)
        blocks = rocksdict.BlockBasedOptions()
        blocks.set_block_cache(self._cache)
        blocks.set_bloom_filter(10, False)
        options.set_block_based_table_factory(blocks)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._db = rocksdict.Rdict(str(self._path), options)
        found = self._db.get(_MARK_KEY)
        self._mark = None if found is None else _decode(found)
        self._recent = Recent()
        self._waits_in({})
        self._flushed = (
            time.monotonic() - random.random() * _FLUSH_EVERY_S
        )  # partitions shall not all write in the same cycle

    @property
    def mark(self) -> Mark | None:
        return self._mark

    def get(self, key: bytes) -> bytes | None:
        recent = self._recent
        value = recent.young.get(key)
        if value is None:
            if key in recent.young:
                return None
            value = recent.old.get(key)
            if value is None:
                value = self._db.get(key)
        return value

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        waiting = self._ordered.keys(prefix, start)
        stored = self._stored(prefix, start)
        return merged(stored, waiting, self._pending) if waiting else stored

    def _stored(self, prefix: bytes, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._db.items(from_key=max(prefix, start)):
            if not key.startswith(prefix):
                return
            yield key, value

    def apply(self, rows: Rows, mark: Mark) -> None:
        self._recent.update(rows)
        self._pending.update(rows)
        self._mark = mark
        if self._recent.full:
            self._flush()
            self._recent.turn()
        elif time.monotonic() - self._flushed >= _FLUSH_EVERY_S:
            self._flush()

    def _flush(self) -> None:
        """Rows and mark in one atomic write: what lies on disk is always a state that was committed."""
        if self._mark is not None:
            batch = rocksdict.WriteBatch(raw_mode=True)
            delete, put = batch.delete, batch.put
            for key, value in self._pending.items():
                if value is None:
                    delete(key)
                else:
                    put(key, value)
            put(_MARK_KEY, _encode(self._mark))
            self._db.write(batch)
        self._waits_in({})
        self._flushed = time.monotonic()

    def _waits_in(self, pending: dict[bytes, bytes | None]) -> None:
        self._pending, self._ordered = pending, Ordered(pending)

    def size(self) -> Size:
        kept = ("total-sst-files-size", "cur-size-all-mem-tables")
        return Size(self._property("estimate-num-keys"), sum(map(self._property, kept)))

    def _property(self, name: str) -> int:
        return int(self._db.property_int_value(f"rocksdb.{name}") or 0)

    def wipe(self) -> None:
        self._db.close()
        shutil.rmtree(self._path)
        self._open()

    def rest(self) -> None:
        self._flush()
        self._recent.clear()
        self._db.flush()

    def close(self) -> None:
        self._flush()
        self._db.close()
