"""Mapping files: what is read from YAML and CSV, that it is written back the same, and that every fault is one line with its place."""

from pathlib import Path

import pytest

from app.errors import Problem
from app.mappings import files
from tables.mappings.kinds import (
    Bucket,
    Bundle,
    Instruction,
    Location,
    MappingRecord,
    Shipping,
    Sku,
    SkuRule,
    Status,
    Unit,
)

RECORDS: list[MappingRecord] = [
    Sku(channel="bc", sku="A;1", product="000123", unit="case", location="2"),
    Sku(channel="bc", sku="0007", product="000123"),
    SkuRule(case="ignore", ignore="-_"),
    Unit(product="000123", unit="case", eaches=12),
    Bundle(product="GIFT", components={"000123": 2, "A=B": 1}),
    Shipping(method='Express, "next" day', carrier="DPD", service="NEXT"),
    Status(channel="bc", status="Awaiting approval", means="hold"),
    Location(channel="ct", location="berlin", warehouses=["MAIN", "NORTH"]),
    Bucket(status="quarantine", counts="held"),
    Instruction(field="form.Gift wrap", to="packing_notes", value="Yes", text="Wrap it: {value}"),
]


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("form", ["yaml", "csv"])
def test_what_is_written_reads_back_the_same(tmp_path: Path, form: files.Format) -> None:
    text = files.dump(RECORDS, form)
    found = files.read(file(tmp_path, f"all.{form}", text))
    assert sorted(found.records, key=lambda one: one.name) == sorted(RECORDS, key=lambda one: one.name)
    assert not found.removed and files.dump(found.records, form) == text


def test_nothing_to_write_is_an_empty_file_of_its_format(tmp_path: Path) -> None:
    for form in ("yaml", "csv"):
        assert files.read(file(tmp_path, f"none.{form}", files.dump([], form))).records == []  # type: ignore[arg-type]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_separate_cells_as_they_like(tmp_path: Path, delimiter: str) -> None:
    rows = [
        ["kind", "product", "unit", "eaches", "remove"],
        ["unit", "007", "case", " 12 ", ""],
        ["unit", "008", "case", "", "yes"],
    ]
    text = "\ufeff" + "\n".join(delimiter.join(row) for row in rows) + "\n\n"
    found = files.read(file(tmp_path, "x.csv", text))
    assert found.records == [Unit(product="007", unit="case", eaches=12)]
    assert found.removed == {("unit", "008/case")}


def test_a_record_to_remove_is_named_by_its_key_alone(tmp_path: Path) -> None:
    text = "shipping: [{method: drone, remove: true}]\nsku: [{channel: bc, sku: A, remove: true}]\n"
    found = files.read(file(tmp_path, "x.yaml", text))
    assert found.removed == {("shipping", "*/drone"), ("sku", "bc//A")} and not found.records


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("x.yaml", "unit: [{product: A, unit: case, eaches: 1.5}]", ["x.yaml:1: unit A/case: eaches is 1.5; allowed: a whole number from 1 to 1000000, never"]),
        ("x.yaml", "unit:\n  - {product: 7, unit: case, eaches: 2}\n  - {unit: case, eaches: 2}", [
            "x.yaml:2: unit 7/case: product is 7; allowed: text of at most 200 characters, in quotes where it looks like a number",
            "x.yaml:3: unit case: product is missing; allowed: text of at most 200 characters, in quotes where it looks like a number"]),
        ("x.yaml", "units: []", ["x.yaml:1: units is no kind of mapping; allowed: sku, sku_rule, unit, bundle, shipping, status, location, bucket"]),
        ("x.yaml", "unit: {a: 1}", ["x.yaml:1: unit: allowed: a list of records"]),
        ("x.yaml", "unit: [case]", ["x.yaml:1: unit: allowed: fields and their values"]),
        ("x.yaml", "unit: [{product: A, remove: true}]", ["x.yaml:1: unit A: unit is missing or no text; a record to remove is named by product, unit"]),
        ("x.yaml", "bucket: [{status: A, counts: held}, {status: A, counts: held}]", ["x.yaml:1: bucket A: it is given twice, first at x.yaml:1; keep one"]),
        ("x.csv", "product,unit\nA,case", ["x.csv:1: the first line must name the columns, one of them kind"]),
        ("x.csv", "kind,colour\nunit,red", ["x.csv:1: 'colour' is no column; allowed: "]),
        ("x.csv", "kind,product,unit,eaches\nunit,A,case,12.5\nunits,A,case,1\nunit,A,case,1,2", [
            "x.csv:3: units is no kind of mapping; allowed: sku", "x.csv:4: 5 cells, the first line has 4; quote cells that contain ','",
            "x.csv:2: unit A/case: eaches is '12.5'; allowed: a whole number"]),
        ("x.csv", "kind,product,components\nbundle,A,B", ["x.csv:2: bundle: components is 'B'; allowed: codes with eaches, as in A=2; B=1"]),
    ],
)  # fmt: skip
def test_every_fault_is_a_line_with_its_place_and_what_is_allowed(
    tmp_path: Path, name: str, text: str, lines: list[str]
) -> None:
    told = [line.replace(f"{tmp_path}/", "") for line in files.read(file(tmp_path, name, text)).faults]
    assert len(told) == len(lines)
    for line, start in zip(told, lines, strict=True):
        assert line.startswith(start)


def test_what_is_no_mapping_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"x\.txt: neither \.csv nor \.yaml: name the file so, or choose with --format"):
        files.read(file(tmp_path, "x.txt", ""))


def test_what_csv_cannot_hold_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        Problem, match="bundle G: components has a semicolon in a code, which CSV cannot hold: export YAML"
    ):
        files.dump([Bundle(product="G", components={"A;B": 1, "C": 2})], "csv")
    with pytest.raises(Problem, match=r"x\.yaml: cannot be read"):
        files.read(tmp_path / "x.yaml")
