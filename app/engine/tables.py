"""Tables as agents declare them: a name, a row type, and how rows become bytes. The rows themselves are in the store of each partition."""

from typing import Any

import faust
import msgspec
from faust.tables.manager import TableManager

from app.engine.errors import EngineConfigError

_SEPARATOR = b"\x00"


class EngineTable(faust.Table):  # type: ignore[misc]
    """A declared table. Faust's own dict interface, changelog and windows are not used: rows are reached through `api.Context`."""

    def __init__(self, app: Any, *, name: str, row: type[Any], **options: Any) -> None:
        if not name or "\x00" in name:
            raise EngineConfigError(f"a table needs a name without NUL, not {name!r}")
        super().__init__(app, name=name, **options)
        self.row = row
        self.prefix = name.encode() + _SEPARATOR
        self.encode = msgspec.msgpack.Encoder().encode
        self.decode = msgspec.msgpack.Decoder(row).decode

    def key(self, key: str) -> bytes:
        """The row's key in the partition's store and in the state topic."""
        return self.prefix + key.encode()

    def copy(self, row: Any) -> Any:
        """An equal row that shares nothing with the given one."""
        return self.decode(self.encode(row))


class EngineTableManager(TableManager):  # type: ignore[misc]
    """Keeps the list of tables. Recovery is the engine's own, partition by partition, so Faust's is switched off."""

    def add(self, table: EngineTable) -> EngineTable:
        if table.name in self:
            raise EngineConfigError(f"the table {table.name!r} is declared twice")
        self[table.name] = table
        return table

    async def on_start(self) -> None:
        self._tables_finalized.set()
        self._tables_registered.set()

    async def on_stop(self) -> None:
        return

    def on_partitions_revoked(self, revoked: Any) -> None:
        return

    async def on_rebalance(self, *args: Any, **options: Any) -> None:
        return

    async def wait_until_recovery_completed(self) -> bool:
        return False
