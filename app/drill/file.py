"""The drill file as types: what may be written, with which defaults. What the names in it refer to is checked in `app.drill.references`.

Products, policies, shipping and settings are the product's own models, so that a file and a configuration read alike.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from app.drill.expect import Expect
from app.settings import (
    CarrierSettings,
    Duration,
    ListingSettings,
    Model,
    PolicySettings,
    ProductSettings,
    ProductSettingsTree,
    ReleaseSettings,
    ShippingSettings,
    ms,
)
from app.simulators.base import FaultKind

_RATE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*/\s*(\d*)\s*(s|m|h)\s*$")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
RESERVED = ("clarus", "kafka")
M = TypeVar("M", bound=Model)


def _rate(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return float(value)
    match = _RATE.match(value) if isinstance(value, str) else None
    if match is None or not float(match[1]):
        raise ValueError("a rate such as 100/s, 450/30s or 60/m")
    return float(match[1]) / (int(match[2] or 1) * {"s": 1, "m": 60, "h": 3600}[match[3]])


def _order_id(value: object) -> object:
    """Order ids are text; a plain number is what BigCommerce's ids look like."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def least_and_most(value: object) -> object:
    """One duration is the least and the most."""
    return value if isinstance(value, list | tuple) else (value, value)


def _rising(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] > value[1]:
        raise ValueError("[least, most] with least at most as large as most")
    return value


Rate = Annotated[
    float,
    BeforeValidator(_rate),
    WithJsonSchema({"type": ["string", "number"], "pattern": _RATE.pattern, "examples": ["100/s"]}),
]
"""Requests a second; written as 100/s, 450/30s or 60/m."""
OrderId = Annotated[
    str,
    BeforeValidator(_order_id),
    Field(min_length=1),
    WithJsonSchema({"type": ["string", "integer"], "minLength": 1}),
]
Lag = Annotated[tuple[Duration, Duration], BeforeValidator(least_and_most), AfterValidator(_rising)]
"""From the least to the most, `[0.1s, 2s]`; one duration alone is both."""
Span = Annotated[tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]], AfterValidator(_rising)]
Quantity = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def exactly_one(*fields: str) -> ConfigDict:
    """Configuration of a model of which exactly one of these fields is given."""
    return ConfigDict(
        extra="forbid", populate_by_name=False, json_schema_extra={"oneOf": [{"required": [f]} for f in fields]}
    )


# ---- the peers --------------------------------------------------------------------------------------------------------------------------------


class CommercetoolsChannel(Model):
    """A simulated commercetools project."""

    system: Literal["commercetools"]
    order_lag: Lag = Field((ms("100ms"), ms("500ms")), description="How late an order's notification comes.")
    rate: Rate = Field(100.0, description="The simulator's own limit; 429 above.")
    restock_on_cancel: bool = Field(False, description="The storefront puts the units of a cancelled order back.")
    shadow: bool = Field(False, description="The product starts the channel in shadow: it writes nothing there.")


class BigCommerceChannel(Model):
    """A simulated BigCommerce store."""

    system: Literal["bigcommerce"]
    plan: Literal["standard", "plus", "pro", "enterprise"] = Field("plus", description="Sets the documented limits.")
    order_lag: Lag = Field((ms("100ms"), ms("500ms")), description="How late an order's notification comes.")
    rate: Rate | None = Field(None, description="A limit of the simulator's own besides the plan's.")
    restock_on_cancel: bool = Field(False, description="The storefront puts the units of a cancelled order back.")
    shadow: bool = Field(False, description="The product starts the channel in shadow: it writes nothing there.")


Channel = Annotated[CommercetoolsChannel | BigCommerceChannel, Field(discriminator="system")]


class StockSettings(Model):
    """Opening stock at one warehouse, in eaches."""

    available: int = Field(0, ge=0)
    held: int = Field(0, ge=0)


class DrillProduct(ProductSettings):
    """A product as in the product's configuration, with the stock it starts with."""

    stock: dict[str, Annotated[int, Field(ge=0)] | StockSettings] = Field(
        default_factory=dict, description="Warehouse to eaches available, or to {available, held}."
    )

    def opening(self) -> dict[str, StockSettings]:
        """Opening stock by warehouse."""
        return {w: StockSettings(available=s) if isinstance(s, int) else s for w, s in self.stock.items()}

    def listed(self) -> list[tuple[str, ListingSettings]]:
        """Every listing with its channel."""
        found = []
        for channel, given in self.channels.items():
            for one in given if isinstance(given, list) else [given]:
                found.append((channel, ListingSettings(sku=one) if isinstance(one, str) else one))
        return found


class Floor(Model):
    """Speed of the simulated warehouse floor."""

    allocate: Duration = ms("200ms")
    pick: Duration = ms("500ms")
    despatch: Duration = ms("1s")


# ---- steps ------------------------------------------------------------------------------------------------------------------------------------


