"""Settings of a BigCommerce channel, declared beside the code that reads them."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from app.connectors.channel import ChannelSettings


class BigCommerceSettings(ChannelSettings):
    """How to reach one BigCommerce store and what to do there."""

    system: Literal["bigcommerce"]
    api_url: str = Field("https://api.bigcommerce.com", description="API host.")
    store_hash: str = Field("", description="Store hash.")
    access_token: SecretStr = Field(SecretStr(""), description="X-Auth-Token of the API account.")
    client_secret: SecretStr = Field(SecretStr(""), description="Client secret of the API account: signs the webhooks.")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Value of the custom header given when the hooks were created."
    )
    webhook_header: str = Field(
        "X-Clarus-Stream-Secret", min_length=1, description="Name of the custom header that carries it."
    )
    webhook_window: int = Field(
        300, ge=1, description="Seconds that the time in a signed webhook may differ from ours; older ones are refused."
    )
    location_id: int = Field(1, ge=1, description="Location that the storefront sells from; 1 is the default one.")
    paid_statuses: list[Annotated[int, Field(ge=0, le=14)]] = Field(
        default_factory=lambda: [2, 3, 8, 9, 10, 11, 14],
        description="Order status ids that mean the payment is confirmed.",
    )
    agreed_statuses: list[Annotated[int, Field(ge=0, le=14)]] = Field(
        default_factory=list,
        description="Order status ids that release an order without a payment, such as 7 (Awaiting Payment) where invoices are sent.",
    )
    agreed_payment_methods: list[str] = Field(
        default_factory=list,
        description="Payment methods, as the order names them, that release it without a payment, such as Purchase Order or Cash on Delivery.",
    )
    purchase_order_fact: str = Field(
        "", description="Fact of the order that holds the customer's purchase order number, such as form.PO Number."
    )
    event_dates: bool = Field(False, description="The event date of a product is the day the customer wants it.")
    inline_lines: bool = Field(
        True,
        description="Ask for an order's lines and addresses together with the order; off: one request for each.",
    )
    shipping_providers: dict[str, str] = Field(
        default_factory=dict,
        description="Carrier (its name under `carriers`, else its Clarus code) to BigCommerce's `shipping_provider`, for example Royal Mail: royalmail.",
    )
    tracking_carriers: dict[str, str] = Field(
        default_factory=dict, description="Carrier to `tracking_carrier`, the slug of an AfterShip courier."
    )
    reopened_status: int = Field(
        11, ge=0, le=14, description="Status of an order whose despatch the warehouse took back as a whole."
    )
    offline_refunds: bool = Field(
        False,
        description="Where the store can only note a refund and not make it: note it, somebody pays it out by other means. Off: it is a `refund_mismatch`.",
    )
    late_change_note: Literal["staff_notes", "off"] = Field(
        "staff_notes",
        description="Where the shop's people read of a change or cancel that the warehouse did not take: one line of ours in the order's staff notes; what"
        " others wrote there stays. off: only the exception `late_change` says it.",
    )
    rate_per_second: float = Field(
        15.0, gt=0, description="Requests a second at most; what the rate headers of the plan leave counts on top."
    )

    @property
    def tells_late_changes(self) -> bool:
        """As `ChannelSettings.tells_late_changes`."""
        return self.late_change_note != "off"
