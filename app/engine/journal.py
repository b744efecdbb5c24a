"""The journal of `at_least_once`: how rows and input positions are kept together without transactions. Bytes in, bytes out; no Kafka here.

A partition's journal holds three kinds of records. A *claim* says whose writes count from here on (an epoch, random per taking over). *Rows* carry the
epoch and cycle they belong to. A *marker* ends a cycle: it carries the epoch, the cycle, how many rows it had and the input positions after it. Rows
count once their marker is there; rows of another epoch than the last claim's never do.
"""

import os

import msgspec

MARKER_KEY = b"\x00journal"
"""No table's name begins with NUL, so no row can have this key."""
EPOCH_BYTES = 8
_ROW, _DELETE, _CLAIM, _MARKER = b"R", b"D", b"C", b"M"
_PREFIX = EPOCH_BYTES + 8
_encode = msgspec.msgpack.Encoder().encode


class _Marker(msgspec.Struct, frozen=True):
    rows: int
    positions: dict[str, int]


_decode = msgspec.msgpack.Decoder(_Marker).decode


class Damaged(ValueError):
    """A record that no journal writer makes, or a marker whose rows are not all there."""


def new_epoch() -> bytes:
    """Never used before."""
    return os.urandom(EPOCH_BYTES)


def prefix(epoch: bytes, cycle: int) -> bytes:
    """What every record of one cycle begins with."""
    return epoch + cycle.to_bytes(8, "big")


def row(cycle_prefix: bytes, value: bytes | None) -> bytes:
    """A row's value in the journal; None deletes."""
    return cycle_prefix + (_DELETE if value is None else _ROW + value)


def claim(epoch: bytes) -> bytes:
    return prefix(epoch, 0) + _CLAIM


def marker(cycle_prefix: bytes, rows: int, positions: dict[str, int]) -> bytes:
    return cycle_prefix + _MARKER + _encode(_Marker(rows, positions))


class JournalFold:
    """Folds the journal of one partition, record by record, into rows that count and the last input positions.

    Start it with what the local store knows (`epoch`, `positions`, `offset`), or with nothing for a read from the beginning.
    """

    def __init__(self, epoch: bytes = b"", positions: dict[str, int] | None = None, offset: int = 0) -> None:
        self.epoch = epoch
        self.positions: dict[str, int] = dict(positions or {})
        self.offset = offset
        self._cycle = b""
        self._pending: dict[bytes, bytes | None] = {}
        self._settled: list[tuple[bytes, bytes | None]] = []

    def feed(self, offset: int, key: bytes, value: bytes) -> None:
        """One record. Raises Damaged."""
        begin, kind, body = value[:_PREFIX], value[_PREFIX : _PREFIX + 1], value[_PREFIX + 1 :]
        epoch = begin[:EPOCH_BYTES]
        if kind == _CLAIM:
            self.epoch = epoch
            self._pending = {}
            self.offset = offset + 1
        elif epoch == self.epoch:
            self._feed_own(offset, begin, kind, key, body)
        elif kind not in (_ROW, _DELETE, _MARKER):
            raise Damaged(f"record at offset {offset} is of no known kind")

    def _feed_own(self, offset: int, begin: bytes, kind: bytes, key: bytes, body: bytes) -> None:
        if begin != self._cycle:
            self._cycle = begin
            self._pending = {}
        if kind == _ROW:
            self._pending[key] = body
        elif kind == _DELETE:
            self._pending[key] = None
        elif kind == _MARKER:
            said = _decode(body)
            if said.rows != len(self._pending):
                raise Damaged(f"marker at offset {offset} ends {said.rows} rows, {len(self._pending)} are there")
            self._settled.extend(self._pending.items())
            self._pending = {}
            self.positions = dict(said.positions)
            self.offset = offset + 1
        else:
            raise Damaged(f"record at offset {offset} is of no known kind")

    def take(self) -> list[tuple[bytes, bytes | None]]:
        """The rows that came to count since the last call, in order; `offset`, `epoch` and `positions` go with them."""
        rows, self._settled = self._settled, []
        return rows
