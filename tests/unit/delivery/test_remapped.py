"""Other mappings while delivery runs: new listings are taken in, moved ones counted anew, taken out ones left alone, and nothing starts over."""

from collections.abc import Sequence, Set

from app.mappings.force import changed_products
from schemas.records import Baseline, ExceptionState, StockLevel
from tables.catalogue import Catalogue, Listing, Product
from tables.mappings.spelling import Spelling
from tests.unit.delivery.rig import Rig, until


def put_in_force(rig: Rig, *products: Product) -> Set[str]:
    """As a worker does: the one catalogue gets another content, then delivery is told."""
    after = Catalogue(products, rig.catalogue.rules, rig.catalogue.warehouses)
    changed = changed_products(rig.catalogue, after)
    rig.catalogue.become(after)
    rig.runtime.remapped(changed)
    return changed


def product(sku: str, *skus: str) -> Product:
    return Product(sku, listings=tuple(Listing("shop", one, sku) for one in skus))


def baselines(rig: Rig) -> Sequence[tuple[str, str]]:
    return [(one.listing, one.sku) for one in rig.sent(Baseline)]


async def test_a_new_listing_is_adopted_and_its_product_read() -> None:
    rig = Rig()
    rig.storefront.quantities["shop//new"] = 3
    rig.storefront.versions["shop//new"] = 1
    rig.warehouse.balances["S9"] = {"MAIN": 4}
    async with rig.running("shop", "clarus"):
        await rig.adopted()
        await until(lambda: [one.sku for one in rig.sent(StockLevel)] == ["S0"])
        assert put_in_force(rig, product("S0", "c0"), product("S9", "new")) == {"S9"}
        await until(lambda: baselines(rig) == [("shop//c0", "S0"), ("shop//new", "S9")])
        await until(lambda: [one.sku for one in rig.sent(StockLevel)] == ["S0", "S9"])


async def test_a_listing_that_is_another_products_now_is_counted_anew_there() -> None:
    rig = Rig(skus=2)
    async with rig.running():
        await rig.adopted()
        first = rig.listing("shop//c0").epoch
        assert put_in_force(rig, product("S0"), product("S1", "c1", "c0")) == {"S0", "S1"}
        await until(lambda: baselines(rig)[2:] == [("shop//c0", "S1")])
        assert rig.listing("shop//c0").epoch > first and rig.listing("shop//c0").sku == "S1"


async def test_a_listing_that_is_taken_out_is_neither_read_nor_written_and_its_exception_ends() -> None:
    rig = Rig(skus=2)
    rig.storefront.missing.add("shop//c1")
    async with rig.running():
        await until(lambda: baselines(rig) == [("shop//c0", "S0")])
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN"])
        target = rig.target(1, 4)
        put_in_force(rig, product("S0"), product("S1"))
        await until(lambda: [one.state for one in rig.sent(ExceptionState)] == ["OPEN", "RESOLVED"])
        reads = len(rig.storefront.reads)
        rig.tell(target)
        await until(lambda: rig.runtime.pending() == {"shop": 0})
        assert not rig.storefront.writes and len(rig.storefront.reads) == reads
        put_in_force(rig, product("S0", "c0"), product("S1"))
        await until(lambda: rig.storefront.quantities["shop//c0"] == 4)


def test_only_what_differs_is_looked_at() -> None:
    products = [product("S0", "c0"), Product("BOX", bundle={"S0": 1})]
    before = Catalogue(products, [], ["MAIN", "NORTH"])
    assert changed_products(before, Catalogue(products, [], ["MAIN", "NORTH"], {"shop": Spelling(True)})) == set()
    assert changed_products(
        before, Catalogue([products[0], Product("BOX", bundle={"S0": 2})], [], ["MAIN", "NORTH"])
    ) == {"BOX"}
    assert changed_products(before, Catalogue(products[1:], [], ["MAIN", "NORTH"])) == {"S0"}
    located = Catalogue(products, [], ["MAIN", "NORTH"], None, {("shop", ""): ("MAIN",)})
    assert changed_products(before, located) == {"S0"}
