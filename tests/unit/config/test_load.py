"""What is in force and where it came from; what is said when something is wrong."""

from pathlib import Path

import pytest

from app.config import ConfigProblem, load
from app.config.report import MASK, as_rows, as_text
from app.errors import Problem
from tests.support.files import SHOP, shop


def faults(folder: Path, text: str, environ: dict[str, str] | None = None, *, credentials: bool = False) -> list[str]:
    with pytest.raises(ConfigProblem) as caught:
        load(shop(folder, text), environ or {}, credentials=credentials)
    assert caught.value.status == 2
    return [line.replace(f"{folder}/", "") for line in caught.value.lines]


def test_a_channel_without_its_system_says_which_there_are(tmp_path: Path) -> None:
    [line] = faults(tmp_path, "channels: {a: {store_hash: x}}")
    assert line.startswith("shop.yaml:1: channels.a.system is missing; allowed: ")


def test_a_secrets_file_written_as_a_setting_of_its_own_is_told_how_it_is_written(tmp_path: Path) -> None:
    [line] = faults(tmp_path, "clarus: {client_secret_file: secret.txt}")
    assert (
        line
        == "shop.yaml:1: clarus.client_secret_file is no setting; a secret in a file is written client_secret: {file: PATH}"
    )


def test_defaults_then_file_then_environment(tmp_path: Path) -> None:
    path = shop(tmp_path)
    environ = {"CLARUS_STREAM__KAFKA__PARTITIONS": "6", "CLARUS_STREAM__BOUNDS__LATE_MAX": "90s"}
    loaded = load(path, environ, credentials=True)
    tree = loaded.settings.settings
    assert (tree.kafka.bootstrap, tree.kafka.partitions, tree.kafka.replication) == ("broker:9092", 6, 3)
    assert tree.bounds.late_max == 90_000
    assert loaded.source(("settings", "kafka", "bootstrap")) == f"{path}:13"
    assert loaded.source(("settings", "kafka", "partitions")) == "CLARUS_STREAM__KAFKA__PARTITIONS"
    assert loaded.source(("settings", "kafka", "replication")) == "default"


def test_nothing_given_at_all_is_the_defaults() -> None:
    loaded = load(None, {"PATH": "/bin", "CLARUS_STREAM_CONFIG": "x"})
    assert loaded.settings.settings.kafka.bootstrap == "localhost:9092"
    assert {row["source"] for row in as_rows(loaded)} == {"default"}


@pytest.mark.parametrize("name", ["CT_EU", "CT-EU", "ct-eu", "ct_eu"])
def test_a_channel_with_a_dash_in_a_variable(tmp_path: Path, name: str) -> None:
    variable = f"CLARUS_STREAM__CHANNELS__{name}__CLIENT_SECRET"
    loaded = load(shop(tmp_path), {variable: "from the environment"})
    channel = loaded.settings.channels["ct-eu"]
    assert channel.client_secret.get_secret_value() == "from the environment"
    assert loaded.source(("channels", "ct-eu", "client_secret")) == variable


def test_channels_that_look_alike_in_a_variable_are_refused(tmp_path: Path) -> None:
    text = "channels: {a-b: {system: bigcommerce, store_hash: x}, a.b: {system: bigcommerce, store_hash: y}}"
    assert faults(tmp_path, text, {"CLARUS_STREAM__CHANNELS__A_B__STORE_HASH": "z"}) == [
        "CLARUS_STREAM__CHANNELS__A_B__STORE_HASH: means several channels (a-b, a.b); allowed: set it in the file"
    ]


def test_lists_and_mappings_in_variables_are_yaml(tmp_path: Path) -> None:
    environ = {
        "CLARUS_STREAM__KAFKA__SECURITY": '{"security.protocol": "SASL_SSL"}',
        "CLARUS_STREAM__WAREHOUSES": "[MAIN, NORTH, SOUTH]",
        "CLARUS_STREAM__CLARUS__AUTOMATIONS": '{"43": stock.received}',
    }
    settings = load(shop(tmp_path), environ).settings
    assert settings.settings.kafka.security == {"security.protocol": "SASL_SSL"}
    assert settings.warehouses == ["MAIN", "NORTH", "SOUTH"]
    assert settings.clarus.automations == {"43": "stock.received"}


