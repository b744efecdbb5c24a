"""One seed of the simulation. `python -m tests.model.run NAME SEED` prints it event by event."""

# ruff: noqa: T201

import sys
from dataclasses import dataclass

from tests.model.product import Model
from tests.model.variants import VARIANTS
from tests.model.wide import WideModel
from tests.model.wide_peers import WideVariant


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
    variant = VARIANTS[name].variant
    model = WideModel(seed, variant, trace) if isinstance(variant, WideVariant) else Model(seed, variant, trace)
    model.run()
    return Verdict(seed, model.oversold(), model.unexcused(), model.converged(), model.writes, model.reads)


def command(name: str, seed: int) -> str:
    """How one seed is replayed."""
    return f"python -m tests.model.run '{name}' {seed}"


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in VARIANTS or not sys.argv[2].isdecimal():
        sys.exit(f"usage: python -m tests.model.run NAME SEED; names: {', '.join(VARIANTS)}")
    print(judge(sys.argv[1], int(sys.argv[2]), True))
