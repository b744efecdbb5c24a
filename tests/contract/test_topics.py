"""`clarus-stream topics` on every broker the product promises to run on: created, checked, told."""

from app import topics
from app.config import load
from app.settings import Settings
from tests.brokers import TestBroker


def made(broker: TestBroker, partitions: int, part: str) -> Settings:
    return load(
        None,
        {
            "CLARUS_STREAM__KAFKA__BOOTSTRAP": broker.bootstrap,
            "CLARUS_STREAM__KAFKA__PARTITIONS": str(partitions),
            "CLARUS_STREAM__KAFKA__REPLICATION": "1",
            "CLARUS_STREAM__KAFKA__TOPIC_PREFIX": broker.prefix + part,
        },
    ).settings


def test_created_once_then_found(broker: TestBroker) -> None:
    settings = made(broker, 3, "a.")
    assert {f.state for f in topics.check(settings).topics} == {"missing"}
    assert {f.state for f in topics.ensure(settings).topics} == {"created"}
    assert {f.state for f in topics.ensure(settings).topics} <= {"ok", "changed"}
    assert topics.check(settings).ok


def test_other_partitions_are_refused_with_the_remedy(broker: TestBroker) -> None:
    assert topics.ensure(made(broker, 3, "b.")).ok
    report = topics.ensure(made(broker, 5, "b."))
    assert not report.ok
    assert "set settings.kafka.partitions to 3" in report.as_text()
    assert topics.check(made(broker, 3, "b.")).ok


def test_two_installations_lie_side_by_side(broker: TestBroker) -> None:
    assert topics.ensure(made(broker, 2, "c.")).ok
    assert {f.state for f in topics.check(made(broker, 2, "d.")).topics} == {"missing"}
