"""Times as APIs write them (ISO 8601, UTC) and as records hold them (milliseconds since 1970 UTC)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def iso(ms: int) -> str:
    """`2026-01-15T10:30:00.250Z`."""
    return f"{_EPOCH + timedelta(seconds=ms // 1000):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


@lru_cache(1024)  # one order names the same few again and again
def from_iso(text: str) -> int:
    """Milliseconds, parts of them cut off. ValueError where it is no time with a zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"a time without zone: {text}")
    return (at - _EPOCH) // _MILLISECOND
