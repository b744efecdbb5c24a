"""What this tenant's Clarus really means: credentials, account, warehouses, automations, `available`, the quantities of a line (R1, finding 24) and bundles.

It reads only. What the tenant's present data cannot prove is said to be unproved; what contradicts the settings stops writes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.connectors.clarus.client import ClarusClient, Listed
from app.connectors.clarus.lookups import Lookups
from app.connectors.clarus.materials import CHECK, Materials
from app.connectors.clarus.quantities import eaches
from app.connectors.contract import Finding, Priority
from app.connectors.errors import PeerError

_ROWS = 10


@dataclass(frozen=True, slots=True)
class Balance:
    """One product in one warehouse: the balance's figures, and the sums of its stock records by kind of status."""

    available: int
    allocated: int
    ordered: int
    picked: int
    sellable: int
    other: int


def line_reading(row: Mapping[str, Any]) -> str | None:
    """How the quantities of one real line are to be read: `exclusive`, `cumulative`, or None where it fits both or neither.

    Cumulative quantities never rise from allocated to picked to despatched; exclusive ones never add up to more than was ordered.
    """
    allocated, picked, gone = (
        eaches(row, name) for name in ("allocated_quantity", "pick_quantity", "dispatch_quantity")
    )
    cumulative = allocated >= picked >= gone
    exclusive = allocated + picked + gone <= eaches(row, "order_quantity")
    if cumulative == exclusive:
        return None
    return "cumulative" if cumulative else "exclusive"


def available_readings(balance: Balance) -> set[str]:
    """The release points that one real balance fits; informative only where something is allocated.

    Net of allocated: available and allocated add up to the sellable records (which may or may not hold what is picked), or allocated stock stands in
    records of another status. Not net: available is what the sellable records hold. Net from creation on: ordered is taken off too.
    """
    fits = set()
    sellable = {balance.sellable, balance.sellable - balance.picked}
    if balance.available + balance.allocated in sellable or (
        balance.available == balance.sellable and 0 < balance.allocated <= balance.other
    ):
        fits.add("allocated")
    if balance.available == balance.sellable and balance.other < balance.allocated:
        fits.add("despatched")
    if (
        balance.ordered
        and {
            balance.available + balance.ordered,
            balance.available + balance.allocated + balance.ordered,
        }
        & sellable
    ):
        fits.add("created")
    return fits


