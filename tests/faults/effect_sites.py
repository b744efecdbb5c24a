"""Every place where the product has an effect at a peer or in Kafka: how it is brought there, which request it is, and how often its effect happened.

One entry of `SITES` each. It kills nobody; a site's cases are prepared before the first kill and are independent of each other: a product of its own each.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from app.drill.peers import Peers
from app.simulators.base import now_ms
from app.simulators.contract import NewLine, NewOrder, StorefrontOrder
from schemas.records import OperatorCommand
from tables.deliveries.notes import MARK
from tables.deliveries.release_row import ReleaseRow
from tables.orders.references import reference_of
from tests.faults.effect_trap import Call, Moment

OPENING = 100
TableName = Literal["releases", "listings", "shipments", "receipts", "refunds", "notes"]
ProcessPicks = Literal["adapter", "warehouse"]


@dataclass(slots=True)
class Case:
    """One kill: the site, the moment, the disk that the next worker finds, and the product and order that nobody else uses."""

    number: int
    site: "Site"
    moment: Moment
    disk: Literal["keep", "fresh"]
    order: StorefrontOrder | None = None
    quantity: int = 0
    """What the listing showed before."""
    wanted: int = 0
    """By how much it shall change."""
    sent_back: int = 0
    """Units of its order that the customer sent back."""
    missed: str = ""
    """Why it could not be killed there; empty: it was."""

    @property
    def sku(self) -> str:
        """Its product."""
        return f"K-{self.number:04}"

    @property
    def key(self) -> str:
        """Its order's key."""
        assert self.order is not None
        return f"{self.site.channel}:{self.order.order_id}"

    @property
    def reference(self) -> str:
        """Its order's name at the warehouse."""
        assert self.order is not None
        return reference_of(self.site.channel, self.order.order_id)

    def __str__(self) -> str:
        return f"{self.site.name}, {self.moment}, disk {self.disk} ({self.sku})"


Step = Callable[[Peers, Case], Any]
"""Does something at the peers; may be a coroutine function. An operator's command that it returns is sent."""
Ready = Callable[[Peers, Case], bool]


async def _nothing(peers: Peers, case: Case) -> None:
    return


def _always(peers: Peers, case: Case) -> bool:
    return True


def _with_intent(row: Any) -> bool:
    return row.intent is not None


@dataclass(frozen=True, slots=True)
class Site:
    """`stages`: what is done, and what must be true before the next; `act` then leads to the effect. `count`: how often it happened; 1 is right."""

    name: str
    channel: str
    """The storefront it concerns."""
    peer: str
    """Who gets the request; empty: Kafka."""
    act: Step
    hits: Callable[[Peers, Case, Call], bool]
    count: Callable[[Peers, Case], float]
    table: TableName
    row: Callable[[Peers, Case], str]
    """Key of the row with its intent; the keys of a storefront's parcels and refunds begin with it."""
    stages: tuple[tuple[Step, Ready], ...] = field(default=())
    row_ends: bool = False
    """The row is deleted with the answer, there is no intent of its own."""
    owes: Callable[[Any], bool] = _with_intent
    """Does the row say that the request leaves, and that its answer is not committed yet?"""
    process_picks: ProcessPicks = "warehouse"
    """`clarus.process_picks`. With `adapter` no order waits for its allocation, so that nothing can be changed, deleted or allocated by hand."""


# ---- orders at the warehouse ----------------------------------------------------------------------------------------------------------------


async def _order(peers: Peers, case: Case, units: int = 1) -> None:
    case.order = await peers.storefronts[case.site.channel].place(NewOrder("", [NewLine(case.sku, units)]))


async def _two(peers: Peers, case: Case) -> None:
    await _order(peers, case, 2)


def _is_released(peers: Peers, case: Case) -> bool:
    return peers.clarus.book.with_upstream(case.key) is not None  # type: ignore[attr-defined]


def _entries(peers: Peers, case: Case, *what: str) -> int:
    return sum(e["what"] in what and e.get("order") == case.key for e in peers.clarus.journal.entries)


async def _more(peers: Peers, case: Case) -> None:
    """The customer wants two more."""
    assert case.order is not None
    await peers.storefronts[case.site.channel].edit(case.order.number, [NewLine(case.sku, 3)], None)


def _is_change(peers: Peers, case: Case, call: Call) -> bool:
    found = peers.clarus.book.with_upstream(case.key)  # type: ignore[attr-defined]
    return call.method == "PATCH" and found is not None and call.path.endswith(f"/goods_outs/{found.id}")


def _twos(peers: Peers, case: Case) -> float:
    """How often two more were added, over all of the order's goods outs."""
    orders = [one for one in peers.clarus.orders() if one.upstream == case.key and one.status != "DELETED"]
    return (sum(line["qty"] for one in orders for line in one.lines) - 1) / 2


