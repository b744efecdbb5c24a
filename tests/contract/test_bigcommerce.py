"""The BigCommerce connector against the simulated store over HTTP: what is particular to this platform. What every storefront does is in `test_storefront`."""

import asyncio
import json
import time

import pytest

from app.connectors.bigcommerce import BigCommerceIntake
from app.connectors.contract import AnswerKind, Priority
from app.connectors.errors import Refused, Unauthorised
from app.simulators.base import Fault, now_ms
from app.simulators.contract import NewLine, NewOrder, StepRefused
from tables.catalogue import Listing
from tests.support.bigcommerce import NAME, store, until
from tests.support.orders import fetched


def for_now(kind: str, **fields: object) -> Fault:
    return Fault(kind, time.monotonic() + 3600, **fields)  # type: ignore[arg-type]


class TestReading:
    async def test_a_listing_that_was_never_set_is_shown_as_zero_and_says_how_it_is_addressed(self) -> None:
        async with store() as shop:
            simple, variant = shop.add("000123", "TEE-S")
            first, second = await shop.read(simple, variant)
            assert (first.quantity, first.peer_id, first.missing) == (0, "product_id:101", "")
            assert (second.quantity, second.peer_id, second.missing) == (0, "variant_id:1002", "")
            assert first.at_from <= now_ms() <= first.at_to + 1000

    async def test_leading_zeros_and_commas_are_part_of_the_sku(self) -> None:
        async with store() as shop:
            listings = shop.add("00123", "0123", "123", "A,B", "A")
            for n, listing in enumerate(listings, 1):
                await shop.stock(listing, n)
            assert [r.quantity for r in await shop.read(*listings)] == [1, 2, 3, 4, 5]

    async def test_another_case_of_the_sku_is_not_the_listing_and_the_remedy_says_so(self) -> None:
        async with store() as shop:
            shop.add("Tee")
            (reading,) = await shop.read(Listing(NAME, "TEE", "TEE"))
            assert "'Tee'" in reading.missing

    async def test_what_cannot_be_managed_is_missing_with_a_remedy(self) -> None:
        async with store() as shop:
            shop.add("UNTRACKED", tracking="none")
            (elsewhere,) = shop.add("ELSEWHERE", location="2")
            shop.simulator.inventory.locations[2] = False
            nowhere, badly = Listing(NAME, "NOWHERE", "N"), Listing(NAME, "ELSEWHERE", "E", location="main")
            readings = await shop.read(Listing(NAME, "UNTRACKED", "U"), nowhere, elsewhere, badly)
            for reading, word in zip(readings, ("tracking", "create it", "disabled", "location id"), strict=True):
                assert word in reading.missing

    async def test_more_listings_than_fit_one_url_are_read_in_parts(self) -> None:
        async with store(rate=1000.0) as shop:
            listings = shop.add(*(f"SKU-{n:05}-{'x' * 40}" for n in range(200)))
            readings = await shop.read(*listings)
            assert not any(reading.missing for reading in readings)
            sent = shop.requests("/inventory/items")
            assert 1 < len(sent) <= 5
            assert max(len(str(request.url)) for request in sent) < 8000


