"""SKU rules: which spellings of a SKU are the same one (case, leading zeros, characters that say nothing). Pure."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Spelling:
    """What does not count in a channel's SKUs. `ignore`: characters that are left out."""

    ignore_case: bool = False
    ignore_zeros: bool = False
    ignore: str = ""
    _table: dict[int, None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_table", dict.fromkeys(map(ord, self.ignore)))

    def plain(self, sku: str) -> str:
        """What is left of the SKU: two spellings of one SKU leave the same."""
        left = sku.strip().translate(self._table)
        if self.ignore_case:
            left = left.casefold()
        if self.ignore_zeros:
            left = left.lstrip("0") or "0"
        return left
