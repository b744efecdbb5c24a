"""Notes through their owner: intents before requests, lost answers looked for, refusals said and retried, pauses and shadow kept."""

import asyncio

import pytest

from app.connectors.errors import OutcomeUnknown, Refused, Unavailable
from schemas.records import ChannelMode, ExceptionCommand, ExceptionState, NoteOrder, OperatorState
from tables.deliveries.notes import MARK, NoteRow
from tables.deliveries.peers import PeerKind
from tests.unit.delivery.rig import Rig, until

LOST = OutcomeUnknown("shop", "PUT order", "no answer")
ENTITY = "shop:7/note"


def command(text: str = "refused", version: int = 1, *, open_: bool = True) -> NoteOrder:
    return NoteOrder(channel="shop", order_id="7", number="A7", version=version, text=text, open=open_)


def note_row(rig: Rig) -> NoteRow:
    row: NoteRow = rig.row(rig.tables.notes, "shop/7")
    return row


async def settled(rig: Rig, version: int = 1) -> None:
    await until(lambda: note_row(rig).answered == version and rig.runtime.pending()["shop"] == 0)


async def test_a_note_is_written_once_beside_what_the_shops_people_wrote() -> None:
    rig = Rig()
    rig.storefront.notes["7"] = "VIP"
    async with rig.running():
        rig.tell(command(), command())
        await settled(rig)
        rig.tell(command("settled", 2, open_=False))
        await settled(rig, 2)
    assert rig.storefront.written == [f"VIP\n{MARK}refused", f"VIP\n{MARK}settled"]


async def test_a_note_that_the_shops_people_removed_is_not_written_to_say_that_it_is_over() -> None:
    rig = Rig()
    async with rig.running():
        rig.tell(command())
        await settled(rig)
        rig.storefront.notes["7"] = "seen to"
        rig.tell(command("settled", 2, open_=False))
        await settled(rig, 2)
    assert len(rig.storefront.written) == 1
    assert rig.storefront.notes["7"] == "seen to"


async def test_the_intent_is_committed_before_the_request_leaves_and_a_successor_looks_first() -> None:
    rig = Rig(PeerKind.RELATIVE)
    async with rig.running():
        rig.storefront.gate.clear()
        rig.tell(command())
        await until(lambda: rig.storefront.written)
        assert note_row(rig).intent is not None
        rig.storefront.notes["7"] = rig.storefront.written[0]
        await rig.crash()
    rig.storefront.gate.set()
    async with rig.running():
        await settled(rig)
    assert len(rig.storefront.written) == 1


@pytest.mark.parametrize("kind", [PeerKind.VERSIONED, PeerKind.RELATIVE])
@pytest.mark.parametrize("lands", [True, False])
async def test_a_lost_answer_never_makes_a_second_line(kind: PeerKind, lands: bool) -> None:
    rig = Rig(kind)
    rig.storefront.lands = lands
    rig.storefront.note_fates.append(LOST)
    async with rig.running():
        rig.tell(command())
        await settled(rig)
    assert rig.storefront.notes["7"] == f"{MARK}refused"
    assert len(rig.storefront.written) == (1 if lands else 2)


async def test_a_request_that_was_given_up_long_after_its_intent_is_not_repeated_while_it_may_land() -> None:
    rig = Rig(PeerKind.RELATIVE, bounds={"late_max": "600ms"})
    rig.storefront.lands = False
    rig.storefront.note_fates.append(LOST)
    rig.storefront.gate.clear()
    async with rig.running():
        rig.tell(command())
        await until(lambda: rig.storefront.written)
        await asyncio.sleep(0.65)
        rig.storefront.gate.set()
        await asyncio.sleep(0.4)
        rig.storefront.notes["7"] = rig.storefront.written[0]
        await settled(rig)
    assert len(rig.storefront.written) == 1


async def test_what_another_program_changed_meanwhile_is_read_again_first() -> None:
    rig = Rig()
    rig.storefront.note_fates.append(Unavailable("shop", "POST orders", "another version", status=409))
    async with rig.running():
        rig.tell(command())
        await settled(rig)
    assert rig.storefront.looks == 2
    assert rig.storefront.notes["7"] == f"{MARK}refused"


async def test_a_refusal_is_an_exception_that_a_retry_mends() -> None:
    rig = Rig()
    rig.storefront.note_fates.append(Refused("shop", "POST orders", "400: the type has no such field"))
    async with rig.running():
        rig.tell(command())
        await settled(rig)
        (opened,) = rig.sent(ExceptionState)
        assert (opened.type, opened.entity, opened.owner) == ("delivery_failed", ENTITY, "integration")
        assert "order A7" in opened.detail and "no such field" in opened.detail
        given = ExceptionCommand(channel="shop", exception_id=f"delivery_failed:{ENTITY}", action="retry", actor="jo", reason="mended")  # fmt: skip
        rig.tell(given)
        await until(lambda: rig.sent(ExceptionState)[-1].state == "RESOLVED")
        await settled(rig)
    assert len(rig.storefront.written) == 2


async def test_an_order_that_the_storefront_has_no_more_is_said() -> None:
    rig = Rig()
    rig.storefront.unknown_orders.add("7")
    async with rig.running():
        rig.tell(command())
        await settled(rig)
    assert not rig.storefront.written
    assert "no such order" in rig.sent(ExceptionState)[-1].detail


async def test_nothing_is_written_while_paused_or_in_shadow() -> None:
    rig = Rig()
    async with rig.running():
        rig.tell(OperatorState(channel="shop", target="", paused=True, actor="kim", reason="stocktake"))
        rig.tell(command())
        await until(lambda: rig.storefront.looks)
        await until(lambda: not rig.storefront.written and rig.runtime.pending()["shop"] == 1)
        rig.tell(ChannelMode(channel="shop", shadow=True, actor="kim", reason="look first"))
        rig.tell(OperatorState(channel="shop", target="", paused=False, actor="kim", reason="done"))
        await until(lambda: rig.runtime.pending()["shop"] == 0)
        assert not rig.storefront.written
        rig.tell(ChannelMode(channel="shop", shadow=False, actor="kim", reason="go"))
        await settled(rig)
    assert rig.storefront.written == [f"{MARK}refused"]
