"""Start-up checks of a commercetools project: may we do what we need, is our custom type there, does the shop refuse what it does not have."""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import quote

from app.connectors.commercetools.client import Client, Doc
from app.connectors.commercetools.orders import UNGUARDED_MODES, mode_of
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.connectors.contract import Finding, Priority
from app.connectors.errors import PeerError, ReadOnly, Refused, Unauthorised

_PRIORITY = Priority.SWEEP
_READS = {"inventory": "view_products", "orders": "view_orders", "channels": "view_channels"}
_NAMED = 5
_ORDERS = 20


class Probe:
    """The checks. `create` of the type is the one thing they change."""

    def __init__(self, client: Client, settings: CommercetoolsSettings) -> None:
        self._client, self._project = client, settings.project_key
        self._type, self._field = settings.marker_type, settings.marker_field
        self._note = settings.late_change_type, settings.late_change_field

    async def run(self) -> list[Finding]:
        """All findings; later checks are left out where the project cannot be reached."""
        findings = [await self._reached()]
        if not findings[0].ok:
            return findings
        for resource, scope in _READS.items():
            findings.append(await self._guarded(f"read {resource}", partial(self._readable, resource), scope))
        findings.append(self._may_write("inventory", "manage_products"))
        findings.append(self._may_write("orders", "manage_orders", blocking=False))
        findings.append(self._may_write("payments", "manage_payments", blocking=False))
        findings.append(await self._guarded("marker type", self._marker_type, "manage_types"))
        if all(self._note):
            findings.append(
                await self._guarded("late change field", partial(self._note_field, *self._note), "view_types")
            )
        findings.append(await self._guarded("out-of-stock guard", self._guard, "view_products"))
        findings.append(await self._guarded("inventory mode", self._modes, "view_orders"))
        return findings

    async def _reached(self) -> Finding:
        try:
            await self._client.credentials.headers(_PRIORITY)
        except PeerError as error:
            remedy = "check auth_url, client_id and client_secret of the channel"
            return Finding("credentials", False, str(error), remedy)
        return Finding("credentials", True, "a token was issued")

    async def _guarded(self, check: str, look: Callable[[], Awaitable[Finding]], scope: str) -> Finding:
        try:
            return await look()
        except ReadOnly:
            return Finding(check, True, "not as needed yet; a worker puts it right when it starts")
        except Unauthorised as error:
            return Finding(check, False, str(error), f"give the API client the scope {scope}:{self._project}")
        except PeerError as error:
            return Finding(check, False, str(error), "check api_url and project_key of the channel")

    async def _readable(self, resource: str) -> Finding:
        page = await self._client.get(resource, _PRIORITY, {"limit": 1, "withTotal": "false"})
        if page is None:
            text = f"no project {self._project} at this host"
            return Finding(f"read {resource}", False, text, "check api_url and project_key of the channel")
        return Finding(f"read {resource}", True, "allowed")

    def _may_write(self, what: str, scope: str, blocking: bool = True) -> Finding:
        """By the scopes of the token: the only way to know without writing. Without those for orders and payments stock still goes out, parcels and refunds
        do not."""
        if self._client.may(scope):
            told = self._client.credentials.scope
            return Finding(f"write {what}", True, f"the token holds {scope}" if told else "scopes not told")
        remedy = f"give the API client the scope {scope}:{self._project}"
        return Finding(f"write {what}", False, f"the token does not hold {scope}", remedy, blocking)

    async def _marker_type(self) -> Finding:
        path = f"types/key={quote(self._type, safe='')}"
        kind = await self._client.get(path, _PRIORITY)
        if kind is None:
            draft = {
                "key": self._type,
                "name": {"en": "clarus-stream"},
                "resourceTypeIds": ["inventory-entry"],
                "fieldDefinitions": [self._definition()],
            }
            await self._write("types", draft)
            return Finding("marker type", True, f"the custom type {self._type} was created")
        if "inventory-entry" not in kind["resourceTypeIds"]:
            remedy = "name another key in marker_type"
            return Finding("marker type", False, f"the type {self._type} is not for inventory entries", remedy)
        field = next((d for d in kind["fieldDefinitions"] if d["name"] == self._field), None)
        if field is None:
            action = {"action": "addFieldDefinition", "fieldDefinition": self._definition()}
            await self._write(f"types/{kind['id']}", {"version": kind["version"], "actions": [action]})
            return Finding("marker type", True, f"the field {self._field} was added to the custom type {self._type}")
        if field["type"]["name"] != "String":
            remedy = "name another field in marker_field"
            return Finding("marker type", False, f"the field {self._field} is not of the type String", remedy)
        return Finding("marker type", True, f"the custom type {self._type} is there")

    def _definition(self) -> Doc:
        label = {"en": "Last write of clarus-stream"}
        return {"name": self._field, "label": label, "required": False, "type": {"name": "String"}}

    async def _write(self, path: str, body: Doc) -> None:
        response = await self._client.send("POST", path, _PRIORITY, json=body)
        try:
            self._client.read("POST", path, response)
        except Refused as error:
            # Another worker may have made it a moment ago.
            if error.status != 409 and "DuplicateField" not in error.detail:
                raise

    async def _note_field(self, key: str, name: str) -> Finding:
        """The type for orders is the merchant's: it is looked at, not made or changed."""
        kind = await self._client.get(f"types/key={quote(key, safe='')}", _PRIORITY)
        if kind is None or "order" not in kind["resourceTypeIds"]:
            remedy = "make it, or name another one in late_change_type"
            return Finding("late change field", False, f"no custom type {key} for orders", remedy, blocking=False)
        field = next((d for d in kind["fieldDefinitions"] if d["name"] == name), None)
        if field is None or field["type"]["name"] != "String":
            remedy = "add it to the type, or name another one in late_change_field"
            return Finding("late change field", False, f"the type {key} has no String {name}", remedy, blocking=False)
        return Finding("late change field", True, f"the type {key} has the field {name}", blocking=False)

    async def _modes(self) -> Finding:
        """How the newest orders were sold. Every order tells the ledger of its own listings; this is for people, before anything is sold."""
        page = await self._client.get(
            "orders", _PRIORITY, {"limit": _ORDERS, "sort": "createdAt desc", "withTotal": "false"}
        )
        orders = (page or {}).get("results", [])
        found = Counter(
            mode_of(line, order.get("inventoryMode", "None")) for order in orders for line in order.get("lineItems", [])
        )
        weak = sorted(found.keys() & UNGUARDED_MODES.keys())
        if not weak:
            return Finding("inventory mode", True, "the newest orders are ReserveOnOrder" if found else "no orders yet")
        text = "; ".join(f"{UNGUARDED_MODES[mode]} ({found[mode]} lines)" for mode in weak)
        remedy = "let carts use inventory mode ReserveOnOrder: by another one a split pool promises nothing"
        return Finding(
            "inventory mode", False, f"among the newest {len(orders)} orders: {text}", remedy, blocking=False
        )

    async def _guard(self) -> Finding:
        """An entry with `restockableInDays`, even 0, accepts orders beyond its stock (fact sheet 3.6): the shop oversells by itself."""
        entries = await self._client.query("inventory", _PRIORITY, "restockableInDays is defined", limit=500)
        if not entries:
            return Finding("out-of-stock guard", True, "no inventory entry has restockableInDays", blocking=False)
        named = ", ".join(sorted(entry["sku"] for entry in entries)[:_NAMED])
        more = f"{len(entries)}{' or more' if len(entries) == 500 else ''}"
        text = f"{more} inventory entries have restockableInDays and take orders beyond their stock: {named}"
        remedy = "remove restockableInDays from them, unless back-orders are wanted"
        return Finding("out-of-stock guard", False, text, remedy, blocking=False)
