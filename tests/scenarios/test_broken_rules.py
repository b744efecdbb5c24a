"""Every check goes red when the rule it guards is taken out: whole drills with a worker that lacks one rule, and exactly the expected checks fail."""

import asyncio
import sys
from pathlib import Path

import pytest
import yaml

from app import broker
from app.broker import BundledBroker
from app.drill.display import Quiet
from app.drill.file import DrillFile
from app.drill.read import parse_drill
from app.drill.report import Outcome
from app.drill.run import DrillRun
from app.drill.simulators import RealPeers
from app.simulators.base import Asgi, Message, Receive, Scope, Send
from app.simulators.bigcommerce.simulator import BigCommerceSimulator
from app.simulators.contract import StorefrontSimulator

WORKER = Path(__file__).parent / "broken_worker.py"
BASE = """
name: a rule is missing
settle: 40s
channels:
  ct: {system: commercetools, order_lag: [0.1s, 0.3s], rate: 100/s}
  bc: {system: bigcommerce, plan: pro, order_lag: [0.1s, 0.3s]}
warehouses: [MAIN]
products:
  - {sku: A, channels: {ct: A, bc: A}, stock: {MAIN: 20}}
policies:
  - {mode: shared}
floor: manual
steps: []
"""
SOLD_AT_CT = [{"at": "1s", "order": {"channel": "ct", "id": "1", "lines": [{"sku": "A", "qty": 2}]}}]
SALE = [{"at": "0.5s", "load": {"orders_per_second": 15, "for": "4s", "skus": ["A"], "channels": ["ct"]}}]
LOST_ANSWERS = [
    {"at": "1s", "fault": {"peer": "clarus", "kind": "timeout", "after_effect": True, "for": "4s"}},
    *SOLD_AT_CT,
]
PARCELS = {"parcels": [{"tracking": "T1", "lines": [{"sku": "A", "qty": 1}]}]}
SHIPPED = [
    step
    for n in range(1, 4)
    for step in (
        {"at": "0.5s", "order": {"channel": "bc", "id": n, "lines": [{"sku": "A", "qty": 3}]}},
        {"at": "1s", "wms": {"allocate": {"order": str(n)}}},
        {"at": "3.5s", "wms": {"despatch": {"order": str(n), **PARCELS}}},
    )
]
COMES_BACK = [
    {"at": "0.5s", "order": {"channel": "ct", "id": "1", "lines": [{"sku": "A", "qty": 2}]}},
    {"at": "5s", "return": {"channel": "ct", "id": "1", "lines": [{"sku": "A", "qty": 2}]}},
    {"at": "6s", "wms": {"receive_return": {"order": "ct:1"}}},
]
REFUNDED = [
    step
    for n in range(1, 4)
    for step in (
        {"at": "0.5s", "order": {"channel": "bc", "id": n, "lines": [{"sku": "A", "qty": 3}]}},
        {"at": "3s", "return": {"channel": "bc", "id": n, "lines": [{"sku": "A", "qty": 1}]}},
        {"at": "4s", "wms": {"receive_return": {"order": str(n)}}},
        {"at": "5s", "wms": {"inspect": {"order": str(n)}}},
    )
]
BY_HAND = [
    *COMES_BACK,
    {"at": "6.5s", "channel": {"refund": {"channel": "ct", "id": "1", "lines": [{"sku": "A", "qty": 1}]}}},
    {"at": "8s", "wms": {"inspect": {"order": "ct:1"}}},
]
QUICK = {"allocate": "0.1s", "pick": "0.1s", "despatch": "0.2s"}
RECEIPT = [{"at": "1s", "wms": {"receive": {"sku": "A", "warehouse": "MAIN", "qty": 5}}}]
TIGHT = {"bc": {"system": "bigcommerce", "plan": "pro", "order_lag": ["0.1s", "0.3s"], "rate": "6/s"}}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not broker.available(), reason="the bundled broker has no program for this platform"),
]


