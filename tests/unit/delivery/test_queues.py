"""What owners tell of their queues."""

from app.connectors.contract import Priority
from app.delivery.queues import Queues


def test_many_that_wait_are_counted_as_one_by_one() -> None:
    since = {"a": 30, "b": 10, "gone": 1}
    one_by_one, together = Queues("orders"), Queues("orders")
    for queues in one_by_one, together:
        queues.add(Priority.RELEASE, 20)
    for key in ("a", "b", "new"):
        one_by_one.add(Priority.RELEASE, since.get(key))
    together.add_all(Priority.RELEASE, {"a", "b", "new"}, since)
    assert together == one_by_one
    assert (together.classes[Priority.RELEASE].count, together.classes[Priority.RELEASE].oldest) == (4, 10)


def test_what_waits_since_nobody_knows_when_is_counted() -> None:
    found = Queues("orders")
    found.add_all(Priority.DESPATCH, {"a"}, {})
    assert (found.classes[Priority.DESPATCH].count, found.classes[Priority.DESPATCH].oldest) == (1, None)