async def _cancel(peers: Peers, case: Case) -> None:
    assert case.order is not None
    await peers.storefronts[case.site.channel].cancel(case.order.number)


def _is_create(peers: Peers, case: Case, call: Call) -> bool:
    if case.order is None or not call.path.endswith("/goods_outs"):
        return False
    return call.method == "POST" and case.key.encode() in call.body


def _is_cancel(peers: Peers, case: Case, call: Call) -> bool:
    found = peers.clarus.book.with_upstream(case.key)  # type: ignore[attr-defined]
    return found is not None and call.path.endswith(f"/goods_outs/{found.id}/cancel")


def _twin(peers: Peers, case: Case) -> None:
    """The order is at the warehouse twice: a create that was given up has landed after all."""
    book = peers.clarus.book  # type: ignore[attr-defined]
    one = book.with_upstream(case.key)
    lines = [(line.product, line.ordered, dict(line.attributes)) for line in one.lines]
    book.create(one.account, one.warehouse, one.carrier, one.service, dict(one.attributes), dict(one.address), lines)


def _is_twin_cancel(peers: Peers, case: Case, call: Call) -> bool:
    if case.order is None:
        return False
    there = [one for one in peers.clarus.book.orders.values() if one.upstream == case.key]  # type: ignore[attr-defined]
    return len(there) == 2 and call.path.endswith(f"/goods_outs/{there[1].id}/cancel")


def _owes_twin(row: ReleaseRow) -> bool:
    return bool(row.twin)


def _is_picks(peers: Peers, case: Case, call: Call) -> bool:
    if case.order is None or not call.path.endswith("/process_picks_async"):
        return False
    found = peers.clarus.book.with_upstream(case.key)  # type: ignore[attr-defined]
    return found is not None and found.id in json.loads(call.body)["ids"]


def _owes_picks(row: ReleaseRow) -> bool:
    return row.picks_at is not None and row.picks_at <= now_ms()


# ---- stock at the storefronts ---------------------------------------------------------------------------------------------------------------


def _moved(by: int) -> Step:
    def act(peers: Peers, case: Case) -> None:
        case.quantity, case.wanted = peers.storefronts[case.site.channel].quantity(case.sku), by
        if by < 0:
            peers.clarus.adjust(case.sku, "MAIN", by)
        else:
            peers.clarus.receive(case.sku, "MAIN", by)

    return act


def _times(peers: Peers, case: Case) -> float:
    return (peers.storefronts[case.site.channel].quantity(case.sku) - case.quantity) / case.wanted


def _is_stock(peers: Peers, case: Case, call: Call) -> bool:
    shop: Any = peers.storefronts[case.site.channel]
    if case.site.channel == "ct":
        entry = shop.inventory.find(case.sku)
        return call.method == "POST" and call.path.endswith(f"/inventory/{entry.doc['id']}")
    if "/inventory/adjustments/" not in call.path:
        return False
    item = shop.inventory.items[case.sku]
    rows = json.loads(call.body)["items"]
    return any(row.get("variant_id") == item.variant_id or row.get("product_id") == item.product_id for row in rows)


def _listing(peers: Peers, case: Case) -> str:
    return f"{case.site.channel}//{case.sku}"


# ---- shipments at the storefronts -----------------------------------------------------------------------------------------------------------


def _allocate(peers: Peers, case: Case) -> None:
    peers.clarus.allocate(case.key)


def _parcel(number: int, units: int = 1) -> Step:
    def act(peers: Peers, case: Case) -> None:
        lines = [{"sku": case.sku, "qty": units}]
        peers.clarus.despatch(case.key, [{"tracking": f"{case.sku}-{number}", "lines": lines}])

    return act


def _relabel(peers: Peers, case: Case) -> None:
    """The second parcel leaves, and the packages are read again: the first one's number was wrong."""
    peers.clarus.relabel(case.key, f"{case.sku}-1", f"{case.sku}-1b")  # type: ignore[attr-defined]
    _parcel(2)(peers, case)


def _take_back(peers: Peers, case: Case) -> None:
    peers.clarus.undespatch(case.key)


def _tracking(peers: Peers, case: Case) -> list[str]:
    assert case.order is not None
    shop = peers.storefronts[case.site.channel]
    return [str(shipment["tracking"]) for shipment in shop.orders()[case.order.number].shipments]


def _is_shipped(peers: Peers, case: Case) -> bool:
    return _tracking(peers, case) == [f"{case.sku}-1"]


