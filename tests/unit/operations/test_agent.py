"""Operators' commands become commands of the channels they concern; what nobody can act on is set aside with the reason."""

import pytest

from agents.operations import Operations
from app.engine.murmur import partition_of
from schemas import catalogue as topics
from schemas.codec import Codecs
from schemas.records import (
    AuthoriseReturn,
    ChannelMode,
    Event,
    ExceptionCommand,
    OperatorCommand,
    OperatorState,
    ReadListing,
    ReadStock,
    Record,
)
from tables.catalogue import Catalogue, Listing, Product
from tests.support.engine import MemoryBatch, MemoryEngine, MemoryRecord

CATALOGUE = Catalogue(
    [
        Product("MUG", listings=(Listing("ct", "M1", "MUG"), Listing("bc", "M-1", "MUG"), Listing("bc", "M-2", "MUG"))),
        Product("CARD"),
        Product("BOX", bundle={"MUG": 2, "CARD": 1}, listings=(Listing("ct", "B1", "BOX"),)),
    ],
    [],
    ["MAIN"],
)
CODECS = Codecs()


def fold(*commands: tuple[str, str]) -> tuple[list[tuple[int | None, str, Record]], MemoryBatch]:
    engine = MemoryEngine(partitions=4)
    agent = Operations(CATALOGUE, ["ct", "bc"], "clarus", CODECS, lambda channel: partition_of(channel, 4))
    codec = CODECS[topics.OPERATIONS_COMMANDS]
    records = [
        MemoryRecord(
            target.encode(),
            codec.encode(
                Event(
                    event_id="e",
                    occurred_at=5,
                    received_at=6,
                    source="operator",
                    body=OperatorCommand(action=action, target=target, actor="kim", reason="stocktake"),
                )
            ),
            number,
        )
        for number, (action, target) in enumerate(commands)
    ]
    batch = engine.fold(agent.fold, 0, topics.OPERATIONS_COMMANDS.name, records)
    return [(one.partition, one.key, CODECS[one.topic].decode(one.value).body) for one in engine.sent], batch


@pytest.mark.parametrize(("action", "paused"), [("pause", True), ("resume", False)])
def test_a_channel_is_one_command_in_its_partition(action: str, paused: bool) -> None:
    found, _ = fold((action, "bc"))
    state = OperatorState(channel="bc", target="", paused=paused, actor="kim", reason="stocktake")
    assert found == [(partition_of("bc", 4), "operator/bc/", state)]


def test_the_warehouse_is_a_channel_too() -> None:
    [(partition, _, body)] = fold(("pause", "clarus"))[0]
    assert partition == partition_of("clarus", 4)
    assert isinstance(body, OperatorState) and body.channel == "clarus"


def test_a_sku_is_paused_at_every_channel_once() -> None:
    found, _ = fold(("pause", "MUG"))
    assert [(key, partition) for partition, key, _ in found] == [
        ("operator/bc/MUG", partition_of("bc", 4)),
        ("operator/ct/MUG", partition_of("ct", 4)),
    ]


def test_a_resync_of_a_sku_reads_the_warehouse_and_every_listing() -> None:
    bodies = [body for _, _, body in fold(("resync", "MUG"))[0]]
    assert [body.sku for body in bodies if isinstance(body, ReadStock)] == ["MUG"]
    assert [body.listing for body in bodies if isinstance(body, ReadListing)] == ["ct//M1", "bc//M-1", "bc//M-2"]


def test_a_resync_of_a_bundle_reads_its_components() -> None:
    bodies = [body for _, _, body in fold(("resync", "BOX"))[0]]
    assert [body.sku for body in bodies if isinstance(body, ReadStock)] == ["MUG", "CARD"]


def test_a_resync_of_a_channel_is_all_its_listings_and_of_the_warehouse_all_skus() -> None:
    [(_, key, body)] = fold(("resync", "bc"))[0]
    assert (key, body) == (
        "read-back/bc",
        ReadListing(channel="bc", listing="", reason="operator: kim: stocktake"),
    )
    assert [x.sku for _, _, x in fold(("resync", "clarus"))[0] if isinstance(x, ReadStock)] == ["MUG", "CARD"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("pause", "CUP"), "neither a channel nor a SKU"),
        (("pause", "CARD"), "listed nowhere"),
        (("replay", "MUG"), "replay is not supported"),
    ],
)
def test_what_cannot_be_done_is_set_aside_and_the_rest_goes_on(command: tuple[str, str], reason: str) -> None:
    found, batch = fold(command, ("pause", "ct"))
    [(_, why)] = batch.dead
    assert reason in why
    assert len(found) == 1


