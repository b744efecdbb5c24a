"""Keys go where Java's clients and librdkafka put them."""

import pytest

from app.engine import murmur2, partition_of


@pytest.mark.parametrize(
    ("key", "partition"),
    [  # chosen by librdkafka's `murmur2_random` for a topic of 997 partitions
        ("a", 104),
        ("ab", 752),
        ("abc", 843),
        ("abcd", 39),
        ("abcde", 896),
        ("clarus", 273),
        ("ct-eu", 925),
        ("bc-us", 975),
        ("SKU-000001", 975),
        ("ct-eu:4711", 586),
        ("é-ümlaut", 203),
        ("日本語", 674),
        ("a" * 31, 354),
        ("ct-eu:0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0", 430),
    ],
)
def test_a_key_has_the_partition_librdkafka_chooses(key: str, partition: int) -> None:
    assert partition_of(key, 997) == partition


@pytest.mark.parametrize(
    ("data", "signed"),
    [  # what Java's Utils.murmur2 gives
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_javas(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed & 0xFFFFFFFF


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ValueError, match="empty key"):
        partition_of("", 24)
