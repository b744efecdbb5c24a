"""How long to wait before somebody looks again for what became of a request. Pure."""

from typing import Final

_FIRST: Final = 250
_LONGEST: Final = 15_000


def look_wait(looks: int, longest: int = _LONGEST) -> int:
    """Milliseconds to wait after so many looks that did not show the end of it: doubling, up to `longest`."""
    return int(min(longest, _FIRST * 2 ** min(looks, 8)))
