"""murmur2 as Java's Kafka clients compute it: which partition a key goes to. Pure arithmetic, no client needed."""

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit murmur2 hash of `data`, unsigned, with the seed of Kafka's default partitioner."""
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if length & 3:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key (UTF-8) in a topic with so many partitions; the same one Java producers and `murmur2_random` choose.

    An empty key has no partition of its own (producers spread it), so it is refused with ValueError.
    """
    if not key:
        raise ValueError("an empty key has no partition of its own")
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