def test_text_in_a_variable_stays_as_it_is_written(tmp_path: Path) -> None:
    environ = {"CLARUS_STREAM__KAFKA__USERNAME": "0012", "CLARUS_STREAM__KAFKA__PASSWORD": "{yes: [1"}
    kafka = load(shop(tmp_path), environ).settings.settings.kafka
    assert (kafka.username, kafka.password.get_secret_value()) == ("0012", "{yes: [1")


def test_secrets_by_file_in_yaml_and_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "clarus").write_text("one\n")
    (tmp_path / "ct").write_text("two")
    text = SHOP.replace("client_secret: clarus-secret", "client_secret: {file: clarus}")
    loaded = load(shop(tmp_path, text), {"CLARUS_STREAM__CHANNELS__CT_EU__CLIENT_SECRET_FILE": str(tmp_path / "ct")})
    assert loaded.settings.clarus.client_secret.get_secret_value() == "one"
    assert loaded.settings.channels["ct-eu"].client_secret.get_secret_value() == "two"
    assert loaded.source(("clarus", "client_secret")).endswith(f"shop.yaml:2 ({tmp_path / 'clarus'})")


def test_no_secret_is_ever_printed(tmp_path: Path) -> None:
    text = SHOP.replace(
        "kafka: {bootstrap",
        "kafka: {security: {ssl.key.password: hush}, schema_registry_url: 'http://u:hush@r', password: hush, bootstrap",
    )
    loaded = load(shop(tmp_path, text), {})
    shown = as_text(loaded) + str(as_rows(loaded))
    for secret in ("clarus-secret", "ct-secret", "bc-secret", "hook-secret", "hush"):
        assert secret not in shown
    assert {
        "setting": "clarus.client_secret",
        "value": MASK,
        "source": loaded.source(("clarus", "client_secret")),
    } in as_rows(loaded)


def test_a_wrong_secret_is_named_and_not_shown(tmp_path: Path) -> None:
    lines = faults(tmp_path, SHOP.replace("client_secret: ct-secret", "client_secret: 9876"))
    assert lines == [
        "shop.yaml:4: channels.ct-eu.client_secret is not allowed; allowed: text, in quotes where it looks like a number"
    ]


WRONG = {
    "kafka: {bootstrap: a, bootstrap: b}": "shop.yaml:1: settings.kafka.bootstrap is given twice, first in line 1; allowed: once",
    "kafka: {partitions: 0}": "shop.yaml:1: settings.kafka.partitions is 0; allowed: at least 1",
    "kafka: {partitons: 3}": "shop.yaml:1: settings.kafka.partitons is no setting; did you mean partitions?; allowed: bootstrap, topic_prefix, "
    "partitions, replication, security, username, password, schema_registry_url",
    "kafka: {topic_prefix: 'a b'}": "shop.yaml:1: settings.kafka.topic_prefix is 'a b'; allowed: letters, digits, dots, dashes, underscores",
    "kafka: {schema_registry_url: registry}": "shop.yaml:1: settings.kafka.schema_registry_url is 'registry'; allowed: http://… or https://…, or nothing",
    "engine: {store: sqlite}": "shop.yaml:1: settings.engine.store is 'sqlite'; allowed: 'rocksdict' or 'memory'",
    "engine: {dead_letter_ratio: 2}": "shop.yaml:1: settings.engine.dead_letter_ratio is 2; allowed: at most 1.0",
    "bounds: {late_max: soon}": "shop.yaml:1: settings.bounds.late_max is 'soon'; allowed: a duration such as 500ms, 2s or 1m",
    "bounds: {apply_max: 0s}": "shop.yaml:1: settings.bounds.apply_max is 0; allowed: a duration above 0, such as 500ms, 2s or 1m",
    "sweeps: {orders: 0}": "shop.yaml:1: settings.sweeps.orders is 0; allowed: a duration above 0, such as 500ms, 2s or 1m",
    "ops: {port: 99999}": "shop.yaml:1: settings.ops.port is 99999; allowed: at most 65535",
}


