"""The variants of the simulation: who sells, which faults happen, what is promised of it, and how many seeds each gets. The only list of them.

`make test` runs `tested` seeds of each, `make simulate` `weight` blocks of `BLOCK` seeds.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from tests.model.peers import Variant

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


EACH_CASE = (("each", "ct", 1), ("case", "ct", 4))
RM = (("rm", "rm", 1),)
SMALL = Variant(BOTH, stock=(5, 60), receipts=4, mode="auto")

TWO = Variant(BOTH, sites=("MAIN", "NORTH"))
THREE = Variant((*BOTH, ("ct2", "ct", 1)), sites=("MAIN", "NORTH"), served=(("MAIN", "NORTH"), ("NORTH",), ("MAIN",)))

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
    "two sites ct": _one(replace(TWO, listings=CT), 30, 4),
    "two sites ct, bc at one": _split(replace(TWO, served=(("MAIN", "NORTH"), ("NORTH",))), 30, 6),
    "three sites": _split(replace(THREE, sites=("MAIN", "NORTH", "SOUTH")), 30, 6),
    "moves": _split(replace(THREE, moves=4), 30, 6),
    "hard sites": _split(_hard(replace(THREE, moves=2)), 30, 6),
    "short ct": _one(Variant(CT, short=0.5, overpick=0.2), 30, 4),
    "short bc": _one(Variant(BC, short=0.5, overpick=0.2), 30, 4),
    "escrow short": _split(Variant(BOTH, short=0.5, overpick=0.2), 30, 6),
    "edits bc": _one(Variant(BC, edits=0.4), 30, 4),
    "escrow edits": _split(Variant((*BC, ("bc2", "bc", 1)), edits=0.4), 30, 6),
    "limits ct": _one(Variant(CT, limits=6), 30, 4),
    "escrow limits": _split(Variant(BOTH, limits=8), 30, 6),
    "percent and buffer": _one(Variant(CT, policy=(("percent", 20), ("buffer", 2))), 30, 4),
    "escrow percent and buffer": _split(Variant(BOTH, policy=(("percent", 20), ("buffer", 2))), 30, 4),
    "max": _one(Variant(BC, policy=(("max", 4),)), 30, 4),
    "escrow max": _split(Variant(BOTH, policy=(("max", 4),)), 30, 4),
    "row lost ct": _one(Variant(CT, losses=2), 30, 4),
    "row lost bc": _one(Variant(BC, losses=2), 30, 4),
    "escrow row lost": _split(Variant(BOTH, losses=2), 30, 6),
    "everything": _split(
        _hard(
            replace(
                THREE,
                listings=(*BC, ("bc2", "bc", 1)),
                served=(("MAIN", "NORTH"), ("NORTH",)),
                moves=2,
                short=0.3,
                overpick=0.1,
                edits=0.3,
                limits=4,
            )
        ),
        30,
        8,
    ),
    "greedy sites": _settles(replace(THREE, mode="escrow", greedy=True), 20),
    "carts ct": _settles(Variant(CT, carts=True), 20),
    "escrow carts": _settles(Variant(BOTH, carts=True, mode="escrow"), 20),
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
}
