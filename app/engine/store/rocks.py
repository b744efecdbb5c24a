"""A store on disk (RocksDB through rocksdict): one database per partition holds the rows of all its tables."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import rocksdict

from app.engine.store.base import Mark, Rows, Size

_MARK_KEY = b"\x00mark"
"""No table's name begins with NUL, so no row can have this key."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Mark).decode


def shared_cache() -> rocksdict.Cache:
    """One block cache for all partitions of a process: 64 MiB."""
    return rocksdict.Cache(64 << 20)


class RocksStore:
    """Write-ahead logged, so that a killed process loses nothing that was applied; after a power cut it may be behind, and is read up again."""

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

    @property
    def mark(self) -> Mark | None:
        return self._mark

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._db.get(key)
        return value

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._db.items(from_key=max(prefix, start)):
            if not key.startswith(prefix):
                return
            yield key, value

    def apply(self, rows: Rows, mark: Mark) -> None:
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in rows:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_MARK_KEY, _encode(mark))
        self._db.write(batch)
        self._mark = mark

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
        self._db.flush()

    def close(self) -> None:
        self._db.close()
