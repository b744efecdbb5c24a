"""The published JSON Schema: valid itself, takes what the reader takes, refuses unknown fields."""

from copy import deepcopy
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from app.drill.schema import allowed_fields, drill_schema
from tests.unit.drill.support import BASE

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))


def texts() -> dict[str, str]:
    demo = resources.files("app.drill").joinpath("demo.yaml").read_text()
    return {"base": BASE, "demo": demo, **{path.stem: path.read_text() for path in SCENARIOS}}


def valid(data: Any) -> bool:
    return Draft202012Validator(drill_schema()).is_valid(data)


def test_it_is_a_schema_of_draft_2020_12() -> None:
    assert drill_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(drill_schema())


@pytest.mark.parametrize("name", sorted(texts()))
def test_every_shipped_file_fits(name: str) -> None:
    errors = list(Draft202012Validator(drill_schema()).iter_errors(yaml.safe_load(texts()[name])))
    assert not errors, errors[0].message


def with_step(step: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(BASE)
    return {**data, "steps": [step]}


def test_unknown_fields_are_refused_at_every_level() -> None:
    good = with_step({"at": "1s", "order": {"channel": "ct", "id": "1", "lines": [{"sku": "A", "qty": 1}]}})
    assert valid(good)
    for place in (
        [],
        ["channels", "ct"],
        ["products", 0],
        ["steps", 0],
        ["steps", 0, "order"],
        ["steps", 0, "order", "lines", 0],
    ):
        bad = deepcopy(good)
        part: Any = bad
        for name in place:
            part = part[name]
        part["surprise"] = 1
        assert not valid(bad), place


def test_a_step_has_exactly_one_kind_and_times_have_units() -> None:
    assert not valid(with_step({"at": "1s"}))
    assert not valid(with_step({"at": "1s", "kill": {"process": "worker"}, "fault": {"peer": "ct", "kind": "down"}}))
    assert not valid(with_step({"at": "1 fortnight", "kill": {"process": "worker"}}))
    for delay in ("2s", 2, ["1s", "2s"]):
        assert valid(with_step({"at": "1s", "fault": {"peer": "ct", "kind": "slow", "delay": delay}}))
    assert not valid(with_step({"at": "1s", "fault": {"peer": "ct", "kind": "slow", "delay": "late"}}))
    assert valid(with_step({"at": 1.5, "kill": {"process": "worker", "disk": "fresh"}}))


def test_settings_may_be_nested_or_dotted() -> None:
    data = yaml.safe_load(BASE)
    assert valid({**data, "settings": {"bounds": {"late_max": "6s"}}})
    assert valid({**data, "settings": {"bounds.late_max": "6s"}})
    assert not valid({**data, "settings": {"bounds.late_max": "six"}})
    assert not valid({**data, "settings": {"bounds.late": "6s"}})


def test_what_is_allowed_is_told_by_the_kind_that_the_data_name() -> None:
    data = yaml.safe_load(BASE)
    assert "plan" in allowed_fields(("channels", "bc"), data)
    assert "plan" not in allowed_fields(("channels", "ct"), data)
    assert "for" in allowed_fields(("steps", 0, "fault"), {"steps": [{"fault": {}}]})
