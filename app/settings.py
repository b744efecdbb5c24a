"""The one typed settings tree: what may be configured, what is allowed, what each means. Loading, sources and errors: `app.config`.

One YAML file (`clarus`, `channels`, `warehouses`, `products`, `shipping`, `carriers`, `release`, `policies`,
`settings`) with environment variables over it. The same
models read a drill file's products, shipping, carriers, policies and settings.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.clarus.settings import ClarusSettings
from app.connectors.commercetools.settings import CommercetoolsSettings
from tables.catalogue import Catalogue, Listing, Mode, PolicyRule, Product
from tables.orders.notes import TARGETS

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$")
_UNITS = {"ms": Decimal(1), "s": Decimal(1000), "m": Decimal(60_000), "h": Decimal(3_600_000), "d": Decimal(86_400_000)}


def parse_duration(value: object) -> object:
    """`1.5s`, `200ms`, `2m`, `1h` or `7d` to milliseconds; a plain number counts as seconds."""
    if isinstance(value, bool):
        raise ValueError("a duration such as 500ms, 2s or 1m")
    if isinstance(value, (int, float, Decimal)):
        return int(Decimal(str(value)) * 1000)
    if isinstance(value, str):
        match = _DURATION.match(value)
        if match:
            return int(Decimal(match[1]) * _UNITS[match[2]])
    raise ValueError("a duration such as 500ms, 2s or 1m")


def ms(text: str) -> int:
    """A duration as people write it, in milliseconds."""
    value = parse_duration(text)
    assert isinstance(value, int)  # noqa: S101 - parse_duration returns nothing else
    return value


Duration = Annotated[int, BeforeValidator(parse_duration), Field(ge=0)]
"""Milliseconds; written as 500ms, 2s, 1m, 1h or 7d."""


class Model(BaseModel):
    """Base: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid")


class ListingSettings(Model):
    """One listing of a product at a channel."""

    sku: str = Field(description="The channel's SKU.")
    unit: str = Field("each", description="Selling unit; one of the product's units.")
    location: str = Field(
        "", description="The channel's location: a supply channel key, a location id; empty for the default one."
    )


class ProductSettings(Model):
    """A product of the warehouse or a bundle, and where it is listed."""

    sku: str = Field(min_length=1, description="Clarus product code, always text.")
    units: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: {"each": 1}, description="Unit to eaches."
    )
    bundle: dict[str, Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict, description="Component code to eaches in one bundle."
    )
    channels: dict[str, str | ListingSettings | list[ListingSettings]] = Field(
        default_factory=dict, description="Channel to its listing or listings."
    )

    def to_product(self) -> Product:
        """The product as the rules need it."""
        listings = []
        for channel, given in self.channels.items():
            many = given if isinstance(given, list) else [given]
            for one in many:
                item = ListingSettings(sku=one) if isinstance(one, str) else one
                listings.append(
                    Listing(
                        channel,
                        item.sku,
                        self.sku,
                        item.unit,
                        1 if self.bundle else self.units[item.unit],
                        item.location,
                    )
                )
        return Product(self.sku, dict(self.units), dict(self.bundle), tuple(listings))


class Match(Model):
    """Case-sensitive globs."""

    channel: str = "*"
    sku: str = "*"


class PolicySettings(Model):
    """A stock policy; fields left out are taken from the rules before it."""

    match: Match = Field(default_factory=Match)
    share: Annotated[Decimal, Field(ge=0, le=1)] | None = None
    percent: Annotated[Decimal, Field(ge=0, le=100)] | None = None
    buffer: Annotated[int, Field(ge=0)] | None = None
    velocity: Annotated[int, Field(ge=0)] | None = None
    min_to_list: Annotated[int, Field(ge=0)] | None = None
    max: Annotated[int, Field(ge=0)] | None = None
    mode: Mode | None = None
    warehouses: list[str] | None = None
    escrow_floor: Annotated[int, Field(ge=0)] | None = None

    def to_rule(self) -> PolicyRule:
        """Only the fields that were given."""
        fields = {name: getattr(self, name) for name in self.model_fields_set if name != "match"}
        if fields.get("warehouses") is not None:
            fields["warehouses"] = tuple(fields["warehouses"])
        return PolicyRule(self.match.channel, self.match.sku, fields)


