"""Settings of the Clarus connector, declared beside the code that reads them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

NoteField = Literal["delivery_notes", "order_notes", "pick_notes", "packing_notes"]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class ReceiptLineFields(BaseModel):
    """What of a receipt's line holds the figures of a return. The last three are custom fields that the warehouse fills in."""

    model_config = ConfigDict(extra="forbid")

    received: FieldName = Field("quantity_received", description="Eaches that arrived.")
    restocked: FieldName = Field("integer1", description="Eaches that the inspection put back on sale.")
    quarantined: FieldName = Field("integer2", description="Eaches that it set aside.")
    scrapped: FieldName = Field("integer3", description="Eaches that it threw away.")


class ClarusSettings(BaseModel):
    """How to reach Clarus and how to read it. Source of every default: the fact sheet of Clarus; what is undocumented there is a setting here."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["live", "shadow"] = Field(
        "live",
        description="Where the channel starts. shadow: orders are neither released nor cancelled there; ended by `clarus-stream go-live`, after"
        " which this setting has no say.",
    )
    base_url: str = Field("https://clarus-api.com", description="Base URL of API, GraphQL and token endpoint.")
    subdomain: str = Field("", description="Tenant slug, sent as X-Clarus-Subdomain.")
    client_id: str = Field("", description="OAuth client id.")
    client_secret: SecretStr = Field(SecretStr(""), description="OAuth client secret.")
    account: str = Field("", description="Code of the stock owner (Clarus account).")
    rest_prefix: str = Field(
        "/api", description="Prefix of the REST operations; two samples of the documentation use /api/v1."
    )
    graphql_path: str = Field("/graphql", description="Path of GraphQL.")
    token_path: str = Field("/oauth/token", description="Path of the token endpoint.")
    oauth_encoding: Literal["form", "json"] = Field(
        "form", description="Encoding of the token request, which is undocumented; form is the OAuth standard."
    )
    scopes: str = Field("", description="Scopes to ask for, space-separated; the specification lists none.")
    token_margin_s: int = Field(
        60, ge=0, description="Seconds before its end at which a token is renewed; at most a tenth of its lifetime."
    )
    token_lifetime_s: int = Field(
        600, ge=1, description="Lifetime in seconds to reckon with where the token's answer does not say."
    )
    page_size: int = Field(
        100, ge=1, le=1000, description="`first` of every list; default and maximum are undocumented."
    )
    read_skus: int = Field(
        50, ge=1, description="SKUs in one joint read; fewer where their balances would not fit on one page."
    )
    line_quantities: Literal["exclusive", "cumulative"] = Field(
        "exclusive",
        description="Are allocated, pick and dispatch quantity of a line parts of it (exclusive) or does each contain the next (cumulative)?",
    )
    release_point: Literal["created", "allocated", "despatched"] = Field(
        "allocated", description="From which step on `available` no longer contains an order's units."
    )
    open_statuses: list[str] = Field(
        default_factory=lambda: ["ALLOCATED", "PART_ALLOCATED", "PICK"],
        description="Order statuses in which an order holds stock; tenants may have others.",
    )
    statuses: dict[str, str] = Field(
        default_factory=lambda: {"PART": "PART_ALLOCATED"},
        description="The tenant's status codes, in upper case, to the standard ones: PART is a legacy one.",
    )
    created_status: Literal["PENDING", "DRAFT"] = Field(
        "PENDING", description="Status of an order just created by API; the first look-up shows the true one."
    )
    sellable_statuses: list[str] = Field(
        default_factory=lambda: ["available"], description="Stock statuses that may be sold, as the API writes them."
    )
    held_statuses: list[str] = Field(
        default_factory=lambda: ["held"], description="Stock statuses that count as held, as the API writes them."
    )
    process_picks: Literal["adapter", "warehouse"] = Field(
        "warehouse",
        description="Who has orders allocated: the warehouse (its people or an automation) or this adapter after it created one.",
    )
    contact: str = Field(
        "the warehouse",
        description="Whom to call about an order that was changed or cancelled too late, as `late_change` says it: a desk, a number; no person's name.",
    )
    change_sends: Literal["changed", "whole"] = Field(
        "changed",
        description="What a change of an order sends: what may have changed, or all required header attributes too, with a new expected date of dispatch. The"
        " documentation's schema wants the whole, its example sends the changed.",
    )
    line_removal: Literal["DESTROY", "REMOVE"] = Field(
        "DESTROY", description="How a line is removed: the documentation's schema says DESTROY, its example REMOVE."
    )
    bundles: Literal["components", "parent"] = Field(
        "components",
        description="How a bundle is ordered: as its components, or as a product of its own (parent), which is a bill of materials in Clarus, assembled on"
        " pick, with the materials that `products[].bundle` or an imported mapping names.",
    )
    goods_out_type: str = Field("sales_order", description="Type of the orders that are created.")
    dispatch_within_s: int = Field(
        86_400, ge=0, description="Seconds from the creation of an order to its expected date of dispatch."
    )
    order_attributes: dict[str, str | int | bool] = Field(
        default_factory=dict,
        description="Further header attributes of every order, such as pick_type, dispatch_strategy, string1. What an order brings itself goes first.",
    )
    delivery_note_field: NoteField = Field("delivery_notes", description="Order attribute for the customer's note.")
    gift_note_field: NoteField = Field("packing_notes", description="Order attribute for the gift message.")
    short_text_limit: int = Field(
        255,
        ge=0,
        description="Longest text of a name, a reference or a custom slot, for which Clarus publishes no length; more is cut and said. 0: any.",
    )
    note_limit: int = Field(
        0, ge=0, description="Longest delivery, order and pick notes, for which Clarus publishes no length. 0: any."
    )
    emoji: Literal["keep", "drop"] = Field(
        "keep", description="Emoji in notes; whether Clarus takes them is undocumented. Addresses are sent without."
    )
    package_contents: str = Field(
        "",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        description="Field of a package in the tenant's GraphQL schema that lists what is in it, each entry with `quantity` and `product { code }`. It is"
        " undocumented: look it up by introspection. Empty: what is in a parcel follows from the despatched quantities, and parcels that leave between two"
        " looks are told as one.",
    )
    product_weight: str = Field(
        "",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        description="Field of a product in the tenant's GraphQL schema with the weight of one each, for `clarus-stream audit`. It is undocumented: look it up"
        " by introspection. Empty: weights are not compared.",
    )
    product_weight_unit: Literal["g", "kg", "oz", "lb"] = Field("g", description="Unit of that weight.")
    tracking_wait_s: int = Field(
        900,
        ge=0,
        description="Seconds for which packages and tracking numbers of a despatch are waited for; what has none after that is told without.",
    )
    receipt_statuses: dict[str, Annotated[str, Field(pattern="^(announced|received|completed|gone)$")]] = Field(
        default_factory=lambda: {
            "DRAFT": "announced",
            "PENDING": "announced",
            "RCV": "received",
            "RECEIVING": "received",
            "RECEIVED": "received",
            "PART": "received",
            "COMPLETED": "completed",
            "CANCELLED": "gone",
        },
        description="What the statuses of goods-in receipts mean, in upper case; the documentation names them in several ways. Others count as received.",
    )
    return_attributes: dict[str, str | int | bool] = Field(
        default_factory=dict,
        description="Further header attributes of the receipt of a return, such as the one that makes it a Return at your tenant, which is undocumented.",
    )
    receipt_lines: str = Field(
        "",
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
        description="Field of a goods-in receipt in the tenant's GraphQL schema that lists its lines, each with `product { code }` and the fields below. It is"
        " undocumented: look it up by introspection. Empty: a completed receipt of a return counts as received and put back on sale as announced.",
    )
    receipt_line_fields: ReceiptLineFields = Field(
        default_factory=lambda: ReceiptLineFields(),
        description="Fields of such a line with eaches: what arrived, and what the inspection put back on sale, set aside and threw away.",
    )
    feed_overlap_s: int = Field(
        120, ge=0, description="Seconds of transactions that are read again each time, for those that were booked late."
    )
    retryable_statuses: list[Annotated[int, Field(ge=400, le=499)]] = Field(
        default_factory=lambda: [409, 425],
        description="HTTP statuses that mean: nothing happened, try again. Undocumented ones, as Clarus names only 401, 403, 404 and 422.",
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Unguessable part of the webhook path: Clarus signs nothing."
    )
    automations: dict[str, str] = Field(
        default_factory=dict,
        description="Automation id to event, for example 43: stock.positively_adjusted. Webhooks of other automations are refused; empty: none is.",
    )
    rate_per_second: float = Field(
        50.0, gt=0, description="Requests a second at most; Clarus publishes no limit. Fewer after a 429."
    )
