"""What a command tells the person who typed it: problems they can put right, one line each. Errors of calls to peers are in `app.connectors.errors`."""

from collections.abc import Sequence


class Problem(Exception):
    """Something stands in the way that the reader can change. `lines` are printed as they are; `status` is the exit status."""

    def __init__(self, lines: str | Sequence[str], status: int = 1) -> None:
        self.lines = [lines] if isinstance(lines, str) else list(lines)
        self.status = status
        super().__init__("\n".join(self.lines))