class LosesAnswers(RealPeers):
    """BigCommerce does what the first two POST requests to such paths ask for, and answers nothing."""

    def __init__(self, paths: str) -> None:
        self._paths, self._left = paths, 2

    def storefront(self, name: str, file: DrillFile) -> StorefrontSimulator:
        """A channel of the file."""
        peer = super().storefront(name, file)
        if isinstance(peer, BigCommerceSimulator):
            peer.app = self._losing(peer.app)
        return peer

    def _losing(self, app: Asgi) -> Asgi:
        async def losing(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] != "POST" or not scope["path"].endswith(self._paths) or not self._left:
                return await app(scope, receive, send)
            self._left -= 1
            await app(scope, receive, _nowhere)
            while (await receive())["type"] != "http.disconnect":
                pass

        return losing


async def _nowhere(message: Message) -> None:
    """A lost answer."""


async def red(rule: str, peers: RealPeers | None = None, **parts: object) -> set[str]:
    """The checks that fail in a drill whose worker lacks the rule."""
    data = {**yaml.safe_load(BASE), **parts}
    drill = parse_drill(yaml.safe_dump(data), "broken.yaml")
    command = (sys.executable, str(WORKER), rule)
    run = DrillRun(drill.file, drill.raw, peers or RealPeers(), BundledBroker(), Quiet(), foreign=False, worker=command)
    async with asyncio.timeout(150):
        outcome: Outcome = await run.run()
    assert outcome.failures == [], outcome.failures
    assert outcome.settled, outcome.waiting_for
    assert outcome.status == 1
    return {name for name, check in outcome.checks.items() if not check.ok}


async def test_two_orders_where_nobody_looks_before_sending_again() -> None:
    """Both goods outs take stock, so the listings show less than one order would leave."""
    found = await red("nobody_looks_before_sending_again", steps=LOST_ANSWERS)
    assert found == {"no_duplicate_order", "stock_equals_model"}


async def test_a_parcel_twice_where_nobody_looks_before_shipping_again() -> None:
    found = await red("nobody_looks_before_shipping_again", LosesAnswers("/shipments"), steps=SHIPPED)
    assert found == {"despatch_once"}


async def test_money_twice_where_nobody_looks_before_refunding_again() -> None:
    peers = LosesAnswers("/payment_actions/refunds")
    found = await red("nobody_looks_before_refunding_again", peers, steps=REFUNDED, floor=QUICK)
    assert found == {"refund_once"}


@pytest.mark.drills
async def test_money_without_an_inspection_where_goods_are_refunded_when_they_arrive() -> None:
    assert await red("goods_are_refunded_when_they_arrive", steps=COMES_BACK, floor=QUICK) == {"refund_once"}


@pytest.mark.drills
async def test_money_twice_where_refunds_of_other_people_do_not_count() -> None:
    assert await red("refunds_of_other_people_do_not_count", steps=BY_HAND, floor=QUICK) == {"refund_once"}


async def test_a_figure_too_high_where_open_orders_do_not_count() -> None:
    assert await red("open_orders_do_not_count", steps=SOLD_AT_CT) == {"stock_equals_model"}


@pytest.mark.drills
async def test_an_oversell_where_open_orders_do_not_count() -> None:
    listed = {"sku": "A", "channels": {"ct": "A"}, "stock": {"MAIN": 6}}
    assert await red("open_orders_do_not_count", steps=SALE, products=[listed], floor={}) == {"no_oversell"}


@pytest.mark.drills
async def test_a_lost_order_where_nothing_is_released() -> None:
    assert await red("orders_are_not_released", steps=SOLD_AT_CT) == {"no_order_lost", "nothing_unaccounted"}


@pytest.mark.drills
async def test_an_unaccounted_notification_where_only_the_first_level_counts() -> None:
    found = await red("only_the_first_level_counts", steps=RECEIPT)
    assert found == {"stock_equals_model", "nothing_unaccounted"}


@pytest.mark.drills
async def test_throttling_where_budgets_do_not_bind() -> None:
    listed = {"sku": "A", "channels": {"bc": "A"}, "stock": {"MAIN": 500}}
    sale = [{"at": "0.5s", "load": {"orders_per_second": 15, "for": "4s", "channels": ["bc"]}}]
    assert await red("budgets_do_not_bind", steps=sale, products=[listed], channels=TIGHT) == {"budget_respected"}
