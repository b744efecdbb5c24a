"""The values of every topic as typed records, field for field what the `.avsc` files beside this module say (a test compares them).

Times are milliseconds since 1970 UTC, quantities whole units. What a field means is said in the schema, once.
"""

from typing import Generic, Literal, TypeVar

import msgspec


class Record(msgspec.Struct):
    """Base of every Avro record."""


class RawNotification(Record, kw_only=True):
    """The body and the headers that matter."""

    channel: str
    route: str
    headers: dict[str, str]
    body: bytes


OrderState = Literal["OPEN", "CANCELLED"]
"""Does the storefront still want it?"""


class OrderLine(Record, kw_only=True):
    """One line of an order."""

    line_id: str
    sku: str
    location: str = ""
    quantity: int
    name: str = ""
    tracked: bool
    taken_from: int
    taken_to: int
    restocked_at: int | None = None
    shippable: bool = True
    unguarded: str = ""
    address: str = ""
    note: str = ""
    price: int = 0


PaymentKind = Literal["CHARGE", "REFUND", "CHARGEBACK"]
"""Which way the money goes."""

PaymentState = Literal["PENDING", "DONE", "FAILED"]
"""How far it is."""


class Payment(Record, kw_only=True):
    """One movement of money at the storefront."""

    payment_id: str
    kind: PaymentKind
    state: PaymentState
    amount: int
    at: int = 0
    key: str = ""
    lines: dict[str, int] = {}


class ReturnLine(Record, kw_only=True):
    """What of one order line comes back."""

    line_id: str
    units: int
    item_id: str = ""


class StorefrontReturn(Record, kw_only=True):
    """A return that the storefront authorised."""

    return_id: str
    at: int = 0
    tracking: str = ""
    lines: list[ReturnLine]
    open: bool = True


class Address(Record, kw_only=True):
    """A delivery address. Personal data."""

    name: str = ""
    company: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""
    phone: str = ""
    email: str = ""
    extra: str = ""


class OrderSnapshot(Record, kw_only=True):
    """The whole order as its storefront showed it at one version."""

    channel: str
    order_id: str
    number: str
    version: int
    state: OrderState
    status: str
    paid: bool
    excluded: str | None = None
    hold: str = ""
    unmapped: bool = False
    created_at: int
    modified_at: int
    lines: list[OrderLine]
    shipping_method: str = ""
    address: Address | None = None
    note: str = ""
    gift: str = ""
    agreed: bool = False
    customer: str = ""
    purchase_order: str = ""
    requested_at: int | None = None
    collected: bool = False
    fields: dict[str, str] = {}
    faults: dict[str, str] = {}
    currency: str = ""
    digits: int = 2
    total: int = 0
    shipping_price: int = 0
    captured: int | None = None
    refunded: int | None = None
    payments: list[Payment] = []
    returns: list[StorefrontReturn] = []
    foreign: list[str] = []


WarehouseStatus = Literal[
    "PENDING",
    "ALLOCATED",
    "PART_ALLOCATED",
    "PICK",
    "COMPLETED",
    "CANCELLED",
    "DELETED",
    "REFUSED",
    "CANCEL_REFUSED",
    "DRAFT",
    "UNMAPPED",
    "CHANGE_REFUSED",
]
"""Clarus' status, or the outcome of our request."""


class WarehouseOrder(Record, kw_only=True):
    """What Clarus did with our goods out: the answer to a release, a cancel or a look-up."""

    reference: str
    status: WarehouseStatus
    wms_id: str = ""
    detail: str = ""
    ordered: dict[str, int] = {}
    holds: int = 0


class WarehouseParcel(Record, kw_only=True):
    """One parcel that left."""

    parcel_id: str
    tracking: str
    also: list[str] = []
    carrier: str = ""
    service: str = ""
    lines: dict[str, int]


