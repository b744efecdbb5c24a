"""The report's form, the exit status, the latencies, the wait for quiet, and what a person reads at the end."""

import io
import json
from typing import Any, cast

from rich.console import Console

from app.drill.checks import Check
from app.drill.display import line, picture, show_outcome
from app.drill.peers import Peers
from app.drill.product import Product
from app.drill.report import Outcome, conclude
from app.drill.run import Progress
from app.drill.settle import Settling
from app.drill.simulators import RealPeers
from app.drill.steps import Script, StepResult
from app.drill.topics import OpenedException
from app.drill.watch import Latencies, Watch, summarise
from app.simulators.contract import NewLine, NewOrder
from tests.unit.drill.support import drill_file


async def filled(*, ordered: bool = True) -> Peers:
    """Peers whose storefronts show what they should, after one order at ct."""
    peers = Peers(drill_file(), RealPeers())
    for product in peers.file.products:
        if not product.bundle:
            peers.clarus.add_product(product.sku)
        for channel, listing in product.listed():
            peers.storefronts[channel].add_listing(listing.sku)
        for warehouse, stock in product.opening().items():
            peers.clarus.receive(product.sku, warehouse, stock.available)
    peers.opening = len(peers.clarus.journal.entries)
    await peers.storefronts["ct"].set_stock("A", 24)
    if ordered:
        await peers.storefronts["ct"].place(NewOrder("1", (NewLine("A", 2),)))
    truth = peers.truth()
    for offer in peers.offers.all:
        if offer.name != "ct:A":
            await peers.storefronts[offer.channel].set_stock(offer.sku, truth.figure(offer), offer.location)
    return peers


async def outcome(peers: Peers, exceptions: list[OpenedException], **more: Any) -> Outcome:
    given = {
        "settled": True,
        "seconds": 4.25,
        "failures": [],
        "waiting_for": "",
        "script": Script(placed=1),
        "no_guarantee": [],
        **more,
    }
    opening = {"A": 24, "B": 9}
    return conclude(peers, given.pop("script"), Watch(peers), opening, exceptions, **given)


def held(order_id: str) -> OpenedException:
    return OpenedException("unmapped_sku", f"ct:{order_id}", "ecommerce", "open", "no listing")


async def test_the_report_has_the_promised_form_and_names_orders_as_the_file_does() -> None:
    peers = await filled()
    order_id = peers.orders()["ct"][0].order_id
    found = await outcome(peers, [held(order_id)])
    report = json.loads(json.dumps(found.as_dict()))
    assert (report["name"], report["ok"], report["settled"], report["seconds"]) == ("small", True, True, 4.2)
    assert set(report["latency_s"]) == {"stock_to_channel", "order_to_wms", "despatch_to_channel"}
    assert report["channels"]["ct"]["stock"] == {"A": 22, "B": 9, "BOX": 9}
    shown = {"state": "open", "shipments": [], "refunded": "0.00", "staff_note": ""}
    assert report["channels"]["ct"]["orders"]["1"] == shown
    assert report["channels"]["ct"]["throttled"] == 0
    assert report["wms"]["stock"]["A"]["NORTH"] == {"available": 4, "held": 0}
    assert report["exceptions"] == [
        {"type": "unmapped_sku", "entity": "ct:1", "owner": "ecommerce", "state": "open", "detail": "no listing"}
    ]
    assert report["checks"]["no_oversell"]["units"] == report["oversold"] == 0
    assert found.status == 0


async def test_the_exit_status_says_the_worst_in_the_promised_order() -> None:
    peers = await filled()
    key = peers.orders()["ct"][0].order_id
    failed_step = Script(results=[StepResult(0, 0, "order ct:9", False, "refused")])
    assert (await outcome(peers, [])).status == 1  # the order is nowhere
    assert (await outcome(peers, [held(key)], script=failed_step)).status == 1
    assert (await outcome(peers, [held(key)], failures=["worker-0 ended"])).status == 1
    assert (await outcome(peers, [], settled=False)).status == 3


