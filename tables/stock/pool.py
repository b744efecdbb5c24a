"""R2: what a set of warehouses can still promise, from free stock and demand by warehouse set. Pure arithmetic on one SKU."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    promised = 0
    for key, eaches in demand.items():
        if eaches and not set_of(key) <= wanted:
            break
        promised += eaches
    else:
        return sum([free.get(w, 0) for w in wanted]) - promised
    sets = [(set_of(key), eaches) for key, eaches in demand.items() if eaches]
    unions = {wanted}
    for members, _ in sets:
        unions |= {union | members for union in unions}
    return min(
        sum(free.get(w, 0) for w in union) - sum(eaches for members, eaches in sets if members <= union)
        for union in unions
    )


@dataclass(frozen=True, slots=True)
class Region:
    """Sellers by their place in a list, all of whom can be served from nowhere but a union of warehouses, and the eaches left there for them together."""

    members: tuple[int, ...]
    left: int


def regions(free: Mapping[str, int], demand: Mapping[str, int], sellers: Sequence[frozenset[str]]) -> list[Region]:
    """Everything that limits sellers with these warehouse sets together; the smallest groups first.

    By Hall's theorem all of them can be served at once exactly when no union T of demand sets and their own sets is asked for more than is left there:
    sets that are no such union are never the tightest. Of unions with the same sellers only the tightest counts.
    """
    sets = [(set_of(key), eaches) for key, eaches in demand.items() if eaches]
    unions: set[frozenset[str]] = set()
    for members in {*sellers, *(members for members, _ in sets)}:
        unions |= {union | members for union in unions} | {members}
    found: dict[tuple[int, ...], int] = {}
    for union in unions:
        inside = tuple(i for i, members in enumerate(sellers) if members <= union)
        if inside:
            left = sum(free.get(w, 0) for w in union)
            left -= sum(eaches for members, eaches in sets if members <= union)
            found[inside] = min(left, found.get(inside, left))
    return [Region(*one) for one in sorted(found.items(), key=lambda one: (len(one[0]), one[0]))]