class WarehouseDespatch(Record, kw_only=True):
    """Everything of one goods out that had left the warehouse when it was read: it replaces what was said before."""

    reference: str
    wms_id: str
    read_at: int
    complete: bool
    parcels: list[WarehouseParcel]


ShipmentState = Literal["SHIPPED", "REMOVED", "REFUSED"]
"""Where the parcel is now."""


class ShipmentOutcome(Record, kw_only=True):
    """What became of one parcel at its storefront."""

    parcel_id: str
    version: int
    state: ShipmentState
    peer_id: str = ""
    detail: str = ""


class AuthoriseReturn(Record, kw_only=True):
    """An operator authorised a return, where the storefront has none of its own."""

    return_id: str
    lines: dict[str, int]
    actor: str
    reason: str


ReceiptState = Literal["ANNOUNCED", "RECEIVED", "COMPLETED", "GONE", "REFUSED"]
"""How far it is."""


class WarehouseReturn(Record, kw_only=True):
    """What the warehouse has made of an announced return when it was read: it replaces what was said before."""

    return_id: str
    reference: str
    wms_id: str = ""
    state: ReceiptState
    read_at: int
    received: dict[str, int] = {}
    restocked: dict[str, int] = {}
    quarantined: dict[str, int] = {}
    scrapped: dict[str, int] = {}
    detail: str = ""


RefundState = Literal["SETTLED", "REFUSED"]
"""Where the part is now."""


class RefundOutcome(Record, kw_only=True):
    """What became of one part of a return at its storefront."""

    return_id: str
    part: int
    version: int
    state: RefundState
    amount: int = 0
    by_hand: int = 0
    refund_id: str = ""
    detail: str = ""


class OrderWatermark(Record, kw_only=True):
    """Every order of the channel changed up to this storefront time precedes this record in this partition."""

    channel: str
    up_to: int


class ReflectedLine(Record, kw_only=True):
    """How much of one order's demand for this SKU the balances no longer contain."""

    reference: str
    out: int
    closed: bool
    warehouse: str | None = None


class StockLevel(Record, kw_only=True):
    """A joint read of the warehouse for one SKU: lines, balances, lines. Long reads come in chunks and count at the last one."""

    sku: str
    read_no: int
    chunk: int
    chunks: int
    balances: dict[str, int]
    held: dict[str, int] = {}
    lines: list[ReflectedLine]
    read_at: int
    whole: bool = False


LineState = Literal["OPEN", "CANCELLING", "CLOSED"]
"""Further along wins at equal version."""


class DemandLine(Record, kw_only=True):
    """One order line's demand for this SKU. An upsert by version."""

    sku: str
    reference: str
    channel: str
    order_id: str
    line_id: str
    version: int
    eaches: int
    state: LineState
    warehouses: list[str]
    listing: str | None = None
    units: int = 0
    taken_from: int = 0
    taken_to: int = 0
    restocked_at: int | None = None
    ordered_at: str = ""
    unguarded: str = ""


class Watermark(Record, kw_only=True):
    """Every order of the channel up to this storefront time, of this partition of orders.events, precedes this record."""

    channel: str
    order_partition: int
    up_to: int


class StockOutcome(Record, kw_only=True):
    """What became of one stock command: nothing above the bound is or will be at the listing because of it."""

    sku: str
    listing: str
    epoch: int
    version: int
    bound: int
    at: int


class ReadBack(Record, kw_only=True):
    """The listing's own quantity, read when no request of ours was under way."""

    sku: str
    listing: str
    epoch: int
    pver: int
    quantity: int
    at_from: int
    at_to: int
    published: int
    verify: bool
    unguarded: str = ""
    shadow: bool = False


class Baseline(Record, kw_only=True):
    """A listing was read for the first time, or again under a new epoch: counting starts here."""

    sku: str
    listing: str
    epoch: int
    quantity: int
    at_from: int
    at_to: int
    unguarded: str = ""


