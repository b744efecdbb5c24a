"""How figures of Clarus are read, and what the probe concludes from them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.connectors.clarus.probe import Balance, available_readings, line_reading
from app.connectors.clarus.quantities import eaches, out, status
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.errors import Malformed


def line(ordered: int, allocated: int, picked: int, gone: int) -> dict[str, float]:
    return {
        "order_quantity": float(ordered),
        "allocated_quantity": float(allocated),
        "pick_quantity": float(picked),
        "dispatch_quantity": float(gone),
    }


@pytest.mark.parametrize(
    ("value", "whole"), [(3, 3), (3.0, 3), ("3.00", 3), (2.9, 2), (-0.5, -1), (None, 0), ("1e3", 1000)]
)
def test_quantities_are_whole_eaches_rounded_down(value: object, whole: int) -> None:
    assert eaches({"q": value}, "q") == whole


@pytest.mark.parametrize("value", ["many", {}, [], "nan", "Infinity"])
def test_what_is_no_quantity_is_malformed(value: object) -> None:
    with pytest.raises(Malformed):
        eaches({"q": value}, "q")


@pytest.mark.parametrize(
    ("point", "quantities", "expected"),
    [
        ("allocated", "exclusive", 6),
        ("allocated", "cumulative", 3),
        ("despatched", "exclusive", 1),
        ("despatched", "cumulative", 1),
        ("created", "exclusive", 10),
    ],
)
def test_out_follows_the_settings(point: Any, quantities: Any, expected: int) -> None:
    assert out(line(10, 3, 2, 1), ClarusSettings(release_point=point, line_quantities=quantities)) == expected


def test_a_tenants_own_status_codes_are_mapped_in_any_case() -> None:
    given = ClarusSettings(statuses={"WARTET": "PENDING"})
    assert [status(code, given) for code in ("wartet", "completed", "Part")] == ["PENDING", "COMPLETED", "PART"]


@pytest.mark.parametrize(
    ("row", "reading"),
    [
        (line(10, 0, 10, 0), "exclusive"),
        (line(10, 0, 0, 10), "exclusive"),
        (line(100, 100, 100, 0), "cumulative"),
        (line(10, 10, 10, 10), "cumulative"),
        (line(10, 10, 0, 0), None),
        (line(10, 0, 0, 0), None),
        (line(10, 0, 0, 12), None),
    ],
)
def test_a_real_line_shows_how_its_quantities_are_meant(row: dict[str, float], reading: str | None) -> None:
    assert line_reading(row) == reading


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_no_line_is_read_against_its_own_meaning(ordered: int, a: int, b: int, c: int) -> None:
    allocated, picked, gone = min(a, ordered), min(b, max(0, ordered - a)), 0
    gone = min(c, ordered - allocated - picked)
    assert line_reading(line(ordered, allocated, picked, gone)) != "cumulative"
    assert line_reading(line(ordered, allocated + picked + gone, picked + gone, gone)) != "exclusive"


def balance(**figures: int) -> Balance:
    return Balance(
        **{**dict.fromkeys(("available", "allocated", "ordered", "picked", "sellable", "other"), 0), **figures}
    )


@pytest.mark.parametrize(
    ("shown", "readings"),
    [
        (balance(available=6, allocated=4, sellable=10), {"allocated"}),
        (balance(available=6, allocated=4, picked=2, sellable=12), {"allocated"}),
        (balance(available=6, allocated=4, sellable=6, other=4), {"allocated"}),
        (balance(available=10, allocated=4, sellable=10), {"despatched"}),
        (balance(available=1380, allocated=120, ordered=500, sellable=2000), {"created"}),
        (balance(available=7, allocated=4, sellable=10), set()),
    ],
)
def test_a_real_balance_shows_what_available_means(shown: Balance, readings: set[str]) -> None:
    assert available_readings(shown) == readings