class TestWriting:
    async def test_the_first_write_needs_an_absolute_zero(self) -> None:
        async with store() as shop:
            (tee,) = shop.add("TEE")
            assert (await shop.write({tee: 5}))["TEE"].kind is AnswerKind.NEEDS_ABSOLUTE
            assert (await shop.write({tee: 0}, zero=True))["TEE"].kind is AnswerKind.OK
            await shop.settled()
            assert (await shop.write({tee: 5}))["TEE"].kind is AnswerKind.OK
            await shop.settled()
            assert shop.simulator.quantity("TEE") == 5

    async def test_many_rows_are_one_request(self) -> None:
        async with store() as shop:
            listings = shop.add(*(f"S{n}" for n in range(40)))
            await shop.read(*listings)
            await shop.write(dict.fromkeys(listings, 0), zero=True)
            await shop.settled()
            answers = await shop.write({x: n + 1 for n, x in enumerate(listings)})
            assert {a.kind for a in answers.values()} == {AnswerKind.OK}
            await shop.settled()
            assert [shop.simulator.quantity(f"S{n}") for n in range(40)] == list(range(1, 41))
            assert len(shop.requests("/adjustments/")) == 2

    async def test_without_a_known_address_the_item_is_looked_up_once(self) -> None:
        async with store() as shop:
            (tee,) = shop.add("TEE")
            await shop.stock(tee, 3)
            assert shop.simulator.quantity("TEE") == 3
            await shop.read(tee)
            before = len(shop.requests("/inventory/items"))
            await shop.write({tee: 1})
            assert len(shop.requests("/inventory/items")) == before

    async def test_below_zero_is_refused_by_name_and_the_other_rows_go_through(self) -> None:
        async with store() as shop:
            tee, mug, cup = shop.add("TEE", "MUG", "CUP")
            for listing in (tee, mug, cup):
                await shop.stock(listing, 5)
            await shop.read(tee, mug, cup)
            answers = await shop.write({tee: -2, mug: -6, cup: 4})
            assert answers["MUG"].kind is AnswerKind.REFUSED
            assert {answers["TEE"].kind, answers["CUP"].kind} == {AnswerKind.OK}
            assert [shop.simulator.quantity(s) for s in ("TEE", "MUG", "CUP")] == [3, 5, 9]

    async def test_a_silent_store_takes_it_in_and_drops_it(self) -> None:
        async with store(silent=True) as shop:
            (tee,) = shop.add("TEE")
            await shop.stock(tee, 5)
            assert (await shop.write({tee: -6}))["TEE"].kind is AnswerKind.OK
            await shop.settled()
            assert shop.simulator.quantity("TEE") == 5

    async def test_adjustments_are_applied_later_and_in_order(self) -> None:
        async with store(apply_max=0.2) as shop:
            (tee,) = shop.add("TEE")
            await shop.stock(tee, 5)
            deltas = [-1, 7, -2, 4, -1]
            for delta in deltas:
                assert (await shop.write({tee: delta}))["TEE"].kind is AnswerKind.OK
            assert not shop.simulator.quiet()
            assert shop.simulator.quantity("TEE") == 12
            await shop.settled()
            applied = [e["quantity"] for e in shop.simulator.journal.entries if e["what"] == "adjustment applied"]
            assert applied == [0, 5, *deltas]
            assert (await shop.read(tee))[0].quantity == 12

    async def test_an_unknown_sku_fails_with_what_to_do(self) -> None:
        async with store() as shop:
            (tee,) = shop.add("TEE")
            await shop.stock(tee, 5)
            answers = await shop.write({Listing(NAME, "GONE", "GONE"): 3, tee: 1})
            assert answers["GONE"].kind is AnswerKind.FAILED
            assert "create it" in answers["GONE"].detail
            assert answers["TEE"].kind is AnswerKind.OK

    async def test_an_item_that_is_tracked_in_another_way_by_now_is_addressed_anew(self) -> None:
        async with store() as shop:
            (tee,) = shop.add("TEE")
            await shop.stock(tee, 5)
            await shop.read(tee)
            shop.simulator.inventory.items["TEE"].tracking = "variant"
            assert (await shop.write({tee: 1}))["TEE"].kind is AnswerKind.NOT_SENT
            assert (await shop.write({tee: 1}))["TEE"].kind is AnswerKind.OK
            await shop.settled()
            assert shop.simulator.quantity("TEE") == 6

    async def test_a_partly_refused_batch_ends_with_an_answer_for_every_row(self) -> None:
        async with store(rate=1000.0) as shop:
            listings = shop.add(*(f"S{n}" for n in range(16)))
            await shop.read(*listings)
            await shop.write(dict.fromkeys(listings, 0), zero=True)
            await shop.settled()
            shop.simulator.faults.add(for_now("partial", share=0.5))
            left, rounds = dict.fromkeys(listings, 3), 0
            while left:
                answers = await shop.write(left)
                assert {a.kind for a in answers.values()} <= {AnswerKind.OK, AnswerKind.NOT_SENT}
                left = {x: 3 for x in left if answers[x.sku].kind is AnswerKind.NOT_SENT}
                rounds += 1
                assert rounds < 60
            await shop.settled()
            assert {shop.simulator.quantity(f"S{n}") for n in range(16)} == {3}
            assert shop.simulator.faults.injected["partial"]

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            (for_now("status", status=503), AnswerKind.UNKNOWN),
            (for_now("status", status=429, retry_after=7.0), AnswerKind.NOT_SENT),
            (for_now("reset"), AnswerKind.UNKNOWN),
            (for_now("malformed"), AnswerKind.UNKNOWN),
            (for_now("token_expired"), AnswerKind.NOT_SENT),
        ],
        ids=lambda value: value.kind + str(value.status) if isinstance(value, Fault) else "",
    )
    async def test_a_fault_is_told_as_what_it_may_have_done(self, fault: Fault, kind: AnswerKind) -> None:
        async with store() as shop:
            tee, mug = shop.add("TEE", "MUG")
            await shop.stock(tee, 5)
            await shop.stock(mug, 5)
            await shop.read(tee, mug)
            shop.simulator.faults.add(fault)
            answers = await shop.write({tee: 1, mug: 1})
            assert {a.kind for a in answers.values()} == {kind}
            if fault.status == 429:
                assert {a.retry_after for a in answers.values()} == {7.0}

    async def test_a_time_out_after_the_effect_is_unknown_and_the_effect_is_there(self) -> None:
        async with store() as shop:
            (tee,) = shop.add("TEE")
            await shop.stock(tee, 5)
            await shop.read(tee)
            shop.simulator.faults.add(for_now("timeout", after_effect=True))
            shop.transport._client.timeout = 0.2  # type: ignore[assignment]
            assert (await shop.write({tee: 2}))["TEE"].kind is AnswerKind.UNKNOWN
            await shop.settled()
            assert shop.simulator.quantity("TEE") == 7


