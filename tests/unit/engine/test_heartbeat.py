"""Who is to blame for a silence."""

from app.engine.heartbeat import Heartbeat


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_age_is_that_of_the_last_beat() -> None:
    clock = Clock()
    heart = Heartbeat(6.0, clock)
    clock.now += 2.5
    assert heart.age_ms() == 2_500
    heart.beat()
    assert heart.age_ms() == 0


def test_trouble_with_the_broker_is_remembered_for_a_minute() -> None:
    clock = Clock()
    heart = Heartbeat(6.0, clock)
    assert not heart.blames_broker()
    heart.broker_trouble()
    clock.now += 59
    assert heart.blames_broker()
    clock.now += 2
    assert not heart.blames_broker()


def test_a_freeze_of_our_own_is_not_the_brokers_fault() -> None:
    clock = Clock()
    heart = Heartbeat(6.0, clock)
    heart.tick()
    clock.now += 7
    heart.tick()
    heart.broker_trouble()
    assert not heart.blames_broker()


def test_a_loop_that_ticks_on_time_is_not_frozen() -> None:
    clock = Clock()
    heart = Heartbeat(6.0, clock)
    for _ in range(20):
        clock.now += 0.5
        heart.tick()
    heart.broker_trouble()
    assert heart.blames_broker()
