"""The budget of a channel obeys the peer's headers and shrinks on 429."""

from app.connectors.contract import RateHint
from app.delivery.bucket import Bucket


def sent_within(bucket: Bucket, start: float, seconds: float, *, urgent: bool = True) -> int:
    """How many requests the bucket lets out in this time."""
    now, count = start, 0
    while True:
        wait = bucket.wait(now, urgent=urgent)
        now += wait
        if now >= start + seconds:
            return count
        if wait == 0:
            bucket.take(now)
            count += 1


def test_the_ceiling_holds_over_time() -> None:
    bucket = Bucket(10.0, burst=5)
    assert 5 + 99 <= sent_within(bucket, 0.0, 10.0) <= 5 + 100


def test_a_429_halves_the_rate_and_pauses_and_the_rate_grows_back() -> None:
    bucket = Bucket(10.0)
    bucket.take(0.0)
    bucket.throttled(0.0, 3.0)
    assert bucket.wait(0.0, urgent=True) == 3.0
    assert bucket.rate == 5.0
    bucket.throttled(0.0, None)
    assert bucket.rate == 2.5
    assert sent_within(bucket, 3.0, 1.0) <= 5
    for second in range(5, 60):
        bucket.wait(float(second), urgent=True)
    assert bucket.rate == 10.0


def test_pauses_double_while_the_peer_goes_on_throttling_without_saying_how_long() -> None:
    bucket = Bucket(10.0)
    pauses = []
    for _ in range(3):
        bucket.throttled(0.0, None)
        pauses.append(bucket.wait(0.0, urgent=True))
    assert pauses == [1.0, 2.0, 4.0]
    bucket.succeeded()
    bucket.throttled(100.0, None)
    assert bucket.wait(100.0, urgent=True) == 1.0


def test_what_the_peers_window_has_left_is_never_exceeded() -> None:
    bucket = Bucket(100.0)
    bucket.learn(RateHint(remaining=7, quota=150, reset_after=10.0), 0.0, under_way=3)
    assert sent_within(bucket, 0.0, 9.9) == 4
    assert bucket.wait(10.1, urgent=True) == 0.0


def test_a_quota_is_spread_over_its_window() -> None:
    bucket = Bucket(100.0, burst=10)
    bucket.learn(RateHint(remaining=150, quota=150, reset_after=30.0), 0.0, under_way=0)
    assert 50 <= sent_within(bucket, 0.0, 10.0) <= 60


def test_a_reserve_is_kept_for_what_matters_most() -> None:
    bucket = Bucket(1.0, burst=20)
    assert sent_within(bucket, 0.0, 0.5, urgent=False) == 18
    assert bucket.wait(0.5, urgent=False) > 0
    assert bucket.wait(0.5, urgent=True) == 0
