"""Order polls of one storefront in the wide simulation: the product's own row says from where, and how far the watermark goes (`tables.deliveries.polls`).

A storefront's list shows a change up to `MARGIN` late. A poll is two pages; a crash between them ends it, with the first page committed.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from schemas.records import OrderSnapshot
from tables.deliveries import polls
from tables.deliveries.polls import PollRow
from tests.model.peers import Order

if TYPE_CHECKING:
    from tests.model.wide import WideModel

MARGIN, OVERLAP, SHORTEST_GAP = 2000, 5000, 1000
"""Milliseconds: the consistency margin, the overlap of whole polls, the least between two short ones."""


class Polls:
    """One storefront's polls, and what its list of orders shows."""

    def __init__(self, model: "WideModel", name: str) -> None:
        self.model, self.store = model, model.stores[name]
        self.resolution = 2000 if self.store.kind == "bc" else 0
        self.changes: dict[int, list[tuple[float, OrderSnapshot]]] = defaultdict(list)  # with when the list shows it
        self.overlap = OVERLAP
        self.lose()
        self.restart()

    def lose(self) -> None:
        """A row that is new."""
        self.row = PollRow(self.store.name)
        self.save()

    def save(self) -> None:
        """Commit the row."""
        self.committed = msgspec.msgpack.encode(self.row)

    def restart(self) -> None:
        """What was under way is gone."""
        self.row = msgspec.msgpack.decode(self.committed, type=PollRow)
        self.busy, self.wanted, self.planned = False, 0, False

    @property
    def peer_now(self) -> int:
        return int(self.store.time() * 1000)

    def changed(self, order: Order) -> None:
        """It is as it is now from now on; the list shows it a little later."""
        shown_at = self.model.now + self.model.rng.uniform(0, MARGIN / 1000)
        self.changes[order.id].append((shown_at, self.model.snapshot(order)))

    def list_since(self, since: int, after: tuple[int, int]) -> list[tuple[tuple[int, int], OrderSnapshot]]:
        """By time of change and id, what comes after that of the page before: an order that changes meanwhile moves on to a later page."""
        found = []
        for number, versions in self.changes.items():
            shown = [seen for at, seen in versions if at <= self.model.now]
            if shown and shown[-1].modified_at >= since - since % (1000 if self.resolution else 1):
                found.append(((shown[-1].modified_at, number), shown[-1]))
        return sorted((one for one in found if one[0] > after), key=lambda one: one[0])

    # ---- when ----
    def whole(self) -> None:
        """The regular one."""
        self.model.at(self.model.variant.poll_s, self.whole)
        self.start(whole=True)

    def known(self, at: int) -> None:
        """Something waits until every order up to this storefront time is folded."""
        self.wanted = max(self.wanted, at + MARGIN + self.resolution)
        if not self.planned:
            self.planned = True
            generation = self.model.generation
            self.model.at(max(SHORTEST_GAP, self.wanted - self.peer_now) / 1000, self.short, generation)

    def short(self, generation: int) -> None:
        if generation == self.model.generation:
            self.planned = False
            if self.wanted > self.row.started_at:
                self.start(whole=polls.whole_needed(self.row))

    def start(self, *, whole: bool) -> None:
        if self.busy or self.model.down:
            return
        if wait := self.model.pause(self.store.name):
            self.known(self.peer_now + int(wait * 1000))
            return
        self.busy = True
        self.go_on(self.poll(whole), self.model.generation)

    # ---- one poll ----
    def go_on(self, steps: Iterator[float], generation: int) -> None:
        if generation == self.model.generation and (pause := next(steps, None)) is not None:
            self.model.at(pause, self.go_on, steps, generation)

    def poll(self, whole: bool) -> Iterator[float]:
        """The pages are read one after another, the watermark is committed with the row."""
        model, rng, started = self.model, self.model.rng, self.peer_now
        since = polls.since(
            self.row, started, whole=whole, overlap=self.overlap, margin=MARGIN, resolution=self.resolution
        )
        last = (0, 0)
        for page in range(2):
            yield rng.uniform(0.05, 0.7)
            found = self.list_since(since, last)
            for key, seen in found if page else found[: len(found) // 2]:
                last = key
                model.commit(model.fold_order, seen)
        yield rng.uniform(0.0, 0.1)
        up_to = polls.completed(self.row, started, whole=whole, margin=MARGIN)
        self.overlap = OVERLAP
        self.save()
        model.commit(model.watermark, self.store.name, up_to)
        self.busy = False
        if self.wanted > self.row.started_at:
            self.known(0)
