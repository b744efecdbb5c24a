"""How many records one cycle takes. A backlog is worked off in cycles about as long as the commit interval: shorter ones would commit more often than asked
for, and find fewer rows that change twice. It measures nothing itself."""

_MOST_TIMES = 4


class Appetite:
    """`most` begins with what the settings name as one poll, and is up to four times that while full cycles end before the interval does."""

    def __init__(self, poll_max: int, interval_s: float) -> None:
        self._least = poll_max
        self._interval_s = interval_s
        self.most = poll_max

    def judge(self, taken: int, seconds: float) -> None:
        """A cycle took so many records and, without its commit, so long."""
        if taken >= self.most and seconds > 0:
            fitting = int(taken * self._interval_s / seconds)
            self.most = max(self._least, min(fitting, self._least * _MOST_TIMES))
