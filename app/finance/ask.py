"""Asks workers for the ledger of money and puts their lines in order, holding a page of each partition and no more."""

import heapq
from collections.abc import Iterator, Sequence
from urllib.parse import urlencode

import httpx

from app.why.ask import get
from tables.finance.report import FinanceLine, FinancePage


class Ledger:
    """One question to the workers. `missing` says what could not be had, once the lines were taken."""

    def __init__(
        self, asking: httpx.Client, workers: Sequence[str], partitions: int, first: str, last: str, channel: str
    ) -> None:
        self._asking, self._workers, self._partitions = asking, workers, partitions
        self._asked = {"from": first, "to": last, "channel": channel}
        self._troubles: dict[str, None] = {}
        self._silent: set[str] = set()
        self._homeless: list[int] = []

    def lines(self) -> Iterator[FinanceLine]:
        """All lines by day and order. What no worker has is left out and told by `missing`."""
        parts = [self._of(partition) for partition in range(self._partitions)]
        return heapq.merge(*parts, key=lambda one: one.place)

    @property
    def missing(self) -> list[str]:
        """One line for each worker that did not answer, and for the partitions that nobody has."""
        lines = list(self._troubles)
        if self._homeless:
            names = ", ".join(map(str, sorted(self._homeless)))
            lines.append(
                f"partitions {names} of {self._partitions}: none of the workers asked owns them; name all workers with --worker"
            )
        return lines

    def _of(self, partition: int) -> Iterator[FinanceLine]:
        after = ""
        while True:
            page = self._page(partition, after)
            if page is None:
                self._homeless.append(partition)
                return
            yield from page.lines
            after = page.next
            if not after:
                return

    def _page(self, partition: int, after: str) -> FinancePage | None:
        """From whichever worker owns it now."""
        query = urlencode({**self._asked, "after": after})
        for worker in self._workers:
            if worker in self._silent:
                continue
            troubles: list[str] = []
            page = get(self._asking, worker, f"/finance/{partition}?{query}", FinancePage, troubles)
            if troubles:
                self._silent.add(worker)
            self._troubles |= dict.fromkeys(troubles)
            if page is not None and page.here:
                return page
        return None