class TestLimits:
    async def test_every_answer_tells_the_budget_and_above_it_is_429(self) -> None:
        async with store(plan="plus") as shop:
            (tee,) = shop.add("TEE")
            await shop.read(tee)
            hint = shop.connector.rate_hint(shop.transport.answers[-1])
            assert hint is not None
            assert (hint.quota, hint.remaining, hint.throttled) == (150, 148, False)
            assert hint.reset_after is not None
            assert 25 < hint.reset_after <= 30
            shop.simulator._limit.used = 150  # type: ignore[attr-defined]
            answer = (await shop.write({tee: 1}))["TEE"]
            assert answer.kind is AnswerKind.NOT_SENT
            assert shop.simulator.journal.throttled("limit") == 1

    async def test_a_steady_rate_replaces_the_plan(self) -> None:
        async with store(rate=4.0) as shop:
            (tee,) = shop.add("TEE")
            await shop.read(tee)
            hint = shop.connector.rate_hint(shop.transport.answers[-1])
            assert hint is not None
            assert hint.quota == 4
            assert hint.remaining == 2


class TestOrders:
    @pytest.mark.parametrize("inline", [True, False])
    async def test_an_order_is_read_whole_by_poll_and_by_id(self, inline: bool) -> None:
        async with store(settings={"inline_lines": inline}) as shop:
            tee, _ = shop.add("TEE", "GIFT-CARD", tracking="product")
            shop.simulator.inventory.items["GIFT-CARD"].tracking = "none"
            await shop.stock(tee, 5)
            lines = [NewLine("TEE", 2), NewLine("GIFT-CARD", 1), NewLine("CUSTOM", 1)]
            await shop.simulator.place(
                NewOrder(
                    "1001", lines, note="ring twice", gift="with love", shipping="express", address={"city": "York"}
                )
            )
            (polled,) = await shop.poll()
            assert polled == await fetched(shop.connector, "1001", Priority.RELEASE)
            assert (polled.order_id, polled.number, polled.state, polled.paid) == ("1001", "1001", "OPEN", True)
            assert [(x.sku, x.quantity, x.tracked) for x in polled.lines] == [
                ("TEE", 2, True),
                ("GIFT-CARD", 1, False),
                ("CUSTOM", 1, False),
            ]
            assert (polled.note, polled.gift, polled.shipping_method) == ("ring twice", "with love", "express")
            assert polled.address is not None
            assert (polled.address.name, polled.address.city, polled.address.country) == ("Test Customer", "York", "GB")
            assert polled.lines[0].taken_from <= now_ms() <= polled.lines[0].taken_to + 2000
            assert shop.simulator.quantity("TEE") == 3

    async def test_a_poll_of_inline_orders_is_one_request(self) -> None:
        async with store() as shop:
            for n in range(1, 200):
                await shop.simulator.place(NewOrder(str(n), [NewLine("CUSTOM", 1)]))
            assert len(await shop.poll()) == 199
            assert len(shop.requests("/v2/orders")) == 1

    async def test_a_poll_gives_every_order_once_though_many_change_in_the_same_second(self) -> None:
        async with store(rate=1000.0) as shop:
            for n in range(1, 1001):
                await shop.simulator.place(NewOrder(str(n), [NewLine("CUSTOM", 1)]))
            for n, order in shop.simulator._orders.all.items():
                order.modified = 1_700_000_000 + (n % 3) + 0.5
            orders = await shop.poll(1_700_000_000_999)
            assert sorted(int(x.order_id) for x in orders) == list(range(1, 1001))
            times = [x.modified_at for x in orders]
            assert times == sorted(times)

    async def test_an_order_that_changes_between_two_pages_hides_no_other(self) -> None:
        async with store(rate=1000.0) as shop:
            for n in range(1, 601):
                await shop.simulator.place(NewOrder(str(n), [NewLine("CUSTOM", 1)]))
                shop.simulator._orders.all[n].modified = 1_700_000_000 + n // 10
            seen: set[int] = set()
            async for page in shop.connector.poll_orders(1_700_000_000_000, Priority.SWEEP):
                seen |= {int(order.order_id) for order in page.orders}
                for n in range(1, 11):
                    shop.simulator._orders.all[n].modified = time.time()
            assert seen == set(range(1, 601))

    async def test_incomplete_orders_are_no_orders_yet(self) -> None:
        async with store() as shop:
            await shop.simulator.place(NewOrder("5", [NewLine("CUSTOM", 1)]))
            shop.simulator._orders.all[5].status_id = 0
            assert await shop.poll() == []
            assert await fetched(shop.connector, "5", Priority.RELEASE) is None

    async def test_an_order_that_is_not_there_is_none(self) -> None:
        async with store() as shop:
            assert await fetched(shop.connector, "5", Priority.RELEASE) is None
            assert await fetched(shop.connector, "no-number", Priority.RELEASE) is None

    async def test_orders_whose_ids_lie_close_together_come_as_one_page(self) -> None:
        async with store() as shop:
            for n in (*range(1, 9), 300):
                await shop.simulator.place(NewOrder(str(n), [NewLine("CUSTOM", 1)]))
            shop.simulator._orders.all[3].status_id = 0
            found = await shop.connector.fetch_orders(["7", "2", "3", "300", "no-number"], Priority.RELEASE)
            assert sorted(found) == ["2", "300", "7"]
            assert [one.order_id for one in found.values()] == list(found)
            asked = [request.url.path.partition("/v2/")[2] for request in shop.requests("/v2/orders")]
            assert asked == ["orders", "orders/300"]

    async def test_what_a_page_leaves_out_is_asked_for_by_itself(self) -> None:
        async with store() as shop:
            for n in (1, 2):
                await shop.simulator.place(NewOrder(str(n), [NewLine("CUSTOM", 1)]))
            assert sorted(await shop.connector.fetch_orders(["1", "2", "9"], Priority.RELEASE)) == ["1", "2"]
            assert len(shop.requests("/v2/orders")) == 2

    async def test_lines_of_an_unchanged_order_are_asked_for_once_but_never_trusted_while_the_second_lasts(
        self,
    ) -> None:
        async with store(settings={"inline_lines": False}) as shop:
            for number in ("1", "2"):
                await shop.simulator.place(NewOrder(number, [NewLine("CUSTOM", 1)]))
            shop.simulator._orders.all[1].modified -= 60
            for _ in range(3):
                assert len(await shop.poll()) == 2
            assert len(shop.requests("/orders/1/products")) == 1
            assert len(shop.requests("/orders/2/products")) == 3

    async def test_a_store_that_is_not_there_is_no_empty_store(self) -> None:
        async with store(settings={"store_hash": "other"}) as shop:
            with pytest.raises(Refused):
                await shop.poll()
            with pytest.raises(Refused):
                await shop.read(Listing(NAME, "TEE", "TEE"))
            assert [f.check for f in await shop.connector.probe() if not f.ok] == ["token"]

    async def test_payment_and_cancel_are_new_versions(self) -> None:
        async with store() as shop:
            (tee,) = shop.add("TEE")
            await shop.stock(tee, 5)
            await shop.simulator.place(NewOrder("5", [NewLine("TEE", 2)], paid=False))
            (unpaid,) = await shop.poll()
            await shop.simulator.pay("5")
            (paid,) = await shop.poll()
            await shop.simulator.cancel("5")
            (cancelled,) = await shop.poll()
            assert [x.paid for x in (unpaid, paid)] == [False, True]
            assert [x.state for x in (unpaid, paid, cancelled)] == ["OPEN", "OPEN", "CANCELLED"]
            assert unpaid.version <= paid.version <= cancelled.version
            assert cancelled.lines[0].restocked_at is None
            assert shop.simulator.quantity("TEE") == 3

    async def test_a_store_that_restocks_cancels_says_when(self) -> None:
        async with store(restock_on_cancel=True) as shop:
            (tee,) = shop.add("TEE")
            await shop.stock(tee, 5)
            await shop.simulator.place(NewOrder("5", [NewLine("TEE", 2)]))
            await shop.simulator.cancel("5")
            (cancelled,) = await shop.poll()
            assert cancelled.lines[0].restocked_at == cancelled.modified_at
            assert shop.simulator.quantity("TEE") == 5
            assert shop.simulator.orders()["5"].restocked

    async def test_an_edit_moves_stock_and_leaves_no_line_of_quantity_zero(self) -> None:
        async with store() as shop:
            tee, mug = shop.add("TEE", "MUG")
            await shop.stock(tee, 5)
            await shop.stock(mug, 5)
            await shop.simulator.place(NewOrder("5", [NewLine("TEE", 2)]))
            await shop.simulator.edit("5", [NewLine("MUG", 3)], {"line1": "2 Low Street"})
            (edited,) = await shop.poll()
            assert [(x.sku, x.quantity) for x in edited.lines] == [("MUG", 3)]
            assert edited.address is not None
            assert edited.address.line1 == "2 Low Street"
            assert (shop.simulator.quantity("TEE"), shop.simulator.quantity("MUG")) == (5, 2)

    async def test_a_customer_is_refused_what_is_not_there(self) -> None:
        async with store() as shop:
            (tee,) = shop.add("TEE")
            await shop.stock(tee, 1)
            with pytest.raises(StepRefused, match="2 wanted, 1 available"):
                await shop.simulator.place(NewOrder("5", [NewLine("TEE", 2)]))
            assert shop.simulator.orders() == {}
            assert shop.simulator.quantity("TEE") == 1

    async def test_a_manual_edit_tells_what_it_raised(self) -> None:
        async with store() as shop:
            (tee,) = shop.add("TEE")
            assert await shop.simulator.set_stock("TEE", 40) == 40
            assert await shop.simulator.set_stock("TEE", 15) == -25
            assert (await shop.read(tee))[0].quantity == 15


