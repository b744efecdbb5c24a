"""The records of `reference.mappings` as they come, and the book as the last finished import left it. Pure.

An import is its records, all of one version, and after them one record of kind `import` with that version: before that one, none of them counts. So readers
go from one whole import to the next, also where the broker has no transactions.
"""

from dataclasses import dataclass, field
from typing import Final

from schemas.records import Mapping
from tables.mappings.book import Entry, Key
from tables.mappings.kinds import from_value

IMPORT: Final = "import"
"""Kind of the record that ends an import."""


@dataclass(slots=True)
class Log:
    """`version`, `actor`, `reason`: of the last finished import; `newest`: the highest version seen. `unreadable`: records of another version of this product,
    by key.
    """

    entries: dict[Key, Entry] = field(default_factory=dict)
    version: int = 0
    newest: int = 0
    actor: str = ""
    reason: str = ""
    unreadable: dict[Key, str] = field(default_factory=dict)
    _open: dict[Key, Entry | None] = field(default_factory=dict)

    @property
    def unfinished(self) -> list[Key]:
        """What an import wrote that did not come to its end: the next one writes these anew."""
        return list(self._open)

    def feed(self, record: Mapping, at: int) -> bool:
        """One record, written at that time; True where it ends an import."""
        self.newest = max(self.newest, record.version)
        if record.kind == IMPORT:
            for key, entry in self._open.items():
                if entry is None:
                    self.entries.pop(key, None)
                else:
                    self.entries[key] = entry
            self._open.clear()
            self.version, self.actor, self.reason = record.version, record.actor, record.reason
            return True
        key = record.kind, record.key
        self.unreadable.pop(key, None)
        self._open.pop(key, None)
        try:
            found = from_value(record.kind, record.value) if record.value else None
        except ValueError as error:
            self.unreadable[key] = str(error)
            found = None
        self._open[key] = Entry(found, record.version, record.actor, record.reason, at) if found is not None else None
        return False
