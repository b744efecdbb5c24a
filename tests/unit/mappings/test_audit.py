"""The catalogue audit: what differs between the warehouse's and a storefront's catalogue, read from simulated peers through the connectors' own reads."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal

import pytest

from app.audit import run
from app.config import load
from app.connectors import CLARUS
from app.connectors.catalogue import CatalogueItem, grams, storefront_catalogue, warehouse_catalogue
from app.connectors.contract import Priority
from app.connectors.errors import ReadOnly
from app.doctor.peers import LookingTransport
from app.settings import Settings, from_mapping
from app.simulators.bigcommerce.simulator import BigCommerceSimulator
from app.simulators.clarus.simulator import ClarusSimulator
from app.simulators.commercetools.simulator import CommercetoolsSimulator
from schemas.records import ExceptionState, OperatorCommand
from tables.catalogue import Catalogue, Listing, Product
from tables.mappings.audit import Difference, differences, unknown, unmapped

CATALOGUE = Catalogue(
    [
        Product("MUG", {"each": 1, "case": 12}, {}, (Listing("bc", "M1", "MUG"), Listing("bc", "M12", "MUG", "case", 12))),
        Product("CARD", {"each": 1}, {}, (Listing("bc", "C", "CARD"),)),
        Product("BOX", {"each": 1}, {"MUG": 2, "CARD": 1}, (Listing("bc", "B", "BOX"),)),
    ],
    [],
    ["MAIN"],
)  # fmt: skip
HERE = {
    "MUG": CatalogueItem("MUG", "501", Decimal(300), 12),
    "CARD": CatalogueItem("CARD", "", Decimal(10), None),
}


def item(sku: str, barcode: str | None = None, weight: int | None = None) -> CatalogueItem:
    return CatalogueItem(sku, barcode, None if weight is None else Decimal(weight))


def found(*items: CatalogueItem, here: Mapping[str, CatalogueItem] = HERE) -> list[tuple[str, str, str, str]]:
    shown = {one.sku: one for one in items}
    return [(one.entity, one.what, one.warehouse, one.storefront) for one in differences(CATALOGUE, "bc", here, shown)]


ALL = (item("M1", "501", 300), item("M12", None, 3600), item("C", "", 10), item("B", "777", 610))


def test_what_agrees_or_is_not_told_is_no_difference() -> None:
    assert found(*ALL) == []
    assert found(*(item(one.sku) for one in ALL)) == []
    assert found(item("M1", "501", 301), *ALL[1:]) == [], "a gram is rounding"


def test_what_differs_is_named_with_both_sides() -> None:
    shown = (item("M1", "502", 350), item("M12", None, 300), item("C", "9", 10))
    assert found(*shown) == [
        ("bc//M1", "barcode", "501", "502"),
        ("bc//M1", "weight", "300 g a each", "350 g a each"),
        ("bc//M12", "unit", "3600 g a case", "300 g a case"),
        ("bc//C", "barcode", "", "9"),
        ("bc//B", "sku", "", "B"),
    ]
    texts = [one.text for one in differences(CATALOGUE, "bc", HERE, {one.sku: one for one in shown})]
    assert texts[3] == "barcode is none at the warehouse and 9 at bc"
    assert texts[4] == "bc has no SKU B, which the mappings name"


def test_the_warehouse_lacks_a_product_or_packs_another_case() -> None:
    [case] = unknown(CATALOGUE, CLARUS, {**HERE, "MUG": CatalogueItem("MUG", case=10)})
    assert (case.what, case.warehouse, case.storefront) == ("unit", "case of 10", "12 eaches (mapped)")
    [lost] = unknown(CATALOGUE, CLARUS, {"MUG": HERE["MUG"]})
    assert lost.text == "clarus has no product CARD, which the mappings name"


def test_skus_without_a_mapping_are_listed() -> None:
    assert unmapped(CATALOGUE, "bc", {one.sku: one for one in (*ALL, item("NEW"), item("m1"))}) == ["NEW", "m1"]


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        ("0.3", "kg", 300),
        (1, "lb", 453.59237),
        ("0.0000", "kg", None),
        (None, "g", None),
        ("x", "g", None),
        (1, "", None),
    ],
)
def test_weights_are_grams(value: object, unit: str, told: float | None) -> None:
    assert grams(value, unit) == (None if told is None else Decimal(str(told)))


# ---- the peers ----------------------------------------------------------------------------------------------------------------------------------


@dataclass
class Peers:
    settings: Settings
    clarus: ClarusSimulator
    bc: BigCommerceSimulator
    ct: CommercetoolsSimulator

    async def read(self, name: str, most: int = 100) -> dict[str, CatalogueItem]:
        transport = LookingTransport(name, 5.0, 1000.0, who="audit", most=most)
        try:
            reader = (
                warehouse_catalogue(self.settings, transport)
                if name == CLARUS
                else storefront_catalogue(name, self.settings.channels[name], transport)
            )
            return {one.sku: one async for page in reader.items(Priority.SWEEP) for one in page}
        finally:
            await transport.close()


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    clarus = ClarusSimulator("clarus", 7, warehouses=["MAIN"], product_weight="unit_weight")
    bc, ct = BigCommerceSimulator("bc", 7), CommercetoolsSimulator("ct", 7)
    async with AsyncExitStack() as stack:
        for peer in (clarus, bc, ct):
            await peer.start()
            stack.push_async_callback(peer.stop)
        attributes = {"barcode_attribute": "ean", "weight_attribute": "weight"}
        data = {
            "clarus": clarus.connection(),
            "warehouses": ["MAIN"],
            "channels": {"bc": bc.connection(), "ct": {**ct.connection(), **attributes}},
        }
        yield Peers(from_mapping(data), clarus, bc, ct)


async def test_every_peer_tells_barcode_and_weight(peers: Peers) -> None:
    peers.clarus.add_product("MUG")
    peers.clarus.describe("MUG", barcode="501", grams=300, case=12)
    for shop in (peers.bc, peers.ct):
        shop.add_listing("M1")
        shop.describe("M1", barcode="501", grams=305.5)
        shop.add_listing("PLAIN")
    assert await peers.read(CLARUS) == {"MUG": CatalogueItem("MUG", "501", Decimal(300), 12)}
    for name in ("bc", "ct"):
        shown = await peers.read(name)
        assert shown["M1"] == CatalogueItem("M1", "501", Decimal("305.5"))
        assert shown["PLAIN"] == CatalogueItem("PLAIN", "")


async def test_a_catalogue_of_many_pages_is_read_whole_and_within_its_bound(peers: Peers) -> None:
    for number in range(230):
        peers.ct.add_listing(f"S{number}")
        peers.bc.add_listing(f"S{number}")
        peers.clarus.add_product(f"S{number}")
    assert [len(await peers.read(name)) for name in ("ct", "bc", CLARUS)] == [230, 230, 230]
    with pytest.raises(ReadOnly, match="audit makes at most 2 requests to a peer"):
        await peers.read("ct", most=2)


# ---- exceptions ---------------------------------------------------------------------------------------------------------------------------------


def state(entity: str, detail: str, channel: str) -> ExceptionState:
    return ExceptionState(
        exception_id=f"{run.TYPE}:{entity}", type=run.TYPE, entity=entity, owner="ecommerce", state="OPEN", detail=detail, opened_at=1, changed_at=1,
        holder=f"channel/{channel}",
    )  # fmt: skip


def test_exceptions_are_opened_changed_and_resolved_where_their_peer_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    m1 = Difference("bc", "bc//M1", "MUG", "barcode", "501", "502")
    audit = run.Audit(
        [m1, Difference("bc", "bc//C", "CARD", "barcode", "", "9")], read={CLARUS: 2, "bc": 4}, failed={"ct": "away"}
    )
    known = {
        one.exception_id: one
        for one in (state("bc//M1", m1.text, "bc"), state("bc//OLD", "x", "bc"), state("ct//M1", "x", "ct"), state("MUG", "x", CLARUS))
    }  # fmt: skip
    sent: list[OperatorCommand] = []
    monkeypatch.setattr(run, "read", lambda settings, wanted: run_found(known))
    monkeypatch.setattr(run, "send_all", lambda settings, commands: sent.extend(commands))
    run.tell(load(None, {}).settings, audit, "ada")
    assert [(one.action, one.target, one.holder) for one in sent] == [
        ("differs", "catalogue_mismatch:bc//C", "channel/bc"),
        ("agrees", "catalogue_mismatch:bc//OLD", "channel/bc"),
        ("agrees", "catalogue_mismatch:MUG", "channel/clarus"),
    ]
    assert (audit.opened, audit.resolved) == (1, 2)


def run_found(states: dict[str, ExceptionState]) -> object:
    @dataclass
    class Found:
        states: dict[str, ExceptionState]

    return Found(states)
