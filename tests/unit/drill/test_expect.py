"""What a file expects of its end: its form, what it refers to, how it is compared with the report, what it excuses."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from app.drill.checks import Check
from app.drill.expect import Expect
from app.drill.expectations import as_expected
from app.drill.read import parse_drill
from app.drill.schema import drill_schema
from app.drill.steps import Script, StepResult
from app.errors import Problem
from tests.unit.drill.support import drill_file, drill_text
from tests.unit.drill.test_outcome import filled, outcome

REPORT: dict[str, Any] = {
    "channels": {"ct": {"stock": {"A": 5, "B": 0}, "orders": {"1": {"state": "cancelled"}}}},
    "wms": {
        "orders": {
            "ct:1": [{"status": "DELETED", "lines": [{"sku": "A", "qty": 9}]}],
            "ct:2": [
                {
                    "status": "PENDING",
                    "address": {"address_1": "2 Low St"},
                    "lines": [{"sku": "A", "qty": 2}, {"sku": "B", "qty": 0}],
                },
                {"status": "DELETED", "lines": []},
            ],
        }
    },
    "orders": {"placed": 2},
    "oversold": 3,
    "exceptions": [{"type": "unmapped_sku", "state": "resolved"}, {"type": "poison_record", "state": "open"}],
    "steps": [{"step": 0, "ok": True}, {"step": 1, "ok": False}],
}


def compared(**expect: Any) -> Check:
    return as_expected(Expect.model_validate(expect), REPORT)


def test_what_is_as_expected_holds_and_is_counted() -> None:
    check = compared(
        stock={"ct": {"A": 5, "B": (0, 2)}},
        orders=2,
        states={"ct:1": "cancelled"},
        wms_orders=1,
        wms={"ct:1": ["DELETED"], "ct:2": ["DELETED", "PENDING"], "ct:3": []},
        wms_lines={"ct:1": {}, "ct:2": {"A": 2}},
        wms_address={"ct:1": {"address_1": "x"}, "ct:2": {"address_1": "2 Low St"}},
        oversold=(0, 3),
        exceptions={"unmapped_sku": 1, "stock_drift": (0, 1), "poison_record": 1},
        open_exceptions={"poison_record": 1},
        failed_steps=[1],
    )
    assert (check.failed, check.checked) == ([], 17)


@pytest.mark.parametrize(
    ("expect", "entity", "found"),
    [
        ({"stock": {"ct": {"A": (6, 9)}}}, "ct:A", 5),
        ({"orders": 3}, "orders", 2),
        ({"states": {"ct:1": "open"}}, "order ct:1", "cancelled"),
        ({"states": {"ct:9": "open"}}, "order ct:9", "none"),
        ({"wms_orders": 2}, "WMS orders", 1),
        ({"wms": {"ct:1": []}}, "WMS orders of ct:1", ["DELETED"]),
        (
            {"wms_address": {"ct:2": {"address_1": "1 High St"}}},
            "WMS address of ct:2",
            {"address_1": "2 Low St"},
        ),
        ({"wms_lines": {"ct:2": {"A": 3}}}, "WMS lines of ct:2", {"A": 2}),
        ({"oversold": (0, 2)}, "oversold", 3),
        ({"exceptions": {"poison_record": 1}}, "exceptions unmapped_sku", 1),
        ({"open_exceptions": {}}, "open exceptions poison_record", 1),
        ({"failed_steps": [0]}, "step 0", "done"),
    ],
)
def test_what_is_not_is_named_with_both_sides(expect: dict[str, Any], entity: str, found: object) -> None:
    (failure,) = compared(**expect).failed
    assert (failure["entity"], failure["found"]) == (entity, found)
    assert failure["expected"] != failure["found"]


def test_nothing_expected_is_nothing_compared() -> None:
    assert compared().checked == 0


def test_names_that_the_file_does_not_have_are_refused() -> None:
    order = {"at": "1s", "order": {"channel": "ct", "id": "1", "lines": [{"sku": "B", "qty": 1}]}}
    expect = {
        "stock": {"ct": {"Q": 1}, "nowhere": {"A": 1}},
        "states": {"ct:2": "open"},
        "wms": {"bc:1": []},
        "exceptions": {"short_stocks": 1},
        "open_exceptions": {"late_changes": 0},
        "failed_steps": [1],
        "stocks": {},
    }
    with pytest.raises(Problem) as caught:
        parse_drill(drill_text(steps=[order], expect=expect), "x.yaml")
    with pytest.raises(Problem) as names:
        parse_drill(drill_text(steps=[order], expect={k: v for k, v in expect.items() if k != "stocks"}), "x.yaml")
    assert "stocks is no field of a drill file here; did you mean stock?" in str(caught.value)
    for words in (
        "expect.stock.ct.Q",
        "expect.stock.nowhere",
        "ct:2",
        "bc:1",
        "expect.failed_steps[0] is 1",
        "did you mean short_stock?",
        "late_changes",
    ):
        assert words in str(names.value)


def test_a_status_that_no_wms_order_has_is_refused() -> None:
    order = {"at": "1s", "order": {"channel": "ct", "id": "1", "lines": [{"sku": "B", "qty": 1}]}}
    with pytest.raises(Problem, match=r"expect\.wms\.ct:1\[1\]: there is no status of a WMS order 'SHIPPED'"):
        parse_drill(drill_text(steps=[order], expect={"wms": {"ct:1": ["DELETED", "SHIPPED"]}}), "x.yaml")


def test_the_schema_knows_it() -> None:
    known = Draft202012Validator(drill_schema()["$defs"]["Expect"] | {"$defs": drill_schema()["$defs"]})
    assert known.is_valid({"stock": {"ct": {"A": [0, 4]}}, "oversold": 0, "exceptions": {}, "failed_steps": [2]})
    assert not known.is_valid({"sold": 1})
    assert not known.is_valid({"stock": {"ct": {"A": "4"}}})


async def test_an_expected_failure_is_no_failure_of_the_drill_and_a_missed_one_is() -> None:
    peers = await filled(ordered=False)
    failed = Script(results=[StepResult(0, 0, "order ct:9", False, "refused")])
    peers.file = drill_file(expect={"failed_steps": []})
    assert (await outcome(peers, [], script=failed)).status == 1
    peers.file.expect = Expect(failed_steps=[0])
    assert (await outcome(peers, [], script=failed)).status == 0
    missed = await outcome(peers, [], script=Script(results=[StepResult(0, 0, "order ct:9")]))
    assert (missed.status, [f["entity"] for f in missed.checks["as_expected"].failed]) == (1, ["step 0"])


async def test_an_oversell_within_the_bounds_is_excused_one_beyond_is_not() -> None:
    peers = await filled()
    for bounds, status in (((0, 2), 0), ((0, 1), 1), (None, 1)):
        peers.file.expect = Expect(oversold=bounds) if bounds else Expect()
        found = await outcome(peers, [], settled=True)
        found.checks["no_order_lost"] = found.checks["nothing_unaccounted"] = Check()
        found.checks["no_oversell"] = Check(1, [{"entity": "A"}], {"units": 2, "excused": 0})
        if bounds:
            found.checks["as_expected"] = as_expected(peers.file.expect, found.as_dict())
        assert found.status == status, bounds
