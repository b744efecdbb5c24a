"""R2: what a set of warehouses can still promise, from free stock and demand by warehouse set. Pure arithmetic on one SKU."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

SEPARATOR = "+"


def key_of(warehouses: Iterable[str]) -> str:
    """The key of a warehouse set: its codes, sorted, joined by `+`."""
    return SEPARATOR.join(sorted(set(warehouses)))


@lru_cache(1024)
def set_of(key: str) -> frozenset[str]:
    """The warehouse set of a key; the empty key is the empty set, whose demand counts against every warehouse."""
    return frozenset(key.split(SEPARATOR)) if key else frozenset()


def pool(free: Mapping[str, int], demand: Mapping[str, int], warehouses: Iterable[str]) -> int:
    """The minimum over unions T of `warehouses` with demand sets of free stock in T less demand inside T. Not clamped: below 0 more is promised than is there.

    The cost depends on the number of different warehouse sets, never on the number of lines. Warehouses nobody has read hold nothing.
    """
    wanted = frozenset(warehouses)
    sets = [(set_of(key), eaches) for key, eaches in demand.items() if eaches]
    if all(members <= wanted for members, _ in sets):
        return sum(free.get(w, 0) for w in wanted) - sum(eaches for _, eaches in sets)
    unions = {wanted}
    for members, _ in sets:
        unions |= {union | members for union in unions}
    return min(
        sum(free.get(w, 0) for w in union) - sum(eaches for members, eaches in sets if members <= union)
        for union in unions
    )