@pytest.mark.parametrize("text", WRONG)
def test_one_line_names_the_setting_its_place_and_what_is_allowed(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, f"settings: {{{text}}}") == [WRONG[text]]


REFERENCES = {
    ("bc-us: {sku", "bc-uk: {sku"): "products[0].channels.bc-uk: there is no channel 'bc-uk'; allowed: ct-eu, bc-us",
    (
        "unit: case}}}",
        "unit: pallet}}}",
    ): "products[0].channels.bc-us.unit is 'pallet'; allowed: a unit of the product: each, case",
    ('bundle: {"000123": 2}', "bundle: {CARD: 1}"): "products[1].bundle.CARD: no product has the code 'CARD'; "
    "allowed: the code of a product of this file",
    (
        'bundle: {"000123": 2}',
        "bundle: {GIFT: 1}",
    ): "products[1].bundle.GIFT: 'GIFT' is itself a bundle; allowed: products that are no bundles",
    (
        "  - {sku: GIFT",
        '  - {sku: "000123"}\n  - {sku: GIFT',
    ): "products[1].sku: '000123' is given twice; allowed: every code once",
    ("{ct-eu: GIFT}", '{ct-eu: "123"}'): "products[1].channels.ct-eu: '123' is already listed for '000123'; "
    "allowed: one product for a channel's SKU and location",
    ("buffer: 1}", "warehouses: [EAST]}"): "policies[0].warehouses: there is no warehouse 'EAST'; allowed: MAIN, NORTH",
    (
        "buffer: 1}",
        "warehouses: []}",
    ): "policies[0].warehouses is empty; allowed: at least one warehouse, or leave it out for all",
    ("[MAIN, NORTH]", "[MAIN, MAIN]"): "warehouses[1]: 'MAIN' is given twice; allowed: every warehouse once",
    ("[MAIN, NORTH]", "[]"): "warehouses is empty; allowed: the codes of the warehouses whose stock is offered",
    (
        "  bc-us: {system: bigcommerce",
        "  bc-uk: {system: bigcommerce, store_hash: abc}\n  bc-us: {system: bigcommerce",
    ): "channels.bc-us: the same store as 'bc-uk'; allowed: one channel for a store; list locations with `location`",
}


@pytest.mark.parametrize("change", REFERENCES)
def test_what_refers_to_nothing_is_refused_by_name(tmp_path: Path, change: tuple[str, str]) -> None:
    assert change[0] in SHOP
    lines = faults(tmp_path, SHOP.replace(*change))
    assert [line.split(": ", 1)[1] for line in lines] == [REFERENCES[change]]
    assert all(line.startswith("shop.yaml:") for line in lines)


def test_a_pool_that_cannot_be_split_is_refused_by_the_name_of_its_product(tmp_path: Path) -> None:
    lines = faults(tmp_path, SHOP.replace("mode: shared", "mode: escrow, share: 0.5"))
    assert [line.split(": ", 1)[1] for line in lines] == [
        "products[0]: '000123' has mode escrow, but share must be 1 on all its listings and those of GIFT; quotas are moved by need;"
        " allowed: to change that, or mode shared",
    ]
    assert load(shop(tmp_path, SHOP.replace("mode: shared", "mode: escrow")), {}).warnings == []


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = SHOP.replace("unit: case}}}", "unit: pallet}}}").replace("buffer: 1}", "warehouses: [EAST]}")
    assert len(faults(tmp_path, text)) == 2


def test_a_sku_that_yaml_reads_as_a_number_is_refused(tmp_path: Path) -> None:
    lines = faults(tmp_path, SHOP.replace('sku: "000123"', "sku: 000123"))
    assert lines == ["shop.yaml:8: products[0].sku is 83; allowed: text, in quotes where it looks like a number"]