class ShippingSettings(Model):
    """What a storefront's shipping method is at Clarus."""

    carrier: str = ""
    service: str = ""
    priority: int = Field(
        0, ge=0, le=99, description="Priority of its orders: 1 is most urgent; 0 leaves it to the warehouse."
    )


class InstructionSettings(Model):
    """A fact of an order that the warehouse is told."""

    field: str = Field(
        min_length=1,
        description="The fact: a custom field, or one of note, gift, customer, purchase_order, number, shipping_method; docs/release.md lists those of each"
        " storefront.",
    )
    to: str = Field(
        description="Where it is told: a Clarus order attribute of free text, such as pick_notes, packing_notes, order_notes, string1."
    )
    text: str = Field("{value}", description="What is said; {value} stands for the fact.")
    when: list[str] = Field(default_factory=list, description="Only for these values, whatever their case; empty: any.")

    @field_validator("to")
    @classmethod
    def _documented(cls, value: str) -> str:
        if value not in TARGETS:
            raise ValueError(f"one of {', '.join(sorted(TARGETS))}")
        return value


class ReleaseSettings(Model):
    """What the goods outs of a channel carry, and what its orders must have."""

    address: Literal["required", "optional"] = Field(
        "required",
        description="An order without a delivery address that can be used is held; optional: it is released as it is.",
    )
    purchase_order: Literal["required", "optional"] = Field(
        "optional",
        description="required: an order that is released without a payment is held until it has a purchase order number.",
    )
    customer: str = Field(
        "",
        description="Clarus code of the customer; {customer} stands for the customer's number at the storefront. Empty: none.",
    )
    order_type: str = Field("", description="Clarus code of the order type. Empty: none.")
    phone: str = Field(
        "", max_length=50, description="Phone number where the customer gave none; Clarus' packing desk asks for one."
    )
    email: str = Field("", max_length=254, description="E-mail address where the customer gave none.")
    lead: Duration = Field(0, description="From leaving the warehouse to delivery, where the customer asked for a day.")
    line_notes: Literal["", "delivery_notes", "order_notes", "pick_notes", "packing_notes"] = Field(
        "packing_notes",
        description="Order attribute that repeats what the customer had written on the goods; it stands on the lines anyway. Empty: nowhere.",
    )
    instructions: list[InstructionSettings] = Field(
        default_factory=list, description="Custom fields and notes that the warehouse is told."
    )


class CarrierSettings(Model):
    """A Clarus carrier as customers know it."""

    name: str = Field("", description="Name that the storefront shows; empty for the Clarus code.")
    tracking: str = Field(
        "",
        description="Regular expression of its whole tracking numbers. A parcel whose number does not match (none does not either) is held back as"
        " `invalid_tracking`; empty: any number, and none.",
    )
    link: str = Field(
        "",
        description="Where a parcel is followed; {tracking} stands for the number. Empty: the storefront makes its own link.",
    )

    @field_validator("tracking")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    @field_validator("link")
    @classmethod
    def _has_place(cls, value: str) -> str:
        if value and ("{tracking}" not in value or not value.startswith(("https://", "http://"))):
            raise ValueError("a link such as https://carrier.example/follow/{tracking}")
        return value


class KafkaSettings(Model):
    """The product's own cluster."""

    bootstrap: str = Field("localhost:9092", description="Bootstrap servers.")
    topic_prefix: str = Field("", description="Stands before every topic and group name.")
    partitions: int = Field(
        24, ge=1, le=1000, description="Partitions of every source topic; never changed afterwards."
    )
    replication: int = Field(3, ge=1, description="Replicas of created topics.")
    security: dict[str, str] = Field(
        default_factory=dict, description="Further client properties, such as security.protocol and ssl.ca.location."
    )
    username: str = Field("", description="SASL user name.")
    password: SecretStr = Field(SecretStr(""), description="SASL password.")
    schema_registry_url: str = Field("", description="Confluent-compatible registry; empty for single-object encoding.")