async def test_a_person_reads_what_failed_with_both_sides() -> None:
    peers = await filled()
    await peers.storefronts["ct"].set_stock("B", 3)
    text = io.StringIO()
    weak = ["A: no guarantee, mode auto shares its pool: buffer must be the same"]
    found = await outcome(peers, [], no_guarantee=weak)
    show_outcome(Console(file=text, width=200), found, ["What to try next:"])
    shown = text.getvalue()
    assert f"{weak[0]}; its last units can be sold twice" in shown
    assert found.as_dict()["no_guarantee"] == weak
    assert "ct:B: product: B; storefront: 3; model: 9" in shown
    assert "ct:1: storefront: open, paid, A x 2; wms: no goods out" in shown
    assert "NOT as it should be" in shown
    assert "What to try next:" in shown


async def test_the_end_fits_a_terminal_of_80_columns_with_every_name_whole() -> None:
    text = io.StringIO()
    show_outcome(Console(file=text, width=80), await outcome(await filled(), []), [])
    shown = text.getvalue()
    assert "…" not in shown and "warehouse to storefront, p50, p99" in shown
    assert max(map(len, shown.splitlines())) <= 80


async def test_a_running_drill_can_be_shown_at_every_moment() -> None:
    peers = await filled()
    watch = Watch(peers)
    progress = Progress(peers.file, peers, phase="starting")
    assert "starting" in line(progress)
    watch.start()
    progress.zero, progress.watch, progress.script = 0.0, watch, Script(placed=1, turned_away=2)
    text = io.StringIO()
    Console(file=text, width=120).print(picture(progress, ""))
    await watch.stop()
    assert "1 accepted, 0 in the warehouse, 2 customers found nothing left" in text.getvalue()
    assert "22" in text.getvalue()


async def test_a_movement_has_arrived_when_the_listing_shows_a_figure_right_since_then() -> None:
    peers = await filled()
    watch = Watch(peers)
    watch.start()
    peers.clarus.receive("B", "MAIN", 4)
    watch.moved("B")
    watch._close()
    assert watch.latency.all() == []
    await peers.storefronts["ct"].set_stock("B", 13)
    watch.shown = peers.shown()
    watch._close()
    assert set(watch.latency.samples) == {"ct"}
    assert len(watch.latency.samples["ct"]) == 1  # the bundle's figure is bound by A: nothing had to change there
    await watch.stop()


def test_percentiles_are_nearest_rank() -> None:
    assert summarise([float(n) for n in range(1, 101)]) == {"count": 100, "p50": 50.0, "p99": 99.0, "max": 100.0}
    assert summarise([]) == {"count": 0, "p50": 0, "p99": 0, "max": 0}
    latencies = Latencies()
    latencies.add("ct", -0.001)
    assert latencies.summary() == {"ct": {"count": 1, "p50": 0.0, "p99": 0.0, "max": 0.0}}


class _Workers:
    """Answers for the product: what each look finds, the last answer for ever."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.workers = [object()]
        self.answers = list(answers)

    async def status(self) -> dict[str, dict[str, Any]]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def settling(peers: Peers, workers: _Workers, lag: int) -> Settling:
    async def behind() -> int:
        return lag

    return Settling(peers, cast(Product, workers), behind)


async def test_quiet_needs_three_seconds_without_anything_to_do() -> None:
    peers = await filled(ordered=False)
    assert await settling(peers, _Workers({"worker-0": {"pending": {"ct": 0}}}), 0).wait(8)


async def test_what_stays_undone_is_named_when_the_time_is_over() -> None:
    peers = await filled(ordered=False)
    behind = settling(peers, _Workers({"worker-0": {"pending": {}}}), 7)
    assert not await behind.wait(0.5)
    assert str(behind.backlog) == "7 records behind"
    pending = settling(peers, _Workers({"worker-0": {"pending": {"ct": 2, "bc": 1}}}), 0)
    assert not await pending.wait(0.5)
    assert str(pending.backlog) == "3 deliveries pending"
    silent = settling(peers, _Workers({}), 0)
    assert not await silent.wait(0.5)
    assert str(silent.backlog) == "a worker does not answer or is not ready"


def test_a_check_that_found_nothing_to_check_holds() -> None:
    assert Check().as_dict() == {"ok": True, "checked": 0, "failed": []}


async def test_a_product_counts_as_selling_only_where_a_velocity_buffer_does() -> None:
    plain = await filled()
    assert plain.selling() == 0
    paced = Peers(drill_file(policies=[{"velocity": 5}]), RealPeers())
    assert paced.selling() == 0
    await paced.storefronts["ct"].place(NewOrder("1", (NewLine("GHOST", 1),)))
    assert 30 < paced.selling() <= 36