def test_an_unknown_system_and_an_unknown_field_of_a_known_one(tmp_path: Path) -> None:
    lines = faults(tmp_path, "channels: {a: {system: shopify}, b: {system: bigcommerce, store_hsh: x}}")
    assert lines[0] == "shop.yaml:1: channels.a.system is 'shopify'; allowed: 'commercetools', 'bigcommerce'"
    assert lines[1] == "shop.yaml:1: channels.b.store_hsh is no setting; did you mean store_hash?"


def test_credentials_are_asked_for_where_they_are_needed(tmp_path: Path) -> None:
    text = SHOP.replace(", access_token: bc-secret", "").replace("client_id: id, client_secret: clarus-secret", "")
    assert load(shop(tmp_path, text), {}).settings.clarus.client_id == ""
    missing = [line.split(": ")[1].split(" ")[0] for line in faults(tmp_path, text, credentials=True)]
    assert missing == ["clarus.client_id", "clarus.client_secret", "channels.bc-us.access_token"]


VARIABLES = {
    ("CLARUS_STREAM__KAFKA__BOOTSTRP", "x"): "is no setting; did you mean CLARUS_STREAM__KAFKA__BOOTSTRAP?",
    ("CLARUS_STREAM__CHANNELS__CT_US__CLIENT_ID", "x"): "names no channel of the file; allowed: ct-eu, bc-us",
    ("CLARUS_STREAM__INGRESS__PORT", "many"): "settings.ingress.port is 'many'; allowed: a whole number",
    (
        "CLARUS_STREAM__CLARUS__SUBDOMAIN_FILE",
        "x",
    ): "clarus.subdomain is no secret; allowed: its value in CLARUS_STREAM__CLARUS__SUBDOMAIN",
    (
        "CLARUS_STREAM__CLARUS__CLIENT_SECRET_FILE",
        "/does/not/exist",
    ): "the file /does/not/exist cannot be read: No such file or directory",
    (
        "CLARUS_STREAM__WAREHOUSES",
        "[MAIN",
    ): "warehouses: no valid YAML or JSON: expected ',' or ']', but got '<stream end>'",
    ("CLARUS_STREAM__NONSENSE__AT_ALL_1234567890", "x"): "is no setting; see `clarus-stream config reference`",
}


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: tuple[str, str]) -> None:
    assert faults(tmp_path, SHOP, dict([variable])) == [f"{variable[0]}: {VARIABLES[variable]}"]


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    name = "CLARUS_STREAM__CLARUS__CLIENT_SECRET"
    assert faults(tmp_path, SHOP, {name: "a", f"{name}_FILE": "b"}) == [
        f"{name}_FILE: clarus.client_secret is also given by {name}; allowed: one of the two"
    ]


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    for text, words in (("a: [", "no valid YAML"), ("- a", "must be a mapping"), ("a: {<<: {}}", "merge keys")):
        with pytest.raises(Problem, match=words) as caught:
            load(shop(tmp_path, text), {})
        assert caught.value.status == 2
    with pytest.raises(Problem, match="cannot be read: No such file"):
        load(tmp_path / "none.yaml", {})


def test_a_channel_that_is_known_to_promise_nothing_is_told_before_the_start(tmp_path: Path) -> None:
    text = SHOP.replace("mode: shared", "mode: auto")
    assert load(shop(tmp_path, text), {}).warnings == []
    text = text.replace("system: commercetools,", "system: commercetools, restocks_on_cancel: true,")
    (warning,) = load(shop(tmp_path, text), {}).warnings
    assert "000123: no guarantee, ct-eu: puts cancelled units back on sale by itself (restocks_on_cancel)" in warning


def test_what_is_allowed_but_may_surprise_is_told(tmp_path: Path) -> None:
    text = SHOP.replace("mode: shared", "mode: auto, min_to_list: 2").replace("kafka: {", "kafka: {replication: 1, ")
    warnings = load(shop(tmp_path, text), {}).warnings
    assert any("000123: no guarantee, mode auto shares its pool" in w for w in warnings)
    assert any("settings.kafka.replication is 1" in w for w in warnings)
    assert load(shop(tmp_path), {}).warnings == []