class TestWebhooks:
    async def test_they_are_thin_signed_and_lead_to_the_order(self) -> None:
        async with store() as shop, receiver() as (url, received):
            intake = BigCommerceIntake(NAME, shop.settings)
            shop.simulator.notify_to(url)
            await shop.simulator.place(NewOrder("5", [NewLine("CUSTOM", 1)]))
            await shop.simulator.cancel("5")
            await until(lambda: len(received) == 2)
            for headers, body in received:
                assert intake.verify(headers, body, now_ms())
                assert intake.entity(body) == "5"
                assert b"CUSTOM" not in body
            await until(shop.simulator.quiet)
            assert all(note.answered for note in shop.simulator.notifier.sent)

    async def test_forged_ones_are_told_apart(self) -> None:
        async with store() as shop, receiver() as (url, received):
            intake = BigCommerceIntake(NAME, shop.settings)
            shop.simulator.notify_to(url)
            shop.simulator.faults.add(for_now("webhook", forge=1.0))
            await shop.simulator.place(NewOrder("5", [NewLine("CUSTOM", 1)]))
            await until(lambda: len(received) == 2)
            assert sorted(intake.verify(headers, body, now_ms()) for headers, body in received) == [False, True]

    async def test_a_hook_on_all_order_events_gets_each_with_its_own_scope(self) -> None:
        async with store() as shop, receiver() as (url, received):
            shop.simulator.webhooks.register("store/order/*", url, {})
            await shop.simulator.place(NewOrder("5", [NewLine("CUSTOM", 1)], paid=False))
            await shop.simulator.pay("5")
            await until(lambda: len(received) == 4)
            payloads = [json.loads(body) for _, body in received]
            assert sorted(payload["scope"].removeprefix("store/order/") for payload in payloads) == [
                "created",
                "statusUpdated",
                "statusUpdated",
                "updated",
            ]
            assert {"previous_status_id": 7, "new_status_id": 11} in [p["data"].get("status") for p in payloads]

    async def test_a_refused_one_is_tried_again(self) -> None:
        async with store() as shop, receiver(refuse=2) as (url, received):
            shop.simulator.notify_to(url)
            await shop.simulator.place(NewOrder("5", [NewLine("CUSTOM", 1)]))
            await until(shop.simulator.quiet)
            assert len(received) == 3
            assert [note.tries for note in shop.simulator.notifier.sent] == [3]


