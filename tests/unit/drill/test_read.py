"""Reading a drill file: what is taken, and how every fault is named."""

from pathlib import Path

import pytest

from app.drill.read import parse_drill, read_drill
from app.errors import Problem
from tests.unit.drill.support import BASE, drill_file, drill_text

STEP = "steps:\n  - "


def faults(text: str) -> list[str]:
    with pytest.raises(Problem) as problem:
        parse_drill(text, "f.yaml")
    assert problem.value.status == 2
    return problem.value.lines


def fault(text: str) -> str:
    found = faults(text)
    assert len(found) == 1, found
    return found[0]


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


def test_durations_rates_and_the_forms_of_stock_and_listings_are_read() -> None:
    file = drill_file(
        channels={
            "ct": {"system": "commercetools", "rate": "450/30s", "order_lag": ["0.1s", 2]},
            "bc": {"system": "bigcommerce"},
        },
        steps=[{"at": "1.5s", "load": {"orders_per_second": 3, "for": "2s"}}],
        floor="manual",
    )
    assert file.channels["ct"].rate == 15
    assert file.channels["ct"].order_lag == (100, 2000)
    assert file.ends == 3500
    assert file.products[1].opening()["MAIN"].held == 2
    assert [(channel, listing.unit) for channel, listing in file.products[0].listed()] == [
        ("ct", "each"),
        ("bc", "case"),
    ]


def test_one_duration_is_the_least_and_the_most_of_a_lag() -> None:
    file = drill_file(
        channels={"ct": {"system": "commercetools", "order_lag": "2s"}, "bc": {"system": "bigcommerce"}},
        steps=[{"at": 0, "fault": {"peer": "ct", "kind": "slow", "delay": "3s"}}],
    )
    assert file.channels["ct"].order_lag == (2000, 2000)
    assert file.steps[0].fault is not None
    assert file.steps[0].fault.delay == (3000, 3000)


def test_a_plain_number_is_an_order_id() -> None:
    file = drill_file(steps=[{"at": 0, "order": {"channel": "bc", "id": 1001, "lines": [{"sku": "A-CASE", "qty": 1}]}}])
    assert file.steps[0].order is not None
    assert file.steps[0].order.id == "1001"


def test_settings_are_read_nested_and_by_dotted_name() -> None:
    drill = parse_drill(drill_text(settings={"bounds.late_max": "3s", "bounds": {"apply_max": "1s"}}), "f.yaml")
    assert drill.raw["settings"] == {"bounds": {"late_max": "3s", "apply_max": "1s"}}
    assert drill.file.settings.bounds.late_max == 3000


def test_an_unknown_field_is_refused_by_name_place_and_what_is_allowed() -> None:
    text = BASE + STEP + '{at: 1s, order: {chanel: ct, id: "1", lines: [{sku: A, qty: 1}]}}'
    lines = faults(text)
    at = line_of(text, "chanel")
    assert f"f.yaml:{at}: steps[0].order.chanel is no field of a drill file here; did you mean channel?" in lines[0]
    assert lines[1] == f"f.yaml:{at}: steps[0].order.channel is missing; allowed: text"


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("{at: soon, pay: {channel: ct, id: X}}", "steps[0].at is 'soon'; allowed: a duration such as 500ms, 2s or 1m"),
        ("{at: -1, kill: {process: worker}}", "steps[0].at is -1; allowed: at least 0"),
        ("{at: 1s}", "steps[0] is not allowed; allowed: exactly one of order, pay, edit, cancel, wms, return"),
        (
            "{at: 1s, order: {channel: us, id: '1', lines: [{sku: A, qty: 1}]}}",
            "there is no channel 'us'; allowed: bc, ct",
        ),
        (
            "{at: 1s, order: {channel: bc, id: A1, lines: [{sku: A, qty: 1}]}}",
            "'A1' is no order id of BigCommerce; allowed: a positive integer",
        ),
        ("{at: 1s, order: {channel: ct, id: A1, lines: [{sku: A, qty: 0}]}}", "lines[0].qty is 0; allowed: at least 1"),
        ("{at: 1s, cancel: {channel: ct, id: A9}}", "no step places an order 'A9' at ct; allowed: none"),
        ("{at: 1s, wms: {receive: {sku: BOX, warehouse: MAIN, qty: 1}}}", "a bundle has no stock"),
        (
            "{at: 1s, wms: {receive: {sku: A, warehouse: EAST, qty: 1}}}",
            "there is no warehouse 'EAST'; allowed: MAIN, NORTH",
        ),
        (
            "{at: 1s, wms: {adjust: {sku: A, warehouse: MAIN, qty: 0}}}",
            "qty is 0; allowed: a positive or negative quantity",
        ),
        ("{at: 1s, wms: {allocate: {order: A1}}}", "no step places an order 'A1'"),
        ("{at: 1s, wms: {inspect: {order: A1}}}", "no step places an order 'A1'"),
        ("{at: 1s, return: {channel: ct, id: A9, lines: [{sku: A, qty: 1}]}}", "no step places an order 'A9' at ct"),
        (
            "{at: 1s, channel: {set_stock: {channel: bc, sku: A, qty: 1}}}",
            "there is no listing of bc with SKU 'A'; allowed: A-CASE",
        ),
        ("{at: 1s, fault: {peer: paypal, kind: down}}", "there is no peer 'paypal'; allowed: bc, clarus, ct, kafka"),
        ("{at: 1s, fault: {peer: kafka, kind: conflict}}", "allowed of kafka: down or timeout"),
        ("{at: 1s, load: {orders_per_second: 1, for: 1s, skus: [Z]}}", "there is no product 'Z'; allowed: A, B, BOX"),
        ("{at: 1s, load: {orders_per_second: 1, for: 1s, lines: [3, 1]}}", "[least, most]"),
        ("{at: 1s, kill: {process: database}}", "process is 'database'; allowed: 'worker' or 'ingress'"),
    ],
)
def test_a_wrong_step_says_what_is_allowed(step: str, words: str) -> None:
    text = BASE + STEP + step
    line = fault(text)
    assert words in line
    assert line.startswith(f"f.yaml:{line_of(text, step)}: steps[0]")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            {"products": [{"sku": 123, "channels": {}}]},
            "products[0].sku is 123; allowed: text, in quotes where it looks like a number",
        ),
        (
            {"products": [{"sku": "A", "channels": {"ct": {"sku": "A", "unit": "case"}}}]},
            "allowed: a unit of the product: each",
        ),
        ({"products": [{"sku": "A", "channels": {"us": "A"}}]}, "there is no channel 'us'"),
        ({"products": [{"sku": "X", "bundle": {"NONE": 1}}]}, "no product has the code 'NONE'"),
        ({"products": [{"sku": "A", "stock": {"EAST": 1}}]}, "there is no warehouse 'EAST'; allowed: MAIN, NORTH"),
        ({"policies": [{"warehouses": ["EAST"]}]}, "there is no warehouse 'EAST'"),
        ({"settings": {"kafka.bootstrap": "x:1"}}, "settings.kafka.bootstrap is set by the drill itself"),
        ({"settings": {"bounds.late_mx": "1s"}}, "did you mean late_max?"),
        ({"channels": {"ct": {"system": "shopify"}}}, "allowed: system: commercetools or bigcommerce"),
        ({"floor": "slow"}, "floor is 'slow'; allowed: 'manual'"),
    ],
)
def test_a_wrong_part_says_what_is_allowed(parts: dict[str, object], words: str) -> None:
    assert any(words in line for line in faults(drill_text(**parts)))


