"""A store on disk (RocksDB through rocksdict): one database per partition holds the rows of all its tables."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import rocksdict

from app.engine.store.base import Mark, Rows
from app.engine.store.recent import Recent

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
        self._recent = Recent()

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

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._db.items(from_key=prefix):
            if not key.startswith(prefix):
                return
            yield key, value

    def apply(self, rows: Rows, mark: Mark) -> None:
        batch = rocksdict.WriteBatch(raw_mode=True)
        delete, put = batch.delete, batch.put
        for key, value in rows:
            if value is None:
                delete(key)
            else:
                put(key, value)
        batch.put(_MARK_KEY, _encode(mark))
        self._db.write(batch)
        self._recent.update(rows)
        self._mark = mark

    def wipe(self) -> None:
        self._db.close()
        shutil.rmtree(self._path)
        self._open()

    def rest(self) -> None:
        self._recent.clear()
        self._db.flush()

    def close(self) -> None:
        self._db.close()
