"""The variants of the simulation: who sells, which faults happen, what is promised of it, and how many seeds each gets. The only list of them.

`make test` runs `tested` seeds of each, `make simulate` `weight` blocks of `BLOCK` seeds.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from tests.model.peers import Variant
from tests.model.wide_peers import WideVariant

BLOCK = 100
"""Seeds that are run together."""

CT, BC = (("ct", "ct", 1),), (("bc", "bc", 1),)
BOTH = CT + BC


class Promise(StrEnum):
    """What must hold in every seed."""

    NEVER_OVERSELLS = "never oversells"
    """No unit is oversold but what the warehouse shrank or the storefront put back after despatch, and it settles."""
    SETTLES = "settles"
    """Oversold by nature (several sellers of a shared pool, no decrement, an edit by hand), but every listing shows what is left in the end."""
    NONE = "none"
    """Measured only."""


@dataclass(frozen=True)
class Named:
    """One variant by its name."""

    variant: Variant
    promise: Promise
    tested: int
    weight: int


def _hard(variant: Variant) -> Variant:
    return replace(variant, dealloc=0.2, cancels=0.3, faults=4.0, load_s=60.0)


def _one(variant: Variant, tested: int, weight: int) -> Named:
    """One seller of the pool."""
    return Named(variant, Promise.NEVER_OVERSELLS, tested, weight)


def _split(variant: Variant, tested: int, weight: int) -> Named:
    """Several sellers of a split pool."""
    return Named(replace(variant, mode="escrow"), Promise.NEVER_OVERSELLS, tested, weight)


def _settles(variant: Variant, tested: int, weight: int = 2) -> Named:
    return Named(variant, Promise.SETTLES, tested, weight)


def _measured(variant: Variant, weight: int) -> Named:
    return Named(variant, Promise.NONE, 0, weight)


EACH_CASE = (("each", "ct", 1), ("case", "ct", 4))
RM = (("rm", "rm", 1),)
SMALL = Variant(BOTH, stock=(5, 60), receipts=4, mode="auto")

TWO = ("MAIN", "NORTH")
HOUSES = WideVariant(BOTH, warehouses=TWO, serves={"bc": ("NORTH",)}, stock=(10, 40), moves=5, parts=0.5)
EDITS = WideVariant(BOTH, edits=0.3)
THREE = WideVariant(
    (*BOTH, ("ct2", "ct", 1)),
    warehouses=("MAIN", "NORTH", "SOUTH"),
    serves={"ct": TWO, "bc": ("NORTH", "SOUTH"), "ct2": ("SOUTH",)},
    stock=(10, 50),
    moves=5,
)
SETS = (("set", "bc", 1), ("set2", "ct", 1))
BUNDLES = WideVariant(
    BOTH + SETS,
    bundles={"SET": {"MUG": 2, "CARD": 1}},
    sells={"set": "SET", "set2": "SET"},
    stock=(10, 50),
)
LIMITS = WideVariant(BOTH, spans=8)
POLICY = {"share": Decimal("0.7"), "percent": Decimal(10), "buffer": 2, "min_to_list": 2, "max": 6}
POOL = {"*": {"percent": Decimal(10), "buffer": 2}, "bc": {"max": 4}}
POLICIES = WideVariant(BOTH, stock=(15, 60))
LOST = WideVariant(BOTH, lost="all")
CARTS = WideVariant(BOTH, carts=True)
EVERYTHING = WideVariant(
    (*BOTH, ("set", "ct", 1)),
    warehouses=TWO,
    serves={"bc": ("NORTH",)},
    bundles={"SET": {"MUG": 2, "CARD": 1}},
    sells={"set": "SET"},
    stock=(15, 60),
    cancels=0.2,
    dealloc=0.1,
    faults=2.0,
    receipts=2,
    shrinks=1,
    restock=True,
    moves=3,
    parts=0.5,
    overpicks=0.05,
    edits=0.2,
    lost="all",
    spans=6,
    carts=True,
)
"""All of it at once but stale balances, which no rule survives."""

WIDE: dict[str, Named] = {
    "wide ct": _one(replace(HOUSES, listings=CT), 20, 5),
    "wide bc": _one(replace(HOUSES, listings=BC), 20, 5),
    "wide escrow": _split(HOUSES, 20, 5),
    "wide hard escrow": _split(_hard(HOUSES), 20, 5),
    "wide": _settles(HOUSES, 20, 5),
    "overpick ct": _one(replace(HOUSES, listings=CT, overpicks=0.1), 20, 5),
    "overpick escrow": _split(replace(HOUSES, overpicks=0.1), 10, 5),
    "edits bc": _one(replace(EDITS, listings=BC), 20, 5),
    "edits escrow": _split(EDITS, 20, 5),
    "wide overlapping": _split(THREE, 10, 5),
    "bundle bc": _one(replace(BUNDLES, listings=SETS[:1]), 20, 5),
    "bundle escrow": _split(BUNDLES, 10, 5),
    "hard bundle escrow": _split(_hard(BUNDLES), 10, 5),
    "wide bundle escrow": _split(replace(BUNDLES, listings=CT + SETS[:1], warehouses=TWO, moves=3), 10, 5),
    "bundle": _settles(BUNDLES, 10, 5),
    "lost ct": _one(replace(LOST, listings=CT), 20, 5),
    "lost bc": _one(replace(LOST, listings=BC), 20, 5),
    "lost escrow": _split(LOST, 10, 5),
    "hard lost escrow": _split(_hard(LOST), 10, 5),
    "lost delivery": _split(_hard(replace(LOST, lost="delivery")), 10, 5),
    "lost warehouse": _measured(replace(_hard(replace(LOST, lost="warehouse")), mode="escrow"), 5),
    "lost at once": _measured(replace(LOST, listings=BC, waits=False), 5),
    "lost short ct": _measured(replace(LOST, listings=CT, lost="short"), 5),
    "lost ledger ct": _measured(replace(LOST, listings=CT, lost="ledger"), 5),
    "lost ledger escrow": _measured(replace(LOST, lost="ledger", mode="escrow"), 5),
    "limits ct": _one(replace(LIMITS, listings=CT), 20, 5),
    "limits bc": _one(replace(LIMITS, listings=BC), 20, 5),
    "limits escrow": _split(LIMITS, 10, 5),
    "hard limits escrow": _split(_hard(LIMITS), 10, 5),
    "policies ct": _one(replace(POLICIES, listings=CT, policies={"*": POLICY}), 20, 5),
    "policies bc": _one(replace(POLICIES, listings=BC, policies={"*": POLICY}), 20, 5),
    "policies escrow": _split(replace(POLICIES, policies=POOL), 10, 5),
    "policies": _settles(replace(POLICIES, policies={"*": {"share": Decimal("0.5")}}), 10, 5),
    "stale balances": _settles(replace(HOUSES, listings=CT, stale=2.0), 10, 5),
    "carts ct": _one(replace(CARTS, listings=CT), 10, 5),
    "carts escrow": _split(CARTS, 10, 5),
    "edits overlapping": _split(
        replace(EDITS, warehouses=TWO, serves={"bc": ("NORTH",)}, stock=(10, 50), edits=0.5, amends=1.0), 20, 5
    ),
    "everything": _split(replace(EVERYTHING, policies=POOL), 40, 10),
    "everything bare": _split(EVERYTHING, 40, 10),
    "hard everything": _split(_hard(EVERYTHING), 40, 10),
    "everything shared": _settles(replace(EVERYTHING, policies={"*": POLICY}), 20, 5),
}
"""Beyond one SKU in one warehouse: several warehouses, other goods, other storefronts (`tests.model.wide_peers`)."""

VARIANTS: dict[str, Named] = {
    "ct": _one(Variant(CT), 600, 12),
    "bc": _one(Variant(BC), 600, 12),
    "case ct": _one(Variant((("ct", "ct", 4),), stock=(20, 80)), 200, 6),
    "hard ct": _one(_hard(Variant(CT)), 300, 10),
    "hard bc": _one(_hard(Variant(BC)), 300, 10),
    "cold ct": _one(Variant(CT, cold=True), 200, 6),
    "cold bc": _one(Variant(BC, cold=True), 200, 6),
    "hard cold ct": _one(replace(_hard(Variant(CT)), cold=True), 200, 6),
    "hard cold bc": _one(replace(_hard(Variant(BC)), cold=True), 200, 6),
    "restock ct": _one(Variant(CT, restock=True, cancels=0.25), 200, 6),
    "restock bc": _one(Variant(BC, restock=True, cancels=0.25), 200, 6),
    "shrink ct": _one(Variant(CT, shrinks=2), 200, 6),
    "shrink bc": _one(Variant(BC, shrinks=2), 200, 6),
    "escrow ct+bc": _split(Variant(BOTH), 300, 16),
    "escrow ct+ct": _split(Variant((*CT, ("ct2", "ct", 1))), 200, 8),
    "escrow bc+bc": _split(Variant((*BC, ("bc2", "bc", 1))), 200, 8),
    "escrow ct+bc+ct": _split(Variant((*BOTH, ("ct2", "ct", 1))), 200, 8),
    "escrow each+case+bc": _split(Variant((*EACH_CASE, *BC)), 200, 8),
    "escrow cold": _split(Variant(BOTH, cold=True), 200, 8),
    "escrow faults x4": _split(Variant(BOTH, faults=4.0), 200, 12),
    "escrow cancels": _split(Variant(BOTH, cancels=0.25, dealloc=0.2), 200, 10),
    "escrow restock": _split(Variant(BOTH, restock=True, cancels=0.25), 200, 10),
    "escrow shrink": _split(Variant(BOTH, shrinks=2), 200, 8),
    "hard escrow": _split(_hard(Variant(BOTH)), 300, 16),
    "ct+bc": _settles(Variant(BOTH), 500, 5),
    "each+case": _settles(Variant((*EACH_CASE, *BC)), 100),
    "auto": _settles(SMALL, 200),
    "auto cold": _settles(replace(SMALL, receipts=1, cold=True), 100),
    "hard auto": _settles(_hard(SMALL), 100),
    "rm": _settles(Variant(RM), 200),
    "hard rm": _settles(_hard(Variant(RM)), 200),
    "nd": _settles(Variant((("nd", "nd", 1),)), 100),
    "manual ct": _settles(Variant(CT, manual=2), 100),
    "manual bc": _settles(Variant(BC, manual=2), 100),
    "escrow manual": _settles(Variant(BOTH, manual=2, mode="escrow"), 100),
    "escrow ct+bc+nd": _settles(Variant((*BOTH, ("nd", "nd", 1)), mode="escrow"), 100),
    **WIDE,
}
