"""Payments of the simulated project (fact sheet 7): transactions, and the payment provider that takes up refunds a moment after they were asked for.

A refund that a transaction asks for (`Initial`) is made or declined by the provider, as a payment connector of a real project does it.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from app.simulators.base import Journal, now_ms
from app.simulators.commercetools.documents import (
    ApiError,
    Collection,
    Doc,
    Factory,
    check_version,
    invalid_json,
    iso,
    required,
)

_TYPES = frozenset({"Authorization", "CancelAuthorization", "Charge", "Refund", "Chargeback"})
_STATES = frozenset({"Initial", "Pending", "Success", "Failure"})


class Payments:
    """All payments of the project; each belongs to one order. `declines`: the provider refuses every refund."""

    def __init__(self, rng: random.Random, factory: Factory, journal: Journal, provider_lag: float = 0.5) -> None:
        self._rng, self._factory, self._journal, self._lag = rng, factory, journal, provider_lag
        self._all = Collection(factory, "payment")
        self._orders: dict[str, str] = {}
        self._under_way = 0
        self.declines = False

    def create(self, number: str, amount: Doc, *, paid: bool) -> Doc:
        """The payment of an order, as a reference: captured, or authorised only."""
        kind = "Charge" if paid else "Authorization"
        doc = self._all.create(
            amountPlanned=dict(amount),
            paymentMethodInfo={"paymentInterface": "test-provider", "method": "CREDIT_CARD"},
            paymentStatus={},
            transactions=[self._transaction({"type": kind, "amount": dict(amount), "state": "Success"})],
            interfaceInteractions=[],
        )
        self._orders[doc["id"]] = number
        return self._all.reference(doc)

    def charge(self, reference: Mapping[str, Any]) -> None:
        """What was authorised is captured."""
        doc = self.get(reference["id"])
        amount = doc["amountPlanned"]
        doc["transactions"].append(self._transaction({"type": "Charge", "amount": dict(amount), "state": "Success"}))
        self._factory.touch(doc)

    def refund_by_hand(self, reference: Mapping[str, Any], cents: int) -> None:
        """Somebody of the shop gives money back in the Merchant Center."""
        doc = self.get(reference["id"])
        amount = {**doc["amountPlanned"], "centAmount": cents}
        doc["transactions"].append(self._transaction({"type": "Refund", "amount": amount, "state": "Success"}))
        self._factory.touch(doc)
        self._journal.note("refund by hand", order=self._orders[doc["id"]], amount=cents)

    def get(self, id: str) -> Doc:
        """By id. 404 where there is none."""
        return self._all.get(id)

    def update(self, doc: Doc, body: Doc) -> None:
        """A versioned update: `addTransaction` and `changeTransactionState`."""
        check_version(doc, body.get("version"), self._rng)
        actions = required(body, "actions", list)
        for action in actions:
            if not isinstance(action, dict):
                raise invalid_json("actions")
            match required(action, "action", str):
                case "addTransaction":
                    self._add(doc, required(action, "transaction", dict))
                case "changeTransactionState":
                    self._change(doc, required(action, "transactionId", str), required(action, "state", str))
                case name:
                    raise ApiError(400, "InvalidInput", f"The update action '{name}' is not supported.")
        self._factory.touch(doc)

    def refunds(self, order: Doc) -> list[Doc]:
        """The refunds of an order that went through or are on their way."""
        return [
            one
            for reference in (order.get("paymentInfo") or {}).get("payments", [])
            for one in self.get(reference["id"])["transactions"]
            if one["type"] == "Refund" and one["state"] != "Failure"
        ]

    def captured(self, order: Doc) -> int:
        """What was captured of an order, in cents."""
        return sum(
            one["amount"]["centAmount"]
            for reference in (order.get("paymentInfo") or {}).get("payments", [])
            for one in self.get(reference["id"])["transactions"]
            if one["type"] == "Charge" and one["state"] == "Success"
        )

    def shown(self, order: Doc, expand: list[str]) -> Doc:
        """The order as a read shows it: with its payments in it where the reader asks for them."""
        if "paymentInfo.payments[*]" not in expand or "paymentInfo" not in order:
            return order
        expanded = [{**one, "obj": self.get(one["id"])} for one in order["paymentInfo"]["payments"]]
        return {**order, "paymentInfo": {"payments": expanded}}

    @property
    def busy(self) -> bool:
        """Is the provider still working on something?"""
        return self._under_way > 0

    def _add(self, doc: Doc, draft: Doc) -> None:
        kind, state = required(draft, "type", str), draft.get("state") or "Initial"
        if kind not in _TYPES or state not in _STATES:
            raise ApiError(400, "InvalidField", f"'{kind}' in state '{state}' is no transaction.", field="transaction")
        amount = required(draft, "amount", dict)
        cents, currency = required(amount, "centAmount", int), required(amount, "currencyCode", str)
        planned = doc["amountPlanned"]
        if currency != planned["currencyCode"]:
            raise ApiError(400, "InvalidOperation", "The currency of a transaction is that of its payment.")
        made = self._transaction({**draft, "state": state, "amount": {**planned, "centAmount": cents}})
        doc["transactions"].append(made)
        if kind == "Refund":
            number = self._orders[doc["id"]]
            self._journal.note("refund", order=number, amount=cents, key=draft.get("interactionId", ""))
            if state == "Initial":
                self._under_way += 1
                asyncio.get_running_loop().call_later(self._rng.uniform(0, self._lag), self._provide, doc, made["id"])

    def _provide(self, doc: Doc, transaction_id: str) -> None:
        """The provider answers."""
        self._under_way -= 1
        self._change(doc, transaction_id, "Failure" if self.declines else "Success")
        self._factory.touch(doc)

    def _change(self, doc: Doc, transaction_id: str, state: str) -> None:
        found = next((one for one in doc["transactions"] if one["id"] == transaction_id), None)
        if found is None or state not in _STATES:
            raise ApiError(400, "InvalidOperation", f"The payment has no transaction '{transaction_id}' for {state}.")
        found["state"] = state
        self._journal.note("transaction", order=self._orders[doc["id"]], state=state)

    def _transaction(self, draft: Doc) -> Doc:
        kept = {name: draft[name] for name in ("interactionId", "interfaceId", "custom") if draft.get(name)}
        return {
            "id": self._factory.id(),
            "timestamp": draft.get("timestamp") or iso(now_ms()),
            "type": draft["type"],
            "amount": draft["amount"],
            "state": draft["state"],
            **kept,
        }