def _shipped(number: str) -> Callable[[Peers, Case], float]:
    return lambda peers, case: _tracking(peers, case).count(f"{case.sku}-{number}")


def _gone(peers: Peers, case: Case) -> float:
    return not _tracking(peers, case)


def _reopened(peers: Peers, case: Case) -> float:
    """The order itself says that nothing of it was sent."""
    assert case.order is not None
    shop: Any = peers.storefronts[case.site.channel]
    if case.site.channel == "bc":
        return shop._orders.get(case.order.number).status_id not in (2, 3, 10)
    return shop._orders.get(case.order.order_id).get("shipmentState") == "Pending"


def _is_update(*actions: str) -> Callable[[Peers, Case, Call], bool]:
    """commercetools: the update of the order whose first action is one of these."""

    def hits(peers: Peers, case: Case, call: Call) -> bool:
        assert case.order is not None
        if call.method != "POST" or not call.path.endswith(f"/orders/{case.order.order_id}"):
            return False
        return json.loads(call.body)["actions"][0]["action"] in actions

    return hits


def _is_shipment(method: str) -> Callable[[Peers, Case, Call], bool]:
    """BigCommerce: POST, PUT or DELETE of a shipment of the order."""
    return lambda peers, case, call: call.method == method and f"/orders/{case.order.order_id}/ship" in call.path  # type: ignore[union-attr]


def _is_put(peers: Peers, case: Case, call: Call) -> bool:
    assert case.order is not None
    return call.method == "PUT" and call.path.endswith(f"/orders/{case.order.order_id}")


def _of_order(peers: Peers, case: Case) -> str:
    assert case.order is not None
    return f"{case.site.channel}/{case.order.order_id}/"


# ---- notes for the shop's people ------------------------------------------------------------------------------------------------------------

_THEIRS = "Ring twice."


async def _order_with_note(peers: Peers, case: Case) -> None:
    """Somebody of the shop wrote something there, too."""
    await _order(peers, case)
    assert case.order is not None
    shop: Any = peers.storefronts[case.site.channel]
    shop._orders.get(case.order.number).staff_notes = _THEIRS


def _is_note(peers: Peers, case: Case, call: Call) -> bool:
    if case.site.channel == "bc":
        return _is_put(peers, case, call) and b"staff_notes" in call.body
    return _is_update("setCustomType", "setCustomField")(peers, case, call)


def _noted(peers: Peers, case: Case) -> float:
    """How many writes of it had an effect; none counts where the order does not say it once, after what others wrote there."""
    assert case.order is not None
    shop: Any = peers.storefronts[case.site.channel]
    *theirs, ours = shop.orders()[case.order.number].staff_note.splitlines() or [""]
    if not ours.startswith(MARK) or theirs != ([_THEIRS] if case.site.channel == "bc" else []):
        return 0
    return sum(_is_note(peers, case, call) for call in shop.app.sent)


# ---- returns --------------------------------------------------------------------------------------------------------------------------------


async def _send_back(peers: Peers, case: Case) -> OperatorCommand | None:
    """At the storefront; where it has no returns, by the product's own command."""
    assert case.order is not None
    shop, case.sent_back = peers.storefronts[case.site.channel], 1
    if await shop.send_back(case.order.number, [NewLine(case.sku, 1)]):
        return None
    return OperatorCommand(
        action="authorise_return",
        target=case.key,
        actor="test",
        reason="a test",
        holder=f"R-{case.number}",
        lines={case.sku: 1},
    )


def _receipts(peers: Peers, case: Case) -> list[str]:
    return [one.reference for one in peers.clarus.returns() if one.upstream == case.key]


def _is_receipt(peers: Peers, case: Case, call: Call) -> bool:
    return call.method == "POST" and call.path.endswith("/goods_in_receipts") and case.key.encode() in call.body


def _arrive(peers: Peers, case: Case) -> None:
    peers.clarus.receive_return(case.key, [])


def _inspect(peers: Peers, case: Case) -> None:
    peers.clarus.inspect(case.key, [])


def _is_refund(peers: Peers, case: Case, call: Call) -> bool:
    assert case.order is not None
    if call.method != "POST":
        return False
    if case.site.channel == "bc":
        return call.path.endswith(f"/orders/{case.order.order_id}/payment_actions/refunds")
    shop: Any = peers.storefronts["ct"]
    payments = shop._orders.get(case.order.order_id)["paymentInfo"]["payments"]
    return any(call.path.endswith(f"/payments/{payment['id']}") for payment in payments)


def _refunds(peers: Peers, case: Case) -> float:
    assert case.order is not None
    return len(peers.storefronts[case.site.channel].orders()[case.order.number].refunds)


def _receipt(peers: Peers, case: Case) -> str:
    return next(iter(_receipts(peers, case)), "none")


