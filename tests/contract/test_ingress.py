"""What a peer may rely on when it posts a notification, with the real connectors' intakes behind: who is let in, how much, and what an answer means."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app import metrics
from app.config import load
from app.connectors import CLARUS, intake_for
from app.ingress.hooks import Door, Hooks
from app.ingress.service import hook_path, path_secret, shut
from schemas.catalogue import INGRESS_WEBHOOKS
from schemas.codec import Codecs
from schemas.records import Event, RawNotification
from tests.support.files import SHOP, shop
from tests.support.sinks import MemorySink

CODEC = Codecs()[INGRESS_WEBHOOKS]
LIMIT = 1000
TENANT = {"x-claruswms-subdomain": "shop"}
ORDER = json.dumps(
    {"scope": "store/order/updated", "producer": "stores/abc", "data": {"type": "order", "id": 250}}
).encode()
STOCK = json.dumps({"id": 7, "product": {"code": "000123"}, "warehouse": {"code": "MAIN"}, "quantity": 3}).encode()
TEXT = SHOP.replace(
    "client_secret: clarus-secret", "client_secret: clarus-secret, subdomain: shop, webhook_secret: floor"
).replace("webhook_secret: hook-secret", "client_secret: signing-key")


class Service:
    """The hooks of a shop behind an in-process client."""

    def __init__(self, folder: Path, text: str = TEXT) -> None:
        self.settings = load(shop(folder, text), {}).settings
        self.sink = MemorySink()
        doors = {
            name: Door(intake_for(name, self.settings), path_secret(name, self.settings))
            for name in (*self.settings.channels, CLARUS)
        }
        self.hooks = Hooks(doors, self.sink, CODEC, LIMIT)
        transport = httpx.ASGITransport(app=self.hooks.app())
        self.client = httpx.AsyncClient(transport=transport, base_url="http://ingress", headers=TENANT)

    def taken(self) -> list[tuple[str, Event[RawNotification]]]:
        return [(key, CODEC.decode(value)) for key, value in self.sink.records]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    made = Service(tmp_path)
    async with made.client:
        yield made


def signed(body: bytes, key: str = "signing-key", at: float | None = None) -> dict[str, str]:
    stamp = str(int(at if at is not None else time.time()))
    digest = hmac.new(key.encode(), b"msg_1." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        "content-type": "application/json",
    }


def counted(channel: str, status: int, reason: str) -> float:
    labels = {"channel": channel, "status": str(status), "reason": reason}
    return metrics.REGISTRIES["ingress"].get_sample_value("clarus_stream_webhooks_total", labels) or 0.0


async def test_a_signed_notification_is_kept_byte_for_byte_under_its_entity(service: Service) -> None:
    body = ORDER.replace(b": ", b" :  ")
    answer = await service.client.post("/hooks/bc-us", content=body, headers=signed(body))
    assert (answer.status_code, answer.content) == (200, b"")
    [(key, event)] = service.taken()
    assert key.startswith("bc-us:")
    assert "250" in key
    assert event.body.body == body
    assert (event.source, event.body.channel, event.body.route) == ("bc-us", "bc-us", "")
    assert event.received_at == event.occurred_at > 1_600_000_000_000


async def test_only_headers_the_intake_needs_are_kept(service: Service) -> None:
    headers = {
        "X-ClarusWMS-Automation-ID": "43",
        "X-ClarusWMS-Subdomain": "shop",
        "Authorization": "Bearer x",
        "Cookie": "a=b",
        "X-Forwarded-For": "10.0.0.1",
        "Content-Type": "application/json",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    assert (
        await service.client.post("/hooks/clarus/floor/stock.received", content=STOCK, headers=headers)
    ).status_code == 200
    [(_, event)] = service.taken()
    assert event.body.headers == {
        "x-claruswms-automation-id": "43",
        "x-claruswms-subdomain": "shop",
        "content-type": "application/json",
    }
    assert event.body.route == "stock.received"
    assert event.trace == headers["traceparent"]


async def test_equal_notifications_are_two_records_with_two_ids(service: Service) -> None:
    for _ in range(2):
        assert (await service.client.post("/hooks/clarus/floor", content=STOCK)).status_code == 200
    first, second = service.taken()
    assert first[0] == second[0]
    assert first[1].event_id != second[1].event_id


FORGED = {
    "no signature": ("/hooks/bc-us", {}),
    "another key": ("/hooks/bc-us", signed(ORDER, "guess")),
    "another body": ("/hooks/bc-us", signed(b"{}")),
    "an old signature": ("/hooks/bc-us", signed(ORDER, at=time.time() - 30 * 86_400)),
    "a path secret where there is none": ("/hooks/bc-us/floor", signed(ORDER)),
    "no path secret": ("/hooks/clarus", {}),
    "a wrong path secret": ("/hooks/clarus/flood", {}),
    "a path secret that is not ASCII": ("/hooks/clarus/fl%C3%B6or", {}),
    "a secret that was never set": ("/hooks/ct-eu", {}),
    "a secret where none was ever set": ("/hooks/ct-eu/anything", {}),
    "another tenant": ("/hooks/clarus/floor", {"x-claruswms-subdomain": "elsewhere"}),
}


@pytest.mark.parametrize("case", FORGED)
async def test_what_is_forged_is_refused_and_counted(service: Service, case: str) -> None:
    path, headers = FORGED[case]
    channel = path.split("/")[2]
    reason = "wrong_secret" if "secret" in case else "forged"
    before = counted(channel, 401, reason)
    answer = await service.client.post(path, content=ORDER, headers=headers)
    assert (answer.status_code, answer.content) == (401, b"")
    assert service.sink.records == []
    assert counted(channel, 401, reason) == before + 1


async def test_a_channel_that_is_not_configured_is_not_there(service: Service) -> None:
    before = counted("unknown", 404, "unknown_channel")
    assert (await service.client.post("/hooks/shop-9/floor", content=b"{}")).status_code == 404
    assert counted("unknown", 404, "unknown_channel") == before + 1


async def test_only_post_is_taken(service: Service) -> None:
    assert (await service.client.get("/hooks/clarus/floor")).status_code == 405


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_refused_while_it_is_read(service: Service, announced: bool) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 100
            yield b"x" * 100

    before = counted("clarus", 413, "too_large")
    content = b"x" * 10_000 if announced else body()
    answer = await service.client.post("/hooks/clarus/floor", content=content)
    assert answer.status_code == 413
    assert service.sink.records == []
    assert counted("clarus", 413, "too_large") == before + 1


async def test_a_body_of_exactly_the_limit_is_taken(service: Service) -> None:
    assert (await service.client.post("/hooks/clarus/floor", content=b"x" * LIMIT)).status_code == 200


async def test_no_answer_before_the_record_is_durable(service: Service) -> None:
    service.sink.gate.clear()
    posted = asyncio.create_task(service.client.post("/hooks/clarus/floor", content=STOCK))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not posted.done()
    service.sink.gate.set()
    assert (await posted).status_code == 200
    assert len(service.sink.records) == 1


async def test_while_kafka_takes_nothing_the_sender_is_asked_to_come_again(service: Service) -> None:
    service.sink.refuse = 1
    before = counted("clarus", 503, "not_durable")
    answer = await service.client.post("/hooks/clarus/floor", content=STOCK)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert counted("clarus", 503, "not_durable") == before + 1
    assert (await service.client.post("/hooks/clarus/floor", content=STOCK)).status_code == 200


async def test_a_body_nobody_can_read_is_kept_too(service: Service) -> None:
    body = b"\x00\xff{not json"
    assert (await service.client.post("/hooks/clarus/floor", content=body)).status_code == 200
    [(key, event)] = service.taken()
    assert event.body.body == body
    assert key == "clarus:"


async def test_readiness_follows_kafka_and_the_end(service: Service) -> None:
    assert (await service.client.get("/ready")).status_code == 200
    service.sink.ready = False
    assert (await service.client.get("/ready")).status_code == 503
    service.sink.ready = True
    service.hooks.stopping = True
    assert (await service.client.get("/ready")).status_code == 503
    assert (await service.client.get("/live")).status_code == 200
    assert "clarus_stream_webhooks_total" in (await service.client.get("/metrics")).text


async def test_the_address_to_give_to_a_peer_is_let_in(tmp_path: Path) -> None:
    text = TEXT.replace("settings:\n", "settings:\n  ingress: {path_secret: general}\n")
    service = Service(tmp_path, text)
    assert hook_path("clarus", service.settings) == "/hooks/clarus/floor"
    assert hook_path("bc-us", service.settings) == "/hooks/bc-us"
    assert hook_path("ct-eu", service.settings) == "/hooks/ct-eu/general"
    async with service.client:
        for channel in ("clarus", "ct-eu"):
            assert (await service.client.post(hook_path(channel, service.settings), content=STOCK)).status_code == 200


async def test_a_storefront_without_any_secret_is_not_let_in_and_told(tmp_path: Path) -> None:
    service = Service(tmp_path, TEXT.replace(", client_secret: signing-key", ""))
    async with service.client:
        assert (await service.client.post("/hooks/bc-us", content=ORDER)).status_code == 401
        assert (await service.client.post("/hooks/bc-us", content=ORDER, headers=signed(ORDER, ""))).status_code == 401
    assert shut(service.settings) == {
        "bc-us": "channels.bc-us.client_secret or webhook_secret",
        "ct-eu": "settings.ingress.path_secret",
    }
