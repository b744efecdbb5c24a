"""Opens the stores of this instance and guards its directory: one process at a time. What is in a store is not its business."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from app.engine.config import StoreKind
from app.engine.errors import EngineConfigError
from app.engine.store.base import Store
from app.engine.store.memory import MemoryStore
from app.engine.store.rocks import RocksStore, shared_cache


class StoreSet:
    """The stores of one instance, opened when first needed and kept open until `close`, so that a partition that comes back is there."""

    def __init__(self, kind: StoreKind, directory: Path) -> None:
        self._kind = kind
        self._directory = directory
        self._stores: dict[int, Store] = {}
        self._lock: int | None = None
        self._new: Callable[[int], Store] = lambda partition: MemoryStore()

    def open(self) -> None:
        """Take the directory. EngineConfigError where another process has it."""
        if self._kind == "memory":
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self._directory / "lock", self._directory)
        cache = shared_cache()
        self._new = lambda partition: RocksStore(self._directory / f"partition-{partition}", cache)

    def get(self, partition: int) -> Store:
        """The partition's store, opened where it is not yet."""
        store = self._stores.get(partition)
        if store is None:
            store = self._stores[partition] = self._new(partition)
        return store

    def rest(self, partition: int) -> None:
        """The partition was lost; its store stays for the day it comes back."""
        store = self._stores.get(partition)
        if store is not None:
            store.rest()

    def close(self) -> None:
        """Close all and give the directory back."""
        for store in self._stores.values():
            store.close()
        self._stores.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(path: Path, directory: Path) -> int:
    """An exclusive lock that the system drops when the process ends. RocksDB's own lock does the same where there is no flock."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if sys.platform == "win32":
        return handle
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise EngineConfigError(
            f"the data directory {directory} is in use by another process; give every worker its own settings.engine.instance"
        ) from error
    return handle
