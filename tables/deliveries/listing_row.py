"""The durable row of one listing at its peer and the steps it may need next (ledger.md R5). Data only: the rules are in `tables.deliveries.listing`."""

import msgspec

Mark = tuple[int, int, int]
"""Our mark on an entry: epoch, attempt, gross quantity."""


class Intent(msgspec.Struct, array_like=True):
    """An attempt that was committed before its request left: its outcome is unknown until an answer is."""

    attempt: int
    delta: int
    gross: int
    zero: bool
    version: int
    at: int


class ListingRow(msgspec.Struct, array_like=True):
    """Everything durable about one listing at its peer (R5)."""

    listing: str
    channel: str
    sku: str
    epoch: int = 0  # 0: not adopted yet, nothing is written
    version: int = 0
    inc: int = 0
    dec: int = 0
    to_zero: bool = False
    priority: int = 5
    published: int = 0  # P: gross units the listing certainly has
    high: int = 0  # H: gross units it may at most have
    attempt: int = 0
    marker_seen: int = 0
    intent: Intent | None = None
    sent: int = 0  # version of the last attempt
    told: int = 0  # newest version whose outcome was reported
    verify: int = 0  # version that waits for its read-back, 0 for none
    hold: bool = False  # an absolute zero is not read back yet
    unsure_until: int = 0
    acked_at: int = 0
    pver: int = 0
    peer_id: str = ""
    peer_version: int = 0
    look_up: bool = False  # the marker must be read before anything else
    checked_at: int = 0  # our time of the last read-back
    asked: int = -1  # pver of a read-back that awaits its judgement, -1 for none
    asked_at: int = 0
    changed_at: int = 0
    set_once: bool = True  # False: the peer never had an absolute value (BigCommerce)
    not_before: int = 0  # another owner's request may still be under way until then
    epoch_floor: int = 0  # newest epoch a command spoke of: the next baseline lies above it
    caused_at: int = 0  # when what the newest command follows from occurred; 0 once it is confirmed
    escrow: bool = False  # the pool is split: others wait for the outcome of a decrease
    resync: bool = False  # an operator asked for a read-back
    unguarded: str = ""  # why the storefront may sell beyond what it shows, by the newest read; empty: it refuses at 0
    shown: int = 0  # what the last read showed on offer
    shown_at: int = 0  # its time at the peer, 0: never read


class Write(msgspec.Struct, frozen=True):
    """Send this: `delta` relative, or an absolute zero (`delta` is then what the gross quantity changes by)."""

    delta: int
    zero: bool = False


class LookUp(msgspec.Struct, frozen=True):
    """Read the listing and hand it to `looked_up`: an outcome is unknown."""


class CheckBack(msgspec.Struct, frozen=True):
    """Read the listing and hand it to `read_back`."""


class Adopt(msgspec.Struct, frozen=True):
    """Read the listing and hand it to `adopt`: it has no baseline in this epoch."""


class Tell(msgspec.Struct, frozen=True):
    """Nothing to write for this version: report its outcome (`tell`)."""


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do before `until` (milliseconds), or before something new arrives (None)."""

    until: int | None


Step = Write | LookUp | CheckBack | Adopt | Tell | Wait
