"""Codes to Clarus' own ids: account, warehouses, products, carriers, services, customers, order types, looked up once and kept (fact sheet 3)."""

from collections.abc import Iterable, Mapping, Sequence

from app.connectors.clarus.client import PEER, ClarusClient, Listed
from app.connectors.contract import Priority
from app.connectors.errors import Refused


class Lookups:
    """Look-up caches. What Clarus does not know is not kept, so that it is found as soon as somebody creates it."""

    def __init__(self, client: ClarusClient, warehouses: Sequence[str]) -> None:
        self._client, self._names = client, tuple(warehouses)
        self._products: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._warehouses: dict[str, str] = {}
        self._carriers: dict[str, str] = {}
        self._services: dict[tuple[str, str], str] = {}
        self._customers: dict[str, str] = {}
        self._order_types: dict[str, str] = {}
        self._account: str | None = None

    async def account(self, priority: Priority) -> str:
        """Id of the configured account. `Refused` where Clarus has none of that code."""
        if self._account is None:
            code = self._client.settings.account
            found = await self._find("accounts", "AccountFilterType", [code], priority)
            if code not in found:
                raise Refused(PEER, "look-up of the account", f"Clarus has no account {code!r}; check clarus.account")
            self._account = found[code]
        return self._account

    async def warehouses(self, priority: Priority) -> Mapping[str, str]:
        """Code to id of the configured warehouses. `Refused` where Clarus does not have one of them."""
        missing = [code for code in self._names if code not in self._warehouses]
        if missing:
            self._warehouses.update(await self._find("warehouses", "WarehouseFilterType", missing, priority))
            unknown = [code for code in missing if code not in self._warehouses]
            if unknown:
                raise Refused(
                    PEER, "look-up of warehouses", f"Clarus has no warehouse {', '.join(unknown)}; check warehouses"
                )
        return {code: self._warehouses[code] for code in self._names}

    async def products(self, codes: Iterable[str], priority: Priority) -> Mapping[str, str]:
        """Code to id of the products that Clarus has; many codes in one request."""
        wanted = list(dict.fromkeys(codes))
        missing = [code for code in wanted if code not in self._products]
        size = self._client.settings.page_size
        for at in range(0, len(missing), size):
            found = await self._find("products", "ProductsFilterType", missing[at : at + size], priority)
            self._products.update(found)
            self._codes.update({product_id: code for code, product_id in found.items()})
        return {code: self._products[code] for code in wanted if code in self._products}

    def code_of(self, product_id: str) -> str | None:
        """The code of a product that was looked up before."""
        return self._codes.get(product_id)

    async def carriage(self, carrier: str, service: str, priority: Priority) -> dict[str, int]:
        """`carrier_id` and `carrier_service_id` of these codes; empty codes are left out. `Refused` where Clarus does not have them."""
        if not carrier:
            return {}
        found = await self._one(
            self._carriers, ("carriers", "CarrierFilterType", "carrier", "shipping"), carrier, priority
        )
        ids = {"carrier_id": found}
        if service:
            ids["carrier_service_id"] = int(await self._service(carrier, service, priority))
        return ids

    async def parties(self, customer: str, order_type: str, priority: Priority) -> dict[str, int]:
        """`customer_id` and `order_type_id` of these codes; empty codes are left out. `Refused` where Clarus does not have them."""
        ids = {}
        if customer:
            kind = ("customers", "CustomerFilterType", "customer", "release")
            ids["customer_id"] = await self._one(self._customers, kind, customer, priority)
        if order_type:
            kind = ("order_types", "OrderTypeFilterType", "order type", "release")
            ids["order_type_id"] = await self._one(self._order_types, kind, order_type, priority)
        return ids

    async def _one(self, known: dict[str, str], kind: tuple[str, str, str, str], code: str, priority: Priority) -> int:
        root, filter_type, name, setting = kind
        if code not in known:
            found = await self._find(root, filter_type, [code], priority)
            if code not in found:
                raise Refused(PEER, f"look-up of the {name}", f"Clarus has no {name} {code!r}; check {setting}")
            known.update(found)
        return int(known[code])

    async def _service(self, carrier: str, service: str, priority: Priority) -> str:
        if (carrier, service) not in self._services:
            where = {"carrier_code": {"eq": carrier}, "code": {"eq": service}}
            listed = Listed("carrier_services", "id code carrier { id code }", "CarrierServiceFilterType", where)
            rows = await self._client.rows(listed, priority)
            if not rows:
                detail = f"Clarus has no service {service!r} of carrier {carrier!r}; check shipping"
                raise Refused(PEER, "look-up of the carrier service", detail)
            self._services[carrier, service] = str(rows[0]["id"])
        return self._services[carrier, service]

    async def _find(self, root: str, filter_type: str, codes: Sequence[str], priority: Priority) -> dict[str, str]:
        where = {"code": {"in": list(codes)} if len(codes) > 1 else {"eq": codes[0]}}
        rows = await self._client.rows(Listed(root, "id code", filter_type, where), priority)
        return {str(row["code"]): str(row["id"]) for row in rows if row["code"] in codes}
