"""Bills of materials as Clarus shows them (fact sheet 4.4), beside the bundles of the mappings in force. It reads and compares; who is right is for people."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from app.connectors.clarus.bundles import Bundles, InForce
from app.connectors.clarus.client import PEER, ClarusClient, Listed
from app.connectors.contract import Finding, Priority
from app.connectors.errors import Malformed, Refused

CHECK: Final = "bills of materials"
_MOST: Final = 500
"""Bundles that are compared: a start check stays small."""
_NAMED: Final = 5

Bill = Mapping[str, Decimal]
"""Component code to how many are in one."""


class Materials:
    """The check. `needed`: bundles are ordered as products of their own, so each must be a bill of materials there."""

    def __init__(self, client: ClarusClient, bundles: InForce, *, needed: bool) -> None:
        self._client, self._bundles, self._needed = client, bundles, needed

    @property
    def wanted(self) -> bool:
        """Is there anything to compare?"""
        return bool(self._bundles())

    async def check(self, priority: Priority) -> Finding:
        """One finding. A Clarus that does not show its bills of materials to us proves nothing, and that is said."""
        bundles = self._bundles()
        codes = sorted(bundles)
        compared = codes[:_MOST]
        try:
            shown = await self._read(compared, priority)
        except Refused as error:
            text = f"Clarus does not show them to this client, so the bundles were not compared: {error.detail}"
            return Finding(CHECK, True, text, blocking=False)
        wrong = list(deviations({code: bundles[code] for code in compared}, shown, needed=self._needed))
        left = f"; {len(codes) - len(compared)} more bundles were not compared" if len(codes) > len(compared) else ""
        if wrong:
            more = f"; {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
            remedy = "make both the same: `products[].bundle` or the imported mapping here, or the bill of materials in Clarus"
            return Finding(CHECK, False, f"{'; '.join(wrong[:_NAMED])}{more}{left}", remedy, blocking=False)
        same = sum(code in shown for code in compared)
        rest = f", {len(compared) - same} are none in Clarus and need not be" if same < len(compared) else ""
        return Finding(
            CHECK, True, f"{same} of {len(compared)} bundles are the same in Clarus{rest}{left}", blocking=False
        )

    async def _read(self, codes: Sequence[str], priority: Priority) -> dict[str, dict[str, Decimal]]:
        found: dict[str, dict[str, Decimal]] = {}
        size = self._client.settings.page_size
        for at in range(0, len(codes), size):
            where = {"parent_product_code": {"in": list(codes[at : at + size])}}
            node = "quantity parent_product { code } child_product { code }"
            listed = Listed("product_materials", node, "ProductMaterialFilterType", where)
            for row in await self._client.rows(listed, priority):
                try:
                    parent, child = str(row["parent_product"]["code"]), str(row["child_product"]["code"])
                    quantity = Decimal(str(row["quantity"]))
                except (KeyError, TypeError, InvalidOperation) as error:
                    raise Malformed(PEER, "product_materials", f"not as documented: {error!r}") from error
                bill = found.setdefault(parent, {})
                bill[child] = bill.get(child, Decimal()) + quantity
        return found


def deviations(bundles: Bundles, shown: Mapping[str, Bill], *, needed: bool) -> Iterator[str]:
    """What differs, in words. A bundle that is no bill of materials there is wrong only where it is `needed`. Pure."""
    for code, parts in bundles.items():
        bill = shown.get(code)
        if bill is None:
            if needed:
                yield f"{code} is no bill of materials in Clarus"
        elif bill != (ours := {part: Decimal(n) for part, n in parts.items()}):
            yield f"{code} is {_words(ours)} here and {_words(bill)} in Clarus"


def _words(bill: Bill) -> str:
    return " + ".join(f"{float(n):g} × {code}" for code, n in sorted(bill.items()))
