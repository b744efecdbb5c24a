"""Bundles that are ordered as products of their own (a bill of materials, fact sheet 4.4): Clarus counts them as such, everything else as their components.

So what is read of them is told in components, at this one place of the product.
"""

from collections.abc import Callable, Iterable, Mapping

Bundles = Mapping[str, Mapping[str, int]]
"""Bundle code to component code to eaches in one."""
InForce = Callable[[], Bundles]
"""The bundles that are in force now: mappings may change at any time, so every read asks once."""


def parts_of(code: str, bundles: Bundles) -> Mapping[str, int]:
    """The product itself, or what is in the bundle."""
    return bundles.get(code) or {code: 1}


def containing(codes: Iterable[str], bundles: Bundles) -> list[str]:
    """The bundles that hold one of these products."""
    wanted = set(codes)
    return [bundle for bundle, parts in bundles.items() if wanted & parts.keys()]