@pytest.mark.parametrize(("action", "shadow"), [("go_live", False), ("go_shadow", True)])
@pytest.mark.parametrize("channel", ["bc", "clarus"])
def test_a_channels_mode_is_one_command_in_its_partition(action: str, shadow: bool, channel: str) -> None:
    found, _ = fold((action, channel))
    mode = ChannelMode(channel=channel, shadow=shadow, actor="kim", reason="stocktake")
    assert found == [(partition_of(channel, 4), f"mode/{channel}", mode)]


def test_a_sku_has_no_mode() -> None:
    found, batch = fold(("go_live", "MUG"))
    assert found == []
    assert "only a channel" in batch.dead[0][1]


def about(holder: str, action: str = "retry") -> tuple[list[tuple[str, int | None, str, Record]], MemoryBatch]:
    engine = MemoryEngine(partitions=4)
    agent = Operations(CATALOGUE, ["ct", "bc"], "clarus", CODECS, lambda channel: partition_of(channel, 4))
    body = OperatorCommand(action=action, target="delivery_failed:bc:1", actor="kim", reason="mended", holder=holder)
    event = Event(event_id="e", occurred_at=5, received_at=6, source="operator", body=body)
    record = MemoryRecord(b"delivery_failed:bc:1", CODECS[topics.OPERATIONS_COMMANDS].encode(event), 0)
    batch = engine.fold(agent.fold, 0, topics.OPERATIONS_COMMANDS.name, [record])
    return [(one.topic, one.partition, one.key, CODECS[one.topic].decode(one.value).body) for one in engine.sent], batch


@pytest.mark.parametrize("action", ["acknowledge", "resolve", "retry"])
def test_a_command_about_an_exception_goes_to_whoever_holds_it(action: str) -> None:
    [(topic, _, key, body)], _ = about("order/bc:u-1", action)
    assert (topic, key) == ("orders.events", "bc:u-1")
    assert body == ExceptionCommand(
        channel="", exception_id="delivery_failed:bc:1", action=action, actor="kim", reason="mended"
    )
    [(topic, partition, key, body)], _ = about("channel/clarus", action)
    assert (topic, partition) == ("channel.commands", partition_of("clarus", 4))
    assert key == f"exception/delivery_failed:bc:1/{action}"
    assert isinstance(body, ExceptionCommand) and body.channel == "clarus"


@pytest.mark.parametrize("holder", ["", "order/", "channel/ghost", "sku/MUG"])
def test_a_command_about_an_exception_that_nobody_holds_is_set_aside(holder: str) -> None:
    sent, batch = about(holder)
    assert sent == [] and len(batch.dead) == 1


def authorise(target: str = "bc:1001", name: str = "R-1", **lines: int) -> tuple[list[tuple[str, Record]], MemoryBatch]:
    engine = MemoryEngine(partitions=4)
    agent = Operations(CATALOGUE, ["ct", "bc"], "clarus", CODECS, lambda channel: partition_of(channel, 4))
    body = OperatorCommand(
        action="authorise_return", target=target, actor="kim", reason="wrong size", holder=name, lines=lines
    )
    event = Event(event_id="e", occurred_at=5, received_at=6, source="operator", body=body)
    record = MemoryRecord(target.encode(), CODECS[topics.OPERATIONS_COMMANDS].encode(event), 0)
    batch = engine.fold(agent.fold, 0, topics.OPERATIONS_COMMANDS.name, [record])
    return [(f"{one.topic}/{one.key}", CODECS[one.topic].decode(one.value).body) for one in engine.sent], batch


def test_a_return_goes_to_its_order() -> None:
    found, _ = authorise(M1=2)
    given = AuthoriseReturn(return_id="R-1", lines={"M1": 2}, actor="kim", reason="wrong size")
    assert found == [("orders.events/bc:1001", given)]


@pytest.mark.parametrize(
    ("target", "name", "lines", "words"),
    [
        ("nowhere:1", "R-1", {"M1": 1}, "no order of a channel"),
        ("bc", "R-1", {"M1": 1}, "no order of a channel"),
        ("bc:1001", "", {"M1": 1}, "needs its name"),
        ("bc:1001", "R-1", {}, "lines of at least 1 unit"),
        ("bc:1001", "R-1", {"M1": 0}, "lines of at least 1 unit"),
    ],
)
def test_a_return_that_nobody_can_take_in_is_set_aside_with_the_reason(
    target: str, name: str, lines: dict[str, int], words: str
) -> None:
    found, batch = authorise(target, name, **lines)
    assert found == []
    [(_, reason)] = batch.dead
    assert words in reason