class Line(Model):
    """An order line in the channel's SKU and selling unit; a warehouse line in the Clarus code and eaches."""

    sku: str = Field(min_length=1)
    qty: Quantity


class EnteredLine(Model):
    """A line as another program entered it: any number, any currency, any line id."""

    sku: str = ""
    qty: float
    currency: str = ""
    id: str = Field("", description="The platform's line id; empty lets the platform choose one.")


class OrderStep(Model):
    """A customer checks out, or another program enters an order that the platform does not check."""

    channel: str
    id: OrderId
    paid: bool = True
    lines: Annotated[list[Line], Field(min_length=1)] | None = None
    entered: list[EnteredLine] | None = Field(
        None, description="Instead of `lines`: entered by another program, checked by nobody, taken from no stock."
    )
    shipping: str | None = Field(None, description="Absent: the file's first method, as orders of a load.")
    note: str = ""
    gift: str = ""
    address: dict[str, str] = Field(default_factory=dict)
    discount: Annotated[Decimal, Field(ge=0, decimal_places=2)] = Field(
        Decimal(0), description="Taken off the whole order, in the storefront's currency; a unit costs 10.00."
    )
    fields: dict[str, str] = Field(
        default_factory=dict, description="Custom fields of a commercetools order, form fields of a BigCommerce one."
    )

    @model_validator(mode="after")
    def _one(self) -> "OrderStep":
        return _one_given(self, ["lines", "entered"])


class OrderRef(Model):
    """An order of the file."""

    channel: str
    id: OrderId


class EditStep(OrderRef):
    """The order is changed at the storefront."""

    lines: Annotated[list[Line], Field(min_length=1)] | None = None
    address: dict[str, str] | None = None


class ReturnStep(OrderRef):
    """The customer sends something back."""

    lines: Annotated[list[Line], Field(min_length=1)]


class Movement(Model):
    """A stock movement, in eaches."""

    sku: str
    warehouse: str
    qty: Quantity


class Adjustment(Movement):
    """A correction, up or down."""

    qty: int = Field(description="Eaches; negative takes stock away.")


class Move(Model):
    """From one warehouse to another, in eaches."""

    sku: str
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    qty: Quantity


class WmsOrder(Model):
    """An order at the warehouse: `channel:id`, or `id` where unique."""

    order: OrderId


class Parcel(Model):
    """What leaves together."""

    tracking: str = Field(min_length=1)
    lines: Annotated[list[Line], Field(min_length=1)]


class Despatch(WmsOrder):
    """Parcels leave."""

    parcels: Annotated[list[Parcel], Field(min_length=1)]


class ReceiveReturn(WmsOrder):
    """Goods of a return arrive."""

    lines: list[Line] = Field(default_factory=list, description="Empty: everything that was announced.")


Inspected = Literal["restock", "quarantine", "scrap"]


class InspectedLine(Line):
    """What the inspection made of some eaches."""

    outcome: Inspected = "restock"


class Inspect(WmsOrder):
    """Goods of a return that arrived are inspected."""

    lines: list[InspectedLine] = Field(default_factory=list, description="Empty: everything that arrived.")
    outcome: Inspected = Field("restock", description="Without lines: what is made of everything.")


class WmsStep(Model):
    """Something the warehouse does."""

    model_config = exactly_one(
        "receive",
        "adjust",
        "hold",
        "release",
        "move",
        "allocate",
        "despatch",
        "undespatch",
        "short",
        "pick",
        "unallocate",
        "cancel",
        "receive_return",
        "inspect",
    )
    receive: Movement | None = None
    adjust: Adjustment | None = None
    hold: Movement | None = None
    release: Movement | None = None
    move: Move | None = None
    allocate: WmsOrder | None = None
    despatch: Despatch | None = None
    undespatch: WmsOrder | None = None
    short: WmsOrder | None = None
    pick: WmsOrder | None = Field(None, description="All that is allocated of an order is picked.")
    unallocate: WmsOrder | None = Field(None, description="The pick list of an order is cancelled: it waits again.")
    cancel: WmsOrder | None = Field(
        None, description="Somebody cancels an order in Clarus by hand; one that waits is deleted by that."
    )
    receive_return: ReceiveReturn | None = None
    inspect: Inspect | None = None

    @model_validator(mode="after")
    def _one(self) -> "WmsStep":
        return _one_given(self, list(type(self).model_fields))


class SetStock(Model):
    """A person edits a quantity at the storefront, in its selling unit."""

    channel: str
    sku: str
    qty: int = Field(ge=0)
    location: str = ""


class RefundByHand(OrderRef):
    """A person gives back what these lines cost before any discount."""

    lines: Annotated[list[Line], Field(min_length=1)]


class ChannelStep(Model):
    """Something a person does at the storefront."""

    model_config = exactly_one("set_stock", "refund")
    set_stock: SetStock | None = None
    refund: RefundByHand | None = None

    @model_validator(mode="after")
    def _one(self) -> "ChannelStep":
        return _one_given(self, list(type(self).model_fields))