def test_every_fault_is_listed_in_the_order_of_the_file_and_once() -> None:
    text = (
        BASE
        + "colour: red\n"
        + STEP
        + "{at: 1s, pay: {channel: us, id: X}}\n  - {at: later, kill: {process: worker}}\n  - {at: 1s, wms: {receive: {sku: Q, warehouse: MAIN, qty: 1}}}"
    )
    lines = faults(text)
    places = [int(line.split(":")[1]) for line in lines]
    assert places == sorted(places)
    assert len(lines) == len(set(lines)) == 4
    assert "colour" in lines[0]
    assert "steps[0].pay.channel" in lines[1]
    assert "steps[1].at" in lines[2]
    assert "steps[2].wms.receive.sku" in lines[3]


def test_the_same_order_twice_and_an_ambiguous_name_are_faults() -> None:
    order = {"lines": [{"sku": "A", "qty": 1}], "id": "7"}
    text = drill_text(
        steps=[
            {"at": 0, "order": {**order, "channel": "ct"}},
            {"at": 0, "order": {**order, "channel": "ct"}},
            {"at": 0, "order": {**order, "channel": "bc"}},
            {"at": 1, "wms": {"allocate": {"order": "7"}}},
            {"at": 1, "wms": {"allocate": {"order": "bc:7"}}},
        ]
    )
    lines = faults(text)
    assert len(lines) == 3
    assert "steps[0].order.id: '7' is placed more than once at ct" in lines[0]
    assert "steps[3].wms.allocate.order: '7' is an order of several channels; allowed: bc:7 or ct:7" in lines[2]


def test_commercetools_edits_untracked_lines_only() -> None:
    def text(sku: str) -> str:
        return drill_text(
            steps=[
                {"at": 0, "order": {"channel": "ct", "id": "1", "lines": [{"sku": sku, "qty": 1}]}},
                {"at": 1, "edit": {"channel": "ct", "id": "1", "lines": [{"sku": sku, "qty": 2}]}},
            ]
        )

    assert parse_drill(text("GHOST"), "f.yaml").file.steps
    assert "allowed: lines of untracked products" in fault(text("A"))


def test_escrow_is_accepted_where_the_pool_can_be_split_and_refused_by_name_elsewhere() -> None:
    said = faults(drill_text(policies=[{"mode": "escrow", "share": 0.5}]))
    assert [line.split(" has mode escrow")[0].split(": ", 1)[1] for line in said] == [
        "products[0]: 'A'",
        "products[1]: 'B'",
    ]
    assert parse_drill(drill_text(policies=[{"mode": "escrow"}]), "f.yaml").file.policies[0].mode == "escrow"


def test_what_is_no_yaml_or_no_file_is_one_line_with_its_place(tmp_path: Path) -> None:
    assert "f.yaml:2: no valid YAML" in fault("name: [1\nchannels: }")
    assert "is given twice" in faults(BASE + "name: again\n")[0]
    assert "the file is empty" in fault("")
    with pytest.raises(Problem, match="cannot be read: No such file or directory"):
        read_drill(tmp_path / "none.yaml")


def test_the_shipped_files_are_right() -> None:
    scenarios = Path(__file__).parents[2] / "scenarios"
    files = sorted(scenarios.glob("*.yaml"))
    assert files
    for path in files:
        assert read_drill(path).file.steps, path


def test_only_a_channel_that_starts_in_shadow_goes_live() -> None:
    text = drill_text(steps=[{"at": 1, "go_live": {"channel": "ct"}}])
    assert "there is no channel that starts in shadow 'ct'; allowed: none is there" in fault(text)
    channels = {"ct": {"system": "commercetools", "shadow": True}, "bc": {"system": "bigcommerce"}}
    assert drill_file(channels=channels, steps=[{"at": 1, "go_live": {"channel": "ct"}}]).steps[0].go_live
