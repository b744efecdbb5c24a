"""Fixtures every test may use: brokers, found once per run."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from app.broker import BrokerError, BundledBroker
from tests.brokers import NoKafka, TestBroker, random_prefix, real_kafka

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of an example
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def _bundled_broker() -> Iterator[BundledBroker]:
    broker = BundledBroker()
    try:
        broker.start()
    except BrokerError as error:
        pytest.skip(f"needs the bundled broker: {error}")
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def _real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestBroker]:
    try:
        broker = real_kafka(tmp_path_factory.mktemp("kafka"))
    except NoKafka as reason:
        pytest.skip(f"needs a real Kafka: {reason}")
    yield broker
    broker.stop()


@pytest.fixture
def bundled(_bundled_broker: BundledBroker) -> TestBroker:
    """The bundled broker with a prefix of this test's own."""
    return TestBroker("bundled", _bundled_broker.bootstrap, random_prefix(), lambda: None)


@pytest.fixture
def kafka(_real_kafka: TestBroker) -> TestBroker:
    """A real Kafka with a prefix of this test's own. Mark the test `kafka`."""
    return TestBroker(_real_kafka.kind, _real_kafka.bootstrap, random_prefix(), lambda: None)


@pytest.fixture(params=["bundled", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> TestBroker:
    """Every broker the product promises to run on, one after the other."""
    found: TestBroker = request.getfixturevalue(request.param)
    return found