def _announced(peers: Peers, case: Case) -> bool:
    return bool(_receipts(peers, case))


def _reference(peers: Peers, case: Case) -> str:
    return case.reference


_RELEASED = ((_order, _is_released),)
_ALLOCATED = ((_order, _is_released), (_allocate, _always))
_PART = ((_two, _is_released), (_allocate, _always), (_parcel(1), _is_shipped))
_SENT = ((_order, _is_released), (_allocate, _always), (_parcel(1), _is_shipped))
_ALLOCATED_WITH_NOTE = ((_order_with_note, _is_released), (_allocate, _always))


def _shipments(channel: str, what: str, act: Step, hits: Any, count: Any, stages: Any, row_ends: bool = False) -> Site:
    return Site(f"{what}, {channel}", channel, channel, act, hits, count, "shipments", _of_order, stages, row_ends)


def _refund(channel: str) -> Site:
    stages = (*_SENT, (_send_back, _announced), (_arrive, _always))
    return Site(f"refund, {channel}", channel, channel, _inspect, _is_refund, _refunds, "refunds", _of_order, stages)


def _note(channel: str, act: Step, stages: Any) -> Site:
    def row(peers: Peers, case: Case) -> str:
        return _of_order(peers, case).removesuffix("/")

    return Site(f"note, {channel}", channel, channel, act, _is_note, _noted, "notes", row, stages)


def _stock(channel: str, what: str, by: int) -> Site:
    return Site(f"{what}, {channel}", channel, channel, _moved(by), _is_stock, _times, "listings", _listing)


def _goods_out(what: str, act: Step, hits: Any, count: Any, stages: Any = ()) -> Site:
    return Site(what, "ct", "clarus", act, hits, count, "releases", _reference, stages)


SITES: tuple[Site, ...] = (
    _goods_out("goods out created", _order, _is_create, lambda p, c: _entries(p, c, "order created")),
    _goods_out(
        "goods out cancelled",
        _cancel,
        _is_cancel,
        lambda p, c: _entries(p, c, "order cancelled", "order deleted"),
        _RELEASED,
    ),
    Site(
        "twin cancelled",
        "ct",
        "clarus",
        _twin,
        _is_twin_cancel,
        lambda p, c: _entries(p, c, "order cancelled", "order deleted"),
        "releases",
        _reference,
        _RELEASED,
        owes=_owes_twin,
    ),
    Site("goods out changed", "bc", "clarus", _more, _is_change, _twos, "releases", _reference, _RELEASED),
    Site(
        "picks processed",
        "ct",
        "clarus",
        _order,
        _is_picks,
        lambda p, c: _entries(p, c, "allocated"),
        "releases",
        _reference,
        owes=_owes_picks,
        process_picks="adapter",
    ),
    _stock("ct", "stock lowered", -5),
    _stock("ct", "stock raised", 7),
    _stock("bc", "stock lowered", -5),
    _stock("bc", "stock raised", 7),
    _stock("bc", "stock set to 0", -OPENING),
    _shipments("ct", "shipment created", _parcel(1), _is_update("addDelivery"), _shipped("1"), _ALLOCATED),
    _shipments("bc", "shipment created", _parcel(1), _is_shipment("POST"), _shipped("1"), _ALLOCATED),
    _shipments("ct", "tracking amended", _relabel, _is_update("setParcelTrackingData"), _shipped("1b"), _PART),
    _shipments("bc", "tracking amended", _relabel, _is_shipment("PUT"), _shipped("1b"), _PART),
    _shipments("ct", "shipment removed", _take_back, _is_update("removeDelivery"), _gone, _SENT),
    _shipments("bc", "shipment removed", _take_back, _is_shipment("DELETE"), _gone, _SENT),
    _shipments("ct", "order reopened", _take_back, _is_update("changeShipmentState"), _reopened, _SENT, True),
    _shipments("bc", "order reopened", _take_back, _is_put, _reopened, _SENT, True),
    Site(
        "goods-in receipt created",
        "ct",
        "clarus",
        _send_back,
        _is_receipt,
        lambda p, c: len(_receipts(p, c)),
        "receipts",
        _receipt,
        _SENT,
    ),
    _refund("ct"),
    _refund("bc"),
    _note("ct", _cancel, _SENT),
    _note("bc", _more, _ALLOCATED_WITH_NOTE),
    Site(
        "release command, Kafka",
        "ct",
        "",
        _order,
        _is_create,
        lambda p, c: _entries(p, c, "order created"),
        "releases",
        _reference,
    ),
)


def named(name: str) -> Site:
    """The site of that name."""
    return next(site for site in SITES if site.name == name)