class TestProbe:
    async def test_a_store_as_the_rules_need_it_passes(self) -> None:
        async with store() as shop:
            shop.simulator.notify_to("http://127.0.0.1:9/")
            findings = await shop.connector.probe()
            assert [f.check for f in findings] == ["token", "restock", "stock moment", "location", "webhooks"]
            assert all(f.ok and not f.unguarded for f in findings)

    async def test_what_is_set_otherwise_is_named_with_its_remedy(self) -> None:
        async with store(restock_on_cancel=True) as shop:
            shop.simulator.settings["update_stock_behavior"] = "order_completed_or_shipped"
            shop.simulator.inventory.locations[1] = False
            found = {f.check: f for f in await shop.connector.probe()}
            assert not any(found[name].ok for name in ("restock", "stock moment", "location", "webhooks"))
            assert "by itself" in found["restock"].unguarded
            assert all(found[name].remedy for name in ("restock", "stock moment", "location", "webhooks"))
            assert [name for name, f in found.items() if f.blocking and not f.ok] == ["stock moment", "location"]

    async def test_a_wrong_token_is_the_only_finding(self) -> None:
        async with store(settings={"access_token": "wrong"}) as shop:
            (finding,) = await shop.connector.probe()
            assert (finding.check, finding.ok) == ("token", False)
            with pytest.raises(Unauthorised) as raised:
                await shop.poll()
            assert "wrong" not in str(raised.value)


class receiver:
    """A small HTTP service that keeps what it is sent; the first `refuse` requests are answered 503."""

    def __init__(self, refuse: int = 0) -> None:
        self.refuse, self.received = refuse, list[tuple[dict[str, str], bytes]]()

    async def __aenter__(self) -> tuple[str, list[tuple[dict[str, str], bytes]]]:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/hook", self.received

    async def __aexit__(self, *_: object) -> None:
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return writer.close()
        pairs = (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        self.received.append((headers, body))
        status = "503 Busy" if len(self.received) <= self.refuse else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
