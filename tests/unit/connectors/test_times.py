"""Times as APIs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.connectors.times import from_iso, iso


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_a_time_survives_the_way_there_and_back(ms: int) -> None:
    assert from_iso(iso(ms)) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T01:00:00.250+01:00", 250),
        ("1970-01-01T00:00:00.999999Z", 999),
    ],
)
def test_zones_and_digits(text: str, ms: int) -> None:
    assert from_iso(text) == ms


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without zone"):
        from_iso("2026-01-15T10:30:00")