class FaultStep(Model):
    """A fault of a peer: a channel, `clarus` or `kafka`."""

    peer: str
    kind: FaultKind
    lasts: Duration = Field(ms("1s"), alias="for", description="How long it is in force.")
    share: Share = Field(1.0, description="Part of the requests, or notifications, that it hits.")
    status: int = Field(503, ge=400, le=599, description="HTTP status of kind status.")
    retry_after: Duration | None = Field(None, description="Retry-After of kind status.")
    after_effect: bool = Field(False, description="Kind timeout: only the answer is lost.")
    delay: Lag | None = Field(
        None, description="Kinds slow (1s) and webhook (none, reordered ones 1s): how much later, from least to most."
    )
    duplicate: Share = 0.0
    drop: Share = 0.0
    reorder: Share = 0.0
    forge: Share = 0.0


class KillStep(Model):
    """A process of the product is killed; it is restarted at once."""

    process: Literal["worker", "ingress"]
    signal: Literal["KILL", "TERM", "INT"] = "KILL"
    disk: Literal["keep", "fresh"] = "keep"


class LoadStep(Model):
    """Customers, many."""

    orders_per_second: float = Field(gt=0, le=10_000)
    lasts: Duration = Field(alias="for")
    channels: list[str] = Field(default_factory=list, description="Evenly; empty: all.")
    skus: Literal["zipf"] | list[str] = Field("zipf", description="Clarus codes, evenly; zipf: all, exponent 1.1.")
    lines: Span = Field((1, 1), description="Distinct listings per order.")
    qty: Span = Field((1, 1), description="Selling units per line.")
    paid: bool = True


class GoLiveStep(Model):
    """The channel's shadow ends. The step fails where the product wrote to it before."""

    channel: str


STEP_KINDS = ("order", "pay", "edit", "cancel", "wms", "return", "channel", "fault", "kill", "load", "go_live")


class Step(Model):
    """One thing that happens, `at` after time 0."""

    model_config = exactly_one(*STEP_KINDS)
    at: Duration
    order: OrderStep | None = None
    pay: OrderRef | None = None
    edit: EditStep | None = None
    cancel: OrderRef | None = None
    wms: WmsStep | None = None
    returned: ReturnStep | None = Field(None, alias="return")
    channel: ChannelStep | None = None
    fault: FaultStep | None = None
    kill: KillStep | None = None
    load: LoadStep | None = None
    go_live: GoLiveStep | None = None

    @model_validator(mode="after")
    def _one(self) -> "Step":
        return _one_given(self, [name for name in type(self).model_fields if name != "at"])

    @property
    def ends(self) -> int:
        """When it is over, milliseconds after time 0."""
        lasting = self.fault or self.load
        return self.at + (lasting.lasts if lasting is not None else 0)


def _one_given(model: M, fields: list[str]) -> M:
    given = [name for name in fields if getattr(model, name) is not None]
    if len(given) != 1:
        names = [type(model).model_fields[name].alias or name for name in fields]
        raise ValueError(f"exactly one of {', '.join(names)}")
    return model


def _names(value: dict[str, Any]) -> dict[str, Any]:
    for name in value:
        if not _NAME.match(name) or name in RESERVED:
            raise ValueError(
                f"{name!r} is no name for a channel: letters, digits, - _ . only, and not {' or '.join(RESERVED)}"
            )
    return value


class DrillFile(Model):
    """A whole drill."""

    name: str = Field(min_length=1)
    seed: int = Field(1, description="All randomness of load, lags and faults.")
    settle: Duration = Field(ms("90s"), description="Longest wait for quiet after the last step.")
    workers: int = Field(1, ge=1, le=8, description="Worker processes.")
    channels: Annotated[dict[str, Channel], AfterValidator(_names), Field(min_length=1)]
    warehouses: Annotated[list[str], Field(min_length=1)]
    products: Annotated[list[DrillProduct], Field(min_length=1)]
    shipping: dict[str, ShippingSettings] = Field(default_factory=dict)
    carriers: dict[str, CarrierSettings] = Field(default_factory=dict)
    bundles: Literal["components", "parent"] = Field(
        "components", description="How bundles are ordered at the warehouse: `clarus.bundles` of the configuration."
    )
    release: dict[str, ReleaseSettings] = Field(default_factory=dict)
    policies: list[PolicySettings] = Field(default_factory=list)
    settings: ProductSettingsTree = Field(default_factory=ProductSettingsTree)
    steps: list[Step] = Field(default_factory=list)
    floor: Floor | Literal["manual"] = Field(default_factory=Floor)
    expect: Expect = Field(default_factory=Expect, description="The expected end, beside the checks.")

    @property
    def ends(self) -> int:
        """When the last step is over, milliseconds after time 0."""
        return max((step.ends for step in self.steps), default=0)
