"""The CSV file for the finance team: its columns, how amounts are written, and that a file is there whole or not at all."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

from tables.finance.report import FinanceLine
from tables.finance.rows import KINDS
from tables.money import decimal

COLUMNS: Final = (
    "day", "channel", "order_number", "order_id", "reference", "currency", *KINDS, "status", "reasons",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Sheet:
    """Writes lines beside the file and puts them in its place at the end; where something was raised, the file is as it was."""

    def __init__(self, path: Path) -> None:
        self._path, self._draft = path, path.with_name(f".{path.name}.{os.getpid()}")
        self.written = 0

    def __enter__(self) -> "Sheet":
        self._file = self._draft.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(COLUMNS)
        return self

    def write(self, lines: Iterable[FinanceLine]) -> None:
        """One row for each."""
        for one in lines:
            self._writer.writerow(cells(one))
            self.written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        if error is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink()


def cells(one: FinanceLine) -> list[str]:
    """The line's cells, in the order of `COLUMNS`."""
    names = [one.day, one.channel, one.number, one.order_id, one.reference, one.currency]
    amounts = [decimal(one.amounts.get(kind, 0), one.digits) for kind in KINDS]
    return [*map(_text, names), *amounts, one.status, _text("; ".join(one.reasons))]


def _text(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value
