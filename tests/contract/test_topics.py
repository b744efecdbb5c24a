"""`clarus-stream topics` on a broker: created, checked, told. The bundled broker here; a real Apache Kafka where the integration tests have one."""

from collections.abc import Iterator

import pytest

from app import topics
from app.config import load
from app.settings import Settings
from tests.support.bundled import bundled_broker


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    with bundled_broker() as (address, _):
        yield address


def made(bootstrap: str, partitions: int, prefix: str) -> Settings:
    return load(
        None,
        {
            "CLARUS_STREAM__KAFKA__BOOTSTRAP": bootstrap,
            "CLARUS_STREAM__KAFKA__PARTITIONS": str(partitions),
            "CLARUS_STREAM__KAFKA__REPLICATION": "1",
            "CLARUS_STREAM__KAFKA__TOPIC_PREFIX": prefix,
        },
    ).settings


def test_created_once_then_found(bootstrap: str) -> None:
    settings = made(bootstrap, 3, "a.")
    assert {f.state for f in topics.check(settings).topics} == {"missing"}
    assert {f.state for f in topics.ensure(settings).topics} == {"created"}
    assert {f.state for f in topics.ensure(settings).topics} <= {"ok", "changed"}
    assert topics.check(settings).ok


def test_other_partitions_are_refused_with_the_remedy(bootstrap: str) -> None:
    assert topics.ensure(made(bootstrap, 3, "b.")).ok
    report = topics.ensure(made(bootstrap, 5, "b."))
    assert not report.ok
    assert "set settings.kafka.partitions to 3" in report.as_text()
    assert topics.check(made(bootstrap, 3, "b.")).ok


def test_two_installations_lie_side_by_side(bootstrap: str) -> None:
    assert topics.ensure(made(bootstrap, 2, "c.")).ok
    assert {f.state for f in topics.check(made(bootstrap, 2, "d.")).topics} == {"missing"}
