"""The variants of the simulation. `python -m tests.model.run` prints their table, `python -m tests.model.run NAME SEED` one seed event by event."""

# ruff: noqa: T201

import sys
import time
from dataclasses import dataclass, replace

from tests.model.peers import Variant
from tests.model.product import Model

CT, BC = (("ct", "ct", 1),), (("bc", "bc", 1),)


def _hard(variant: Variant) -> Variant:
    return replace(variant, dealloc=0.2, cancels=0.3, faults=4.0, load_s=60.0)


VARIANTS: dict[str, Variant] = {
    "ct": Variant(CT),
    "bc": Variant(BC),
    "case ct": Variant((("ct", "ct", 4),), stock=(20, 80)),
    "ct+bc": Variant(CT + BC),
    "each+case": Variant((("each", "ct", 1), ("case", "ct", 4), *BC)),
    "hard ct": _hard(Variant(CT)),
    "hard bc": _hard(Variant(BC)),
    "cold ct": Variant(CT, cold=True),
    "cold bc": Variant(BC, cold=True),
    "hard cold ct": replace(_hard(Variant(CT)), cold=True),
    "hard cold bc": replace(_hard(Variant(BC)), cold=True),
    "restock ct": Variant(CT, restock=True, cancels=0.25),
    "restock bc": Variant(BC, restock=True, cancels=0.25),
    "shrink ct": Variant(CT, shrinks=2),
    "shrink bc": Variant(BC, shrinks=2),
    "manual ct": Variant(CT, manual=2),
    "manual bc": Variant(BC, manual=2),
    "rm": Variant((("rm", "rm", 1),)),
    "hard rm": _hard(Variant((("rm", "rm", 1),))),
    "nd": Variant((("nd", "nd", 1),)),
    "escrow ct+bc": Variant(CT + BC, mode="escrow"),
    "escrow ct+ct": Variant((*CT, ("ct2", "ct", 1)), mode="escrow"),
    "escrow bc+bc": Variant((*BC, ("bc2", "bc", 1)), mode="escrow"),
    "escrow ct+bc+ct": Variant((*CT, *BC, ("ct2", "ct", 1)), mode="escrow"),
    "escrow each+case+bc": Variant((("each", "ct", 1), ("case", "ct", 4), *BC), mode="escrow"),
    "escrow cold": Variant(CT + BC, cold=True, mode="escrow"),
    "escrow faults x4": Variant(CT + BC, faults=4.0, mode="escrow"),
    "escrow cancels": Variant(CT + BC, cancels=0.25, dealloc=0.2, mode="escrow"),
    "escrow restock": Variant(CT + BC, restock=True, cancels=0.25, mode="escrow"),
    "escrow shrink": Variant(CT + BC, shrinks=2, mode="escrow"),
    "hard escrow": replace(_hard(Variant(CT + BC)), mode="escrow"),
    "escrow manual": Variant(CT + BC, manual=2, mode="escrow"),
    "auto": Variant(CT + BC, stock=(5, 60), receipts=4, mode="auto"),
    "auto cold": Variant(CT + BC, stock=(5, 60), cold=True, mode="auto"),
    "hard auto": replace(_hard(Variant(CT + BC)), stock=(5, 60), receipts=4, mode="auto"),
    "escrow ct+bc+nd": Variant((*CT, *BC, ("nd", "nd", 1)), mode="escrow"),
}


@dataclass(frozen=True)
class Verdict:
    """What one seed came to."""

    seed: int
    oversold: int
    unexcused: int
    converged: bool
    writes: int
    reads: int


def judge(name: str, seed: int, trace: bool = False) -> Verdict:
    """Run one seed."""
    model = Model(seed, VARIANTS[name], trace)
    model.run()
    return Verdict(seed, model.oversold(), model.unexcused(), model.converged(), model.writes, model.reads)


def table(scale: float, part: str, first: int) -> None:
    """The variants whose name contains `part`, as markdown."""
    print("| variant | seeds | oversold seeds | units | unexcused | not converged | writes | reads | ms |")
    for name in VARIANTS:
        if part not in name:
            continue
        begun = time.perf_counter()
        found = [judge(name, first + i) for i in range(int(scale))]
        spent = (time.perf_counter() - begun) * 1000 / len(found)
        bad = [v.seed for v in found if v.unexcused][:3] + [v.seed for v in found if not v.converged][:3]
        print(
            f"| {name} | {len(found)} | {sum(v.oversold > 0 for v in found)} | {sum(v.oversold for v in found)} "
            f"| {sum(v.unexcused for v in found)} | {sum(not v.converged for v in found)} "
            f"| {sum(v.writes for v in found) / len(found):.1f} | {sum(v.reads for v in found) / len(found):.1f} "
            f"| {spent:.0f} | {bad or ''}",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in VARIANTS:
        print(judge(sys.argv[1], int(sys.argv[2]), True))
    else:
        given = sys.argv[1:] + ["50", "", "0"][len(sys.argv) - 1 :]
        table(float(given[0]), given[1], int(given[2]))