class ComponentStock(Record, kw_only=True):
    """What a bundle may still use of one component; sent to the bundle's partition."""

    sku: str
    component: str
    version: int
    pools: dict[str, int]
    joint: dict[str, int]
    taken: dict[str, int]
    granted: dict[str, int] = {}


class BundleHold(Record, kw_only=True):
    """What a bundle's listings hold of what a component granted them (R9); sent to the component's partition."""

    sku: str
    bundle: str
    version: int
    seen: int
    sure: bool
    bounds: dict[str, int]
    most: dict[str, int]
    unguarded: dict[str, str] = {}


class AvailableToSell(Record, kw_only=True):
    """The figure, its version and its cause."""

    sku: str
    listing: str
    channel: str
    location: str
    channel_sku: str
    unit: str
    available: int
    version: int
    cause: str


LifecycleState = Literal[
    "RECEIVED",
    "HELD",
    "READY",
    "RELEASING",
    "RELEASED",
    "ALLOCATED",
    "PICKING",
    "DESPATCHED",
    "COMPLETED",
    "CANCELLING",
    "CANCELLED",
    "MANUAL_STOP",
    "IGNORED",
]
"""State of the life-cycle."""


class NormalisedOrder(Record, kw_only=True):
    """The order's state."""

    channel: str
    order_id: str
    number: str
    reference: str
    state: LifecycleState
    reason: str
    version: int


class StockTarget(Record, kw_only=True):
    """R4: the gross quantity a listing shall have."""

    channel: str
    sku: str
    listing: str
    epoch: int
    version: int
    inc: int
    dec: int
    to_zero: bool
    priority: int
    escrow: bool = False


class Correction(Record, kw_only=True):
    """R8: the judgement of a read-back."""

    channel: str
    sku: str
    listing: str
    epoch: int
    pver: int
    drift: int
    final: bool


class ReadStock(Record, kw_only=True):
    """A SKU is dirty: read it as a whole. `reference`: the goods out whose change told it, where one is named."""

    channel: str
    sku: str
    reason: str
    reference: str = ""


class FetchOrder(Record, kw_only=True):
    """An order changed: fetch it."""

    channel: str
    order_id: str


class ReleaseLine(Record, kw_only=True):
    """One line per product."""

    sku: str
    eaches: int
    warehouse: str | None = None
    reference: str = ""
    number: str = ""
    code: str = ""
    note: str = ""
    parts: dict[str, int] = {}


class ReleaseOrder(Record, kw_only=True):
    """Make exactly one goods out of this order."""

    channel: str
    order_key: str
    reference: str
    number: str
    version: int
    lines: list[ReleaseLine]
    warehouse: str | None = None
    address: Address | None = None
    carrier: str = ""
    service: str = ""
    texts: dict[str, str] = {}
    customer: str = ""
    order_type: str = ""
    priority: int = 0
    leave_at: int | None = None
    amends: bool = False


class CancelOrder(Record, kw_only=True):
    """Cancel the goods out; Clarus' answer decides."""

    channel: str
    order_key: str
    reference: str
    version: int


class ReadListing(Record, kw_only=True):
    """Read a listing back, or every listing of the channel."""

    channel: str
    listing: str
    reason: str


class OperatorState(Record, kw_only=True):
    """Whether delivery may write to a target of the channel."""

    channel: str
    target: str
    paused: bool
    actor: str
    reason: str


class ChannelMode(Record, kw_only=True):
    """Whether the channel is in shadow."""

    channel: str
    shadow: bool
    actor: str
    reason: str


class ShipmentLine(Record, kw_only=True):
    """What of one order line is in the parcel."""

    line_id: str
    units: int


class ShipParcel(Record, kw_only=True):
    """One parcel that shall be at the storefront once, or not be there any more."""

    channel: str
    order_id: str
    number: str
    parcel_id: str
    key: str
    version: int
    wanted: bool
    lines: list[ShipmentLine]
    tracking: str = ""
    also: list[str] = []
    carrier: str = ""
    link: str = ""
    address: str = ""
    whole: bool = False


