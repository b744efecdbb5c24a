"""What failed requests mean, and how the peer's clock is bounded."""

import random
from collections.abc import Callable
from email.utils import formatdate

import httpx
import pytest

from app.connectors.contract import Priority
from app.connectors.errors import Malformed, OutcomeUnknown, PeerError, Throttled, Unauthorised, Unavailable
from app.connectors.http import READ, DirectTransport, PeerClock, json_object, retry_after

URL = "https://peer.example/v1/things?secret=no"


def transport(answer: Callable[[httpx.Request], httpx.Response]) -> DirectTransport:
    return DirectTransport("shop", client=httpx.AsyncClient(transport=httpx.MockTransport(answer)))


def failing(error: type[httpx.TransportError]) -> DirectTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("it failed", request=request)

    return transport(answer)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_never_left_is_unavailable(error: type[httpx.TransportError], method: str) -> None:
    with pytest.raises(Unavailable):
        await failing(error).request(method, URL, priority=Priority.SWEEP)


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout, httpx.WriteTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError]
)
async def test_a_lost_answer_is_unknown_for_writes_and_unavailable_for_reads(
    error: type[httpx.TransportError],
) -> None:
    with pytest.raises(OutcomeUnknown):
        await failing(error).request("POST", URL, priority=Priority.SWEEP)
    for method, options in (("GET", {}), ("POST", {"extensions": dict(READ)})):
        with pytest.raises(Unavailable):
            await failing(error).request(method, URL, priority=Priority.SWEEP, **options)


@pytest.mark.parametrize(
    ("method", "status", "error"),
    [
        ("GET", 429, Throttled),
        ("POST", 429, Throttled),
        ("POST", 401, Unauthorised),
        ("GET", 403, Unauthorised),
        ("POST", 500, OutcomeUnknown),
        ("PUT", 503, OutcomeUnknown),
        ("GET", 502, Unavailable),
    ],
)
async def test_a_status_says_what_may_be_done(method: str, status: int, error: type[PeerError]) -> None:
    answering = transport(lambda _: httpx.Response(status, headers={"Retry-After": "7"}))
    with pytest.raises(error) as raised:
        await answering.request(method, URL, priority=Priority.SWEEP)
    assert type(raised.value) is error
    assert raised.value.status == status
    assert raised.value.retry_after == 7.0
    assert "/v1/things" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 404, 409, 422])
async def test_every_other_answer_is_the_callers(status: int) -> None:
    response = await transport(lambda _: httpx.Response(status)).request("POST", URL, priority=Priority.SWEEP)
    assert response.status_code == status


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), ("0.5", 0.5), ("-2", 0.0), ("soon", None), ("", None)])
def test_retry_after_in_seconds(header: str, seconds: float | None) -> None:
    assert retry_after(httpx.Response(429, headers={"Retry-After": header})) == seconds


def test_retry_after_as_a_date_that_has_passed_is_no_wait() -> None:
    assert retry_after(httpx.Response(429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})) == 0.0


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"", b"\xff"])
def test_a_body_that_is_no_object_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="shop: GET /x"):
        json_object("shop", "GET /x", httpx.Response(200, content=body))


class Clocks:
    """Our steady time and the peer's, both by hand, in seconds."""

    def __init__(self, peer: float) -> None:
        self.steady, self.peer = 1000.0, peer

    def pass_time(self, seconds: float) -> None:
        self.steady += seconds
        self.peer += seconds

    def exchange(self, clock: PeerClock, there: float, back: float, stale: float = 0.0) -> None:
        sent = clock.mark()
        self.pass_time(there)
        stamped = formatdate(int(self.peer - stale), usegmt=True)
        self.pass_time(back)
        clock.observe(stamped, sent)

    def encloses(self, clock: PeerClock) -> bool:
        low, high = clock.now()
        return low <= self.peer * 1000 <= high


def test_before_any_answer_our_own_clock_counts_loosely() -> None:
    clock = PeerClock(steady=lambda: 5.0, wall=lambda: 1_000.0)
    assert clock.now() == (940_000, 1_060_000)


def test_the_bounds_enclose_the_peers_time_and_get_narrower() -> None:
    rng = random.Random(3)
    for _ in range(50):
        clocks = Clocks(peer=1_800_000_000 + rng.uniform(-1e6, 1e6))
        clock = PeerClock(steady=lambda clocks=clocks: clocks.steady)
        clocks.exchange(clock, 0.05, 0.05, stale=rng.uniform(0, 1))
        first = clock.now()[1] - clock.now()[0]
        for _ in range(60):
            clocks.pass_time(rng.uniform(0, 0.7))
            clocks.exchange(clock, rng.uniform(0.001, 0.2), rng.uniform(0.001, 0.2), stale=rng.uniform(0, 1))
            assert clocks.encloses(clock)
        assert clock.now()[1] - clock.now()[0] < first


def test_without_staleness_many_answers_give_nearly_the_exact_time() -> None:
    clocks = Clocks(peer=1_800_000_000.4)
    clock = PeerClock(stale=0, steady=lambda: clocks.steady)
    for _ in range(40):
        clocks.pass_time(0.237)
        clocks.exchange(clock, 0.002, 0.002)
    low, high = clock.now()
    assert clocks.encloses(clock)
    assert high - low < 100


def test_a_peer_whose_clock_was_set_is_followed_at_once() -> None:
    clocks = Clocks(peer=1_800_000_000.0)
    clock = PeerClock(steady=lambda: clocks.steady)
    clocks.exchange(clock, 0.01, 0.01)
    for step in (-3600.0, 7200.0):
        clocks.peer += step
        clocks.exchange(clock, 0.01, 0.01)
        assert clocks.encloses(clock)


def test_a_peer_whose_clock_runs_a_little_fast_stays_enclosed() -> None:
    clocks = Clocks(peer=1_800_000_000.0)
    clock = PeerClock(steady=lambda: clocks.steady)
    clocks.exchange(clock, 0.01, 0.01)
    clocks.pass_time(3600)
    clocks.peer += 3600 * 100e-6
    assert clocks.encloses(clock)


def test_unreadable_dates_are_passed_over() -> None:
    clock = PeerClock(steady=lambda: 5.0, wall=lambda: 1_000.0)
    for date in (None, "", "yesterday", "Wed, 99 Oct 2015 07:28:00 GMT"):
        clock.observe(date, 0.0)
    assert clock.now() == (940_000, 1_060_000)
