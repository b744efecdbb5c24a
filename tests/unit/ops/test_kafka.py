"""Client properties: where to, how to log in, and Java's partitioner everywhere."""

from pydantic import SecretStr

from app import kafka
from app.settings import KafkaSettings


def test_every_producer_is_durable_and_partitions_as_java_does() -> None:
    found = kafka.producer(KafkaSettings(bootstrap="a:1"), {"linger.ms": 1})
    assert (found["partitioner"], found["acks"], found["enable.idempotence"]) == ("murmur2_random", "all", True)
    assert found["linger.ms"] == 1
    assert "sasl.username" not in found


def test_a_user_name_means_tls_and_scram_unless_said_otherwise() -> None:
    given = KafkaSettings(bootstrap="a:1", username="u", password=SecretStr("p"))
    found = kafka.client(given)
    assert (found["security.protocol"], found["sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (found["sasl.username"], found["sasl.password"]) == ("u", "p")
    plain = given.model_copy(update={"security": {"sasl.mechanism": "PLAIN", "ssl.ca.location": "/ca.pem"}})
    found = kafka.client(plain)
    assert (found["sasl.mechanism"], found["ssl.ca.location"]) == ("PLAIN", "/ca.pem")


def test_a_prefix_stands_before_every_topic() -> None:
    assert kafka.topic(KafkaSettings(topic_prefix="shop."), "orders.events") == "shop.orders.events"
