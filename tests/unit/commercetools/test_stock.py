"""How quantities and markers are written and read, against the simulated project."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from app.connectors.commercetools import CommercetoolsStorefront, client
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.commercetools.stock import predicates, read_marker, unguarded, write_marker
from app.connectors.contract import AnswerKind, Marker, Priority, StockReading, StockRequest
from app.connectors.http import DirectTransport
from app.simulators.commercetools import CommercetoolsSimulator
from app.simulators.contract import NewLine, NewOrder
from tables.catalogue import Listing

A = Listing("ct", "A", "A")


class Recording(DirectTransport):
    """Keeps what was asked."""

    def __init__(self) -> None:
        super().__init__("ct", timeout=5)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def request(self, method: str, url: str, **options: Any) -> Any:
        self.asked.append((method, url.split("/drill/")[-1], options))
        return await super().request(method, url, **options)

    def bodies(self, path: str) -> list[Any]:
        return [options["json"] for method, url, options in self.asked if method == "POST" and url.startswith(path)]


class Project:
    def __init__(self) -> None:
        self.simulator = CommercetoolsSimulator("ct", 1, visible_lag=0.05, rate=1000)
        self.transport = Recording()

    async def start(self) -> None:
        await self.simulator.start()
        self.settings = CommercetoolsSettings(**self.simulator.connection())
        self.storefront = CommercetoolsStorefront("ct", self.settings, self.transport)
        assert all(finding.ok for finding in await self.storefront.probe())

    async def read(self, listing: Listing = A) -> StockReading:
        return (await self.storefront.read_stock([listing], Priority.SWEEP))[listing.id]

    async def write(self, reading: StockReading, delta: int, attempt: int = 1, **changed: Any) -> Any:
        version = changed.get("version", reading.peer_version)
        request = StockRequest(A, 9, attempt, delta, reading.quantity + delta, False, reading.peer_id, version)
        return (await self.storefront.write_stock([request], Priority.INCREASE))[A.id]

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        sender = client.Client("ct", self.settings, self.transport)
        return sender.read("POST", path, await sender.send("POST", path, Priority.SWEEP, json=body))

    async def foreign_type(self, *fields: str) -> str:
        definitions = [
            {"name": name, "label": {"en": name}, "type": {"name": "String"}, "required": False} for name in fields
        ]
        draft = {"key": "theirs", "name": {"en": "x"}, "resourceTypeIds": ["inventory-entry"]}
        made = await self.post("types", draft | {"fieldDefinitions": definitions})
        return str(made["id"])


@pytest.fixture
async def project() -> AsyncIterator[Project]:
    project = Project()
    project.simulator.add_listing("A")
    await project.start()
    yield project
    await project.transport.close()
    await project.simulator.stop()


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({}, ""),
        ({"restockableInDays": 0}, "restockableInDays"),
        ({"availableQuantity": 7}, "3 units are reserved by carts"),
    ],
)
def test_an_entry_that_may_be_sold_beyond_what_it_shows_has_its_reason(entry: dict[str, Any], word: str) -> None:
    found = unguarded({"quantityOnStock": 10, "availableQuantity": 10} | entry, 10)
    assert bool(found) is bool(word) and word in found


def test_the_marker_survives_the_way_there_and_back() -> None:
    assert read_marker(write_marker(Marker(1_795_257_750_011, 3, -2))) == Marker(1_795_257_750_011, 3, -2)


@pytest.mark.parametrize("text", [None, "", "1:2", "1:2:3:4", "a:b:c", 7, "theirs"])
def test_what_is_not_our_marker_is_none(text: object) -> None:
    assert read_marker(text) is None


def test_predicates_stay_short_and_name_every_sku_once() -> None:
    skus = [f'{n:04d}-"ü"-{"x" * 40}' for n in range(300)]
    parts = list(predicates({"": skus, "chan": ["one"]}))
    assert all(len(quote(where, safe="")) <= client.MAX_WHERE for where, _ in parts)
    assert sum(count for _, count in parts) == 301
    assert parts[-1][0] == 'sku in ("one") and supplyChannel(id="chan")'
    assert all(sum(client.literal(sku) in where for where, _ in parts) == 1 for sku in skus)


async def test_the_first_write_sets_our_type_and_later_ones_its_field_in_the_same_request(project: Project) -> None:
    first = await project.write(await project.read(), 5)
    second = await project.write(await project.read(), -2, attempt=2)
    assert (first.kind, second.kind) == (AnswerKind.OK, AnswerKind.OK)
    sent = [[action["action"] for action in body["actions"]] for body in project.transport.bodies("inventory/")]
    assert sent == [["addQuantity", "setCustomType"], ["removeQuantity", "setCustomField"]]
    reading = await project.read()
    assert (reading.quantity, reading.marker) == (3, Marker(9, 2, 3))
    assert reading.peer_version == second.peer_version


async def test_a_restarted_connector_looks_at_the_entry_before_its_first_write(project: Project) -> None:
    reading = await project.read()
    await project.write(reading, 5)
    version = (await project.read()).peer_version
    project.storefront = CommercetoolsStorefront("ct", project.settings, project.transport)
    assert (await project.write(reading, 1, attempt=2, version=version)).kind is AnswerKind.OK
    assert [a["action"] for a in project.transport.bodies("inventory/")[-1]["actions"]] == [
        "addQuantity",
        "setCustomField",
    ]


async def test_a_conflict_names_the_version_and_nothing_landed(project: Project) -> None:
    reading = await project.read()
    landed = await project.write(reading, 5)
    answer = await project.write(reading, 7, attempt=2)
    assert answer.kind is AnswerKind.CONFLICT
    assert answer.peer_version in (landed.peer_version, 0)
    assert (await project.read()).marker == Marker(9, 1, 5)


async def test_a_type_that_somebody_sets_meanwhile_is_not_overwritten(project: Project) -> None:
    reading = await project.read()
    type_id = await project.foreign_type("note", "clarusStream")
    custom = {"action": "setCustomType", "type": {"typeId": "type", "id": type_id}, "fields": {"note": "keep me"}}
    changed = await project.post(f"inventory/{reading.peer_id}", {"version": reading.peer_version, "actions": [custom]})
    assert (await project.write(reading, 5)).kind is AnswerKind.CONFLICT
    assert (await project.write(reading, 5, version=changed["version"])).kind is AnswerKind.OK
    entry = project.simulator.inventory.get(reading.peer_id).doc
    assert entry["custom"]["fields"] == {"note": "keep me", "clarusStream": "9:1:5"}


async def test_an_entry_with_a_type_without_our_field_is_missing_until_the_field_is_there(project: Project) -> None:
    type_id = await project.foreign_type("note")
    reading = await project.read()
    custom = {"action": "setCustomType", "type": {"typeId": "type", "id": type_id}}
    await project.post(f"inventory/{reading.peer_id}", {"version": reading.peer_version, "actions": [custom]})
    assert "clarusStream" in (await project.read()).missing
    field = {"name": "clarusStream", "label": {"en": "x"}, "type": {"name": "String"}, "required": False}
    action = {"action": "addFieldDefinition", "fieldDefinition": field}
    await project.post(f"types/{type_id}", {"version": 1, "actions": [action]})
    reading = await project.read()
    assert reading.missing == ""
    assert (await project.write(reading, 2)).kind is AnswerKind.OK


async def test_locations_are_supply_channels_looked_up_once(project: Project) -> None:
    project.simulator.add_listing("A", "WH-A")
    there, nowhere = Listing("ct", "A", "A", location="WH-A"), Listing("ct", "A", "A", location="WH-X")
    for _ in range(2):
        readings = await project.storefront.read_stock([A, there, nowhere], Priority.SWEEP)
    assert readings[A.id].peer_id != readings[there.id].peer_id
    assert readings[there.id].missing == ""
    assert "WH-X" in readings[nowhere.id].missing
    looked_up = [
        o["params"]["where"] for _, url, o in project.transport.asked if url == "channels" and "where" in o["params"]
    ]
    assert looked_up == ['key in ("WH-A","WH-X")', 'key in ("WH-X")']


async def test_a_zero_or_a_write_without_its_entry_is_refused_here(project: Project) -> None:
    for request in (StockRequest(A, 1, 1, 0, 0, True, "x", 1), StockRequest(A, 1, 1, 5, 5, False, "", 0)):
        answers = await project.storefront.write_stock([request], Priority.INCREASE)
        assert answers[A.id].kind is AnswerKind.FAILED
    assert project.transport.bodies("inventory/") == []


async def test_an_expired_token_is_renewed_and_the_write_lands_once(project: Project) -> None:
    reading = await project.read()
    project.simulator.inventory.get(reading.peer_id)
    project.simulator.forget_tokens()
    assert (await project.write(reading, 5)).kind is AnswerKind.OK
    assert project.simulator.quantity("A") == 5


async def test_polling_pages_by_key_and_loses_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE", 3)
    monkeypatch.setattr("app.simulators.commercetools.documents.now_ms", lambda: 1_795_257_750_000)
    placed = [await project.simulator.place(NewOrder("", [NewLine("untracked", 1)])) for _ in range(10)]
    pages = [page async for page in project.storefront.poll_orders(1_795_257_750_000, Priority.SWEEP)]
    assert [len(page.orders) for page in pages] == [3, 3, 3, 1]
    assert [page.last for page in pages] == [False, False, False, True]
    assert sorted(order.order_id for page in pages for order in page.orders) == sorted(p.order_id for p in placed)
    assert all("offset" not in (options.get("params") or {}) for _, _, options in project.transport.asked)


async def test_no_secret_is_in_any_url(project: Project) -> None:
    await project.write(await project.read(), 1)
    secret = project.settings.client_secret.get_secret_value()
    assert all(secret not in url + json.dumps(o.get("params") or {}) for _, url, o in project.transport.asked)