class EngineSettings(Model):
    """The stream engine."""

    group: str = Field("clarus-stream", description="Consumer group and application id.")
    instance: str = Field(
        "worker-0", description="Name of this worker, stable over restarts: static membership and data directory."
    )
    guarantee: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once", description="at_least_once for brokers without sound transactions."
    )
    commit_interval: Duration = Field(ms("25ms"), description="Length of a cycle.")
    poll_max: int = Field(
        10_000,
        ge=1,
        description="Records taken in one cycle; up to four times as many while that is done within a cycle.",
    )
    data_dir: str = Field("data", description="Where the local store lies; one directory per instance below it.")
    store: Literal["rocksdict", "memory"] = Field("rocksdict", description="Local store.")
    session_timeout: Duration = Field(ms("6s"), description="Time after which a silent worker loses its partitions.")
    transaction_timeout: Duration = Field(
        ms("10s"), description="Time after which the broker ends an open transaction."
    )
    dead_letter_ratio: float = Field(
        0.05, ge=0, le=1, description="Share of unreadable records in the last 1,000 above which the worker stops."
    )
    dead_letter_run: int = Field(100, ge=1, description="Unreadable records in a row above which the worker stops.")


class BoundSettings(Model):
    """Time bounds that the stock rules rely on; what happens where one does not hold is in docs/guarantees.md."""

    late_max: Duration = Field(ms("60s"), description="No request lands later than this after it was given up.")
    apply_max: Duration = Field(
        ms("30s"), description="BigCommerce applies an adjustment within this after its answer."
    )
    visible_lag: Duration = Field(
        ms("10s"), description="commercetools shows an order's decrement at the latest after this."
    )
    consistency_margin: Duration = Field(ms("2s"), description="An order poll is complete up to its start minus this.")


class SweepSettings(Model):
    """What is looked at without being asked."""

    orders: Duration = Field(ms("10s"), description="Between two order polls of a channel.")
    order_overlap: Duration = Field(ms("5m"), description="An order poll starts this much before the last one.")
    stock: Duration = Field(ms("10m"), description="Within this every SKU is read at the warehouse once.")
    listings: Duration = Field(ms("30m"), description="Within this every listing is read back once, inside the budget.")
    feed: Duration = Field(ms("30s"), description="Between two reads of the warehouse's transactions.")
    returns: Duration = Field(
        ms("1m"), description="Between two looks at each return that is announced and not complete."
    )


class DeliverySettings(Model):
    """Calls to peers."""

    timeout: Duration = Field(ms("20s"), description="Time-out of one request.")
    parallel: int = Field(8, ge=1, description="Requests to one peer at a time.")
    attempts: int = Field(8, ge=1, description="Attempts before an exception is opened; they go on afterwards.")
    backoff: Duration = Field(ms("500ms"), description="First wait after a failure; doubles, with jitter.")
    backoff_max: Duration = Field(ms("60s"), description="Longest wait after a failure.")
    breaker_failures: int = Field(5, ge=1, description="Failures in a row that open a channel's breaker.")
    breaker_pause: Duration = Field(ms("5s"), description="How long an open breaker lets nothing through.")
    create_unknown: Duration = Field(
        ms("120s"), description="How long the warehouse may still be working on a create whose answer was lost."
    )
    early_wait: Duration = Field(
        ms("15m"),
        description="A despatch whose order is not known after this is an `early_fulfilment`; it is kept and joined when the order comes.",
    )
    progress_level: Duration = Field(
        ms("24h"),
        description="An order that is at the warehouse this long without a step on (another status, other lines, something that left) is a `stuck_order`;"
        " one with a requested date has until then and so much longer.",
    )
    despatch_level: Duration = Field(
        ms("15m"),
        description="A parcel that is not at its storefront this long after we knew of it is a `despatch_gap`.",
    )
    refund_level: Duration = Field(
        ms("1h"), description="A refund that is not confirmed this long after its inspection is a `refund_mismatch`."
    )


Part = Annotated[Decimal, Field(ge=0, le=1)]