class AnnounceReturn(Record, kw_only=True):
    """Make exactly one goods-in receipt of this return, and tell what becomes of it."""

    channel: str
    order_key: str
    number: str
    order_reference: str
    return_id: str
    reference: str
    version: int
    lines: dict[str, int]
    tracking: str = ""
    reason: str = ""


class RefundLine(Record, kw_only=True):
    """What is refunded for one order line."""

    line_id: str
    units: int
    amount: int


ReturnCondition = Literal["ARRIVED", "RESTOCKED", "UNUSABLE"]
"""What the inspection found."""


class ReturnItem(Record, kw_only=True):
    """The state of one return item at a storefront that keeps such items."""

    item_id: str
    line_id: str
    condition: ReturnCondition
    refunded: bool | None = None


class SettleReturn(Record, kw_only=True):
    """What one part of a return shall be at its storefront: refunded once, its items in the states that the inspection gave them."""

    channel: str
    order_id: str
    number: str
    return_id: str
    part: int
    key: str
    version: int
    currency: str = ""
    digits: int = 2
    lines: list[RefundLine]
    shipping: int = 0
    items: list[ReturnItem] = []
    reason: str = ""
    total: int = 0


class NoteOrder(Record, kw_only=True):
    """What an order shall say to its storefront's people of a change that the warehouse did not take."""

    channel: str
    order_id: str
    number: str
    version: int
    text: str
    open: bool


ExceptionPhase = Literal["OPEN", "ACKNOWLEDGED", "RESOLVED"]
"""State."""


class ExceptionStep(Record, kw_only=True):
    """One step of an exception's life."""

    at: int
    action: str
    actor: str
    reason: str


class ExceptionState(Record, kw_only=True):
    """The exception's last state."""

    exception_id: str
    type: str
    entity: str
    owner: str
    state: ExceptionPhase
    detail: str
    opened_at: int
    changed_at: int
    holder: str = ""
    actor: str = ""
    reason: str = ""
    history: list[ExceptionStep] = []


class ExceptionCommand(Record, kw_only=True):
    """What an operator does about an open exception."""

    channel: str
    exception_id: str
    action: str
    actor: str
    reason: str


class OperatorCommand(Record, kw_only=True):
    """What to do to what."""

    action: str
    target: str
    actor: str
    reason: str
    holder: str = ""
    lines: dict[str, int] = {}


class Mapping(Record, kw_only=True):
    """Replaces the older version of the same kind and key, once the record of kind import with its version has come."""

    kind: str
    key: str
    version: int
    value: str
    actor: str
    reason: str = ""


Body = TypeVar("Body")


class Event(Record, Generic[Body], kw_only=True):
    """What every topic value has in common, around its body."""

    event_id: str
    occurred_at: int
    received_at: int
    source: str
    trace: str | None = None
    body: Body


IngressWebhookBody = RawNotification

OrderEventBody = (
    OrderSnapshot
    | WarehouseOrder
    | OrderWatermark
    | WarehouseDespatch
    | ShipmentOutcome
    | ExceptionCommand
    | AuthoriseReturn
    | WarehouseReturn
    | RefundOutcome
)

InventoryEventBody = (
    StockLevel | DemandLine | Watermark | StockOutcome | ReadBack | Baseline | ComponentStock | BundleHold
)

AvailabilityBody = AvailableToSell

OrderStatusBody = NormalisedOrder

ChannelCommandBody = (
    StockTarget
    | Correction
    | ReadStock
    | FetchOrder
    | ReleaseOrder
    | CancelOrder
    | ReadListing
    | OperatorState
    | ChannelMode
    | ShipParcel
    | ExceptionCommand
    | AnnounceReturn
    | SettleReturn
    | NoteOrder
)

IntegrationExceptionBody = ExceptionState

OperationsCommandBody = OperatorCommand

ReferenceMappingBody = Mapping
