"""What is wrong with an import is told in one pass: records that cannot be read, and records that do not fit whatever the former say."""

from pathlib import Path

import pytest

from app.config import load
from app.errors import Problem
from app.mappings import files, importing
from tables.mappings.log import Log
from tests.support.files import shop

UNREADABLE = "unit: [{product: NEW, unit: case, eaches: 1.5}]\n"
DOES_NOT_FIT = "location: [{channel: ct-eu, location: berlin, warehouses: [NOWHERE]}]\n"


def faults(folder: Path, text: str, *, replace: bool = False) -> list[str]:
    path = folder / "given.yaml"
    path.write_text(text, encoding="utf-8")
    settings = load(shop(folder), {}).settings
    with pytest.raises(Problem) as raised:
        importing.plan(settings, Log(), files.read(path), replace=replace)
    assert raised.value.status == 2 and raised.value.lines[-1] == "nothing was imported"
    return [line.rpartition("/given.yaml:")[2] for line in raised.value.lines[:-1]]


@pytest.mark.parametrize("replace", [False, True])
def test_what_cannot_be_read_and_what_does_not_fit_are_told_together(tmp_path: Path, replace: bool) -> None:
    unreadable, unknown, unfit = faults(
        tmp_path, f"{UNREADABLE}shipping: [{{method: drone, remove: true}}]\n{DOES_NOT_FIT}", replace=replace
    )
    assert unreadable.startswith("1: unit NEW/case: eaches is 1.5")
    assert unknown.startswith("2: shipping */drone: nothing of that name was imported")
    assert unfit.startswith("3: location ct-eu/berlin: there is no warehouse 'NOWHERE'")


def test_what_a_record_that_cannot_be_read_may_have_named_is_no_fault(tmp_path: Path) -> None:
    rest = "sku: [{channel: ct-eu, sku: N, product: NEW, unit: case}, {channel: ct-eu, sku: M, product: MISSING}]\n"
    (first, second) = faults(tmp_path, UNREADABLE + rest)
    assert first.startswith("1: unit") and second.startswith("2: sku ct-eu//M: there is no product 'MISSING'")
    bundle = "bundle: [{product: SET, components: {NEW: 1}}, {product: TWO, components: {MISSING: 1}}]\n"
    (first, second) = faults(tmp_path, UNREADABLE + bundle)
    assert first.startswith("1: unit") and second.startswith("2: bundle TWO: there is no product 'MISSING'")


@pytest.mark.parametrize("lost", ["units: []\n", "unit: [{unit: case, eaches: 2}]\n", "unit: [case]\n"])
def test_where_it_cannot_be_told_which_product_was_meant_none_is_missing(tmp_path: Path, lost: str) -> None:
    first, second = faults(tmp_path, f"{lost}sku: [{{channel: ct-eu, sku: N, product: NEW}}]\n{DOES_NOT_FIT}")
    assert first.startswith("1: unit") and second.startswith("3: location")


def test_the_faults_of_a_file_are_told_where_nothing_can_be_read_of_what_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(settings: object) -> Log:
        raise Problem("kafka does not answer")

    monkeypatch.setattr(importing, "imported", away)
    path, settings = tmp_path / "given.yaml", load(shop(tmp_path), {}).settings
    path.write_text(UNREADABLE, encoding="utf-8")
    with pytest.raises(Problem) as raised:
        importing.planned(settings, files.read(path))
    assert "unit NEW/case" in raised.value.lines[0] and raised.value.lines[1:] == ["kafka does not answer"]
    assert raised.value.status == 2
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(Problem) as raised:
        importing.planned(settings, files.read(path))
    assert (raised.value.lines, raised.value.status) == (["kafka does not answer"], 1)