class ReturnSettings(Model):
    """Goods that come back, and the money for them."""

    warehouse: str = Field(
        "",
        description="Warehouse that returns come in at; empty: the one the order left, else the first of `warehouses`.",
    )
    restocked: Part = Field(
        Decimal(1), description="Part of a unit's price that goes back where the inspection put it back on sale."
    )
    quarantined: Part = Field(Decimal(1), description="The same of a unit that the inspection set aside.")
    scrapped: Part = Field(Decimal(1), description="The same of a unit that the inspection threw away.")
    shipping: bool = Field(
        False,
        description="Give the shipping price back too, with the last unit, once everything of an order came back.",
    )


class FinanceSettings(Model):
    """The ledger of money."""

    release_wait: Duration = Field(
        ms("1h"),
        description="Money that is captured for an order that is not at the warehouse after this is a `payment_mismatch`.",
    )
    refund_wait: Duration = Field(
        ms("24h"),
        description="What is to be refunded after a cancel or a short despatch, or is to be captured, and is not after this is a `payment_mismatch`.",
    )


class IngressSettings(Model):
    """The HTTP service for webhooks."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port; 0 for any.")
    max_body: int = Field(1_048_576, ge=1, description="Largest body in bytes; more is answered 413.")
    path_secret: SecretStr = Field(SecretStr(""), description="Secret path segment for peers that sign nothing.")
    public_url: str = Field("", description="Where the peers reach it.")


class OpsSettings(Model):
    """Metrics, health and logs."""

    host: str = Field("127.0.0.1", description="Address of metrics and health.")
    port: int = Field(9464, ge=0, le=65535, description="Port of metrics and health; 0 for any.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"


Role = Literal["viewer", "operator", "admin"]


class ApiUser(Model):
    """Who may use the HTTP API, and for what."""

    role: Role = Field("viewer", description="viewer reads; operator also acts on one exception; admin on many.")
    token: SecretStr = Field(min_length=16, description="Bearer token; at least 16 characters.")


class ApiSettings(Model):
    """The HTTP API of exceptions, at the workers' operations address. Off without users."""

    users: dict[str, ApiUser] = Field(
        default_factory=dict, description="Name, as kept in histories, to role and token."
    )


class ProductSettingsTree(Model):
    """Everything under `settings:`; by its dotted name in a drill file or an environment variable (CLARUS_STREAM__KAFKA__BOOTSTRAP)."""

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    engine: EngineSettings = Field(default_factory=EngineSettings)
    bounds: BoundSettings = Field(default_factory=BoundSettings)
    sweeps: SweepSettings = Field(default_factory=SweepSettings)
    delivery: DeliverySettings = Field(default_factory=DeliverySettings)
    returns: ReturnSettings = Field(default_factory=ReturnSettings)
    finance: FinanceSettings = Field(default_factory=FinanceSettings)
    ingress: IngressSettings = Field(default_factory=IngressSettings)
    ops: OpsSettings = Field(default_factory=OpsSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)


ChannelSettings = Annotated[CommercetoolsSettings | BigCommerceSettings, Field(discriminator="system")]


class Settings(Model):
    """The whole configuration."""

    clarus: ClarusSettings = Field(default_factory=ClarusSettings)
    channels: dict[str, ChannelSettings] = Field(default_factory=dict)
    warehouses: list[str] = Field(default_factory=list)
    products: list[ProductSettings] = Field(default_factory=list)
    shipping: dict[str, ShippingSettings] = Field(default_factory=dict)
    carriers: dict[str, CarrierSettings] = Field(default_factory=dict)
    release: dict[str, ReleaseSettings] = Field(
        default_factory=dict,
        description="Channel to what its goods outs carry; under `*` what holds for all, which a channel's own fields replace.",
    )
    policies: list[PolicySettings] = Field(default_factory=list)
    settings: ProductSettingsTree = Field(default_factory=ProductSettingsTree)

    def catalogue(self) -> Catalogue:
        """Products, listings and policies as the rules need them."""
        return Catalogue([p.to_product() for p in self.products], [p.to_rule() for p in self.policies], self.warehouses)


def from_mapping(data: dict[str, Any]) -> Settings:
    """Validate a mapping as it comes from YAML. pydantic's ValidationError where it does not fit; `app.config` words it for people."""
    return Settings.model_validate(data)
