"""What a replay found, partition by partition and altogether. Only the first findings are kept, all are counted."""

from typing import Any, Final, Literal

import msgspec

from tables.replay.compare import Difference
from tables.replay.figures import Deviation

SHOWN: Final = 200
Base = Literal["beginning", "kept", "adopted", "gone"]


class Changed(msgspec.Struct, frozen=True):
    """What-if: one listing's figures now and under the other configuration; -1: none yet."""

    sku: str
    listing: str
    available: int
    available_then: int
    inc: int
    inc_then: int
    dec: int
    dec_then: int


class PartitionReport(msgspec.Struct):
    """One partition. `base`: folding began at the topic's first record, or at a kept base; or nothing was folded, because the first records are gone and
    the workers' rows were adopted as a base, or none is kept.

    `begins`, `ends`: offsets folded. `compared` rows are `equal` (of which in `numbering` only counters of what was sent differ) or not; `moved`
    ones changed while they were read. `judged` figures were sent in the range, `deviating` of them are not what the rules give.
    """

    partition: int
    base: Base = "beginning"
    first: int = 0
    begins: int = 0
    ends: int = 0
    records: int = 0
    unreadable: int = 0
    compared: int = 0
    equal: int = 0
    numbering: int = 0
    moved: int = 0
    different_rows: int = 0
    judged: int = 0
    deviating: int = 0
    differences: list[Difference] = []
    deviations: list[Deviation] = []
    changed: list[Changed] = []
    changes: int = 0
    notes: list[str] = []


class Report(msgspec.Struct):
    """All partitions. `row`: the SKU's row at the end of the range, where one SKU was asked for."""

    sku: str
    partitions: list[PartitionReport]
    compared_with_live: bool
    what_if: bool = False
    row: Any = None

    @property
    def ok(self) -> bool:
        """Nothing differs, and what was asked for could be done."""
        wrong = any(one.different_rows or one.deviating for one in self.partitions)
        return not wrong and (self.what_if or all(one.base != "gone" for one in self.partitions))

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"ok": self.ok, **msgspec.to_builtins(self)}


def named(value: Any) -> Any:
    """A row with the names of its fields, as plain values."""
    if isinstance(value, msgspec.Struct):
        return {name: named(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): named(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [named(inner) for inner in value]
    return value
