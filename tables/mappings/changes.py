"""What an import would change in a book. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from tables.mappings.book import Book, Key, place
from tables.mappings.kinds import MappingRecord

What = Literal["new", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One record: as it is in force now, and as it shall be; None: there is none."""

    key: Key
    before: MappingRecord | None
    after: MappingRecord | None

    @property
    def what(self) -> What:
        """In one word. What is removed here may be said by the configuration again."""
        if self.after is None:
            return "removed"
        return "new" if self.before is None else "changed"


def changes(
    base: Book, imported: Book, given: Iterable[MappingRecord], removed: Collection[Key], *, replace: bool = False
) -> list[Change]:
    """What differs from what is in force. `given` are the records to import, `removed` are to be taken out; with `replace` everything imported before that is
    not given goes too. A record that says what the configuration says already changes nothing.
    """
    wanted = {place(record): record for record in given}
    found: list[Change] = []
    for key, record in wanted.items():
        known = imported.get(key) or base.get(key)
        if known is None or known.record != record:
            found.append(Change(key, known.record if known else None, record))
    gone = [key for key in imported if key in removed or (replace and key not in wanted)]
    found += [Change(key, imported[key].record, None) for key in gone if key not in wanted]
    return found
