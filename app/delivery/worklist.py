"""What a desk is to look at: at once, at a time of its own, or when a pause or shadow ends; and how long it may sleep until then."""

from typing import Final

from app.delivery.desk import Desk

LONGEST_SLEEP: Final = 5.0


class Worklist:
    """Keys of one desk. `now`: in the order in which they came. `parked`: something would be written for them were writes allowed. The others have an alarm."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.alarm = desk.alarm()
        self.now: dict[str, None] = {}
        self.parked: dict[str, None] = {}

    def add(self, key: str) -> None:
        """Look at it at once."""
        self.now.setdefault(key)
        self.alarm.ring()

    def park(self, key: str) -> None:
        """Look at it when writes may go on."""
        self.parked.setdefault(key)

    def resumed(self) -> None:
        """They may."""
        self.now.update(self.parked)
        self.parked.clear()
        self.alarm.ring()

    def held(self) -> set[str]:
        """What shadow holds back; a pause is meant to end, so what waits for that is still to be done."""
        return set(self.parked) if self._desk.shadow else set()

    def ripen(self) -> None:
        """Whose time has come is to be looked at."""
        for key in self.alarm.due():
            self.now.setdefault(key)

    async def rest(self) -> None:
        """Until there may be something to do: something is due, somebody rings, or the channel may be asked again."""
        await self.alarm.wait(min(LONGEST_SLEEP, self._desk.gate.wait() or LONGEST_SLEEP))