class Probe:
    """The start-up checks."""

    def __init__(self, client: ClarusClient, lookups: Lookups, materials: Materials) -> None:
        self._client, self._lookups, self._materials = client, lookups, materials

    async def run(self, priority: Priority) -> list[Finding]:
        """All checks; those that need the account only where it was found. Raises nothing of the error tree."""
        findings = []
        for check, look in (("account", self._account), ("warehouses", self._warehouses)):
            findings.append(await self._guarded(check, look, priority))
        if all(finding.ok for finding in findings):
            for check, look in (
                ("line quantities", self._quantities),
                ("meaning of available", self._available),
                ("automations", self._automations),
            ):
                findings.append(await self._guarded(check, look, priority))
            if self._materials.wanted:
                findings.append(await self._guarded(CHECK, self._materials.check, priority))
        return findings

    @staticmethod
    async def _guarded(check: str, look: Any, priority: Priority) -> Finding:
        try:
            found: Finding = await look(priority)
        except PeerError as error:
            return Finding(check, False, str(error), "check the clarus settings and whether Clarus can be reached")
        return found

    async def _account(self, priority: Priority) -> Finding:
        account = await self._lookups.account(priority)
        return Finding("account", True, f"account {self._client.settings.account} has id {account}")

    async def _warehouses(self, priority: Priority) -> Finding:
        found = await self._lookups.warehouses(priority)
        return Finding("warehouses", True, ", ".join(f"{code} has id {number}" for code, number in found.items()))

    async def _quantities(self, priority: Priority) -> Finding:
        check, given = "line quantities", self._client.settings.line_quantities
        node = "order_quantity allocated_quantity pick_quantity dispatch_quantity"
        account = {"account_id": {"eq": await self._lookups.account(priority)}}
        seen: Counter[str] = Counter()
        filters: list[dict[str, dict[str, Any]]] = [
            {**account, "pick_quantity": {"gt": 0}},
            {**account, "goods_out_status_code": {"in": ["PICK", "COMPLETED"]}},
        ]
        for where in filters:
            rows = await self._client.sample(Listed("goods_out_lines", node, "GoodsOutLineFilterType", where), priority)
            seen.update(reading for row in rows if (reading := line_reading(row)) is not None)
        if not seen:
            return Finding(check, True, f"no line can prove it yet; read as {given}", blocking=False)
        told = ", ".join(f"{count} lines are {reading}" for reading, count in seen.items())
        if set(seen) == {given}:
            return Finding(check, True, told)
        best = seen.most_common(1)[0][0]
        return Finding(check, False, f"{told}, the setting is {given}", f"set clarus.line_quantities to {best}")

    async def _available(self, priority: Priority) -> Finding:
        check, given = "meaning of available", self._client.settings.release_point
        fits: Counter[str] = Counter()
        odd = 0
        for balance in await self._balances(priority):
            readings = available_readings(balance)
            odd += not readings
            if len(readings) == 1:
                fits.update(readings)
        told = ", ".join(f"{count} balances drop when {reading}" for reading, count in fits.items())
        if not fits and not odd:
            return Finding(check, True, f"nothing is allocated that could prove it; read as {given}", blocking=False)
        if set(fits) == {given}:
            return Finding(check, True, told)
        if not fits:
            remedy = "check clarus.sellable_statuses and which stock of the account is not pickable"
            return Finding(check, False, f"{odd} balances fit no reading of their stock records", remedy)
        best = fits.most_common(1)[0][0]
        return Finding(check, False, f"{told}, the setting is {given}", f"set clarus.release_point to {best}")

    async def _balances(self, priority: Priority) -> list[Balance]:
        """Balances with something allocated, each beside its stock records; those that moved in between are left out."""
        account = await self._lookups.account(priority)
        warehouses = await self._lookups.warehouses(priority)
        node = "available allocated ordered picked product { id } warehouse { id }"
        where: dict[str, Any] = {
            "account_id": {"eq": account},
            "warehouse_id": {"in": list(warehouses.values())},
            "allocated": {"gt": 0},
        }
        listed = Listed("stock_balances", node, "StockBalancesFilterType", where)
        found = []
        for row in (await self._client.sample(listed, priority))[:_ROWS]:
            one = {
                "account_id": {"eq": account},
                "product_id": {"eq": str(row["product"]["id"])},
                "warehouse_id": {"eq": str(row["warehouse"]["id"])},
            }
            stocks = await self._client.rows(Listed("stocks", "quantity status", "StockFilterType", one), priority)
            again = await self._client.rows(Listed("stock_balances", node, "StockBalancesFilterType", one), priority)
            if again == [row]:
                found.append(self._beside(row, stocks))
        return found

    def _beside(self, row: Mapping[str, Any], stocks: list[Mapping[str, Any]]) -> Balance:
        settings = self._client.settings
        sellable = sum(eaches(s, "quantity") for s in stocks if s.get("status") in settings.sellable_statuses)
        held = sum(eaches(s, "quantity") for s in stocks if s.get("status") in settings.held_statuses)
        return Balance(
            available=eaches(row, "available"),
            allocated=eaches(row, "allocated"),
            ordered=eaches(row, "ordered"),
            picked=eaches(row, "picked"),
            sellable=sellable,
            other=sum(eaches(s, "quantity") for s in stocks) - sellable - held,
        )

    async def _automations(self, priority: Priority) -> Finding:
        check, wanted = "automations", self._client.settings.automations
        if not wanted:
            remedy = "create automations with a webhook and name them in clarus.automations"
            return Finding(check, False, "none configured: changes are seen by polling only", remedy, blocking=False)
        listed = Listed(
            "automations", "id resource_name event enabled", "AutomationFilterType", {"enabled": {"eq": True}}
        )
        found = {
            str(row["id"]): f"{row['resource_name']}.{row['event']}"
            for row in await self._client.rows(listed, priority)
        }
        wrong = [f"{number} ({event})" for number, event in wanted.items() if found.get(number) != event]
        if wrong:
            remedy = "enable them in Clarus or correct clarus.automations"
            return Finding(check, False, f"not enabled for that event: {', '.join(wrong)}", remedy, blocking=False)
        return Finding(check, True, f"{len(wanted)} enabled")
