"""Settings of a commercetools channel, declared beside the code that reads them. What the platform leaves to each project is a setting here."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from app.connectors.channel import ChannelSettings


class CommercetoolsSettings(ChannelSettings):
    """How to reach one commercetools project and what to do there."""

    system: Literal["commercetools"]
    api_url: str = Field("https://api.europe-west1.gcp.commercetools.com", description="HTTP API host.")
    auth_url: str = Field("https://auth.europe-west1.gcp.commercetools.com", description="Token host.")
    project_key: str = Field("", description="Project key.")
    client_id: str = Field("", description="API client id.")
    client_secret: SecretStr = Field(SecretStr(""), description="API client secret.")
    scopes: str = Field("", description="Scopes to ask for, space-separated; empty for the client's own.")
    kafka_bootstrap: str = Field(
        "", description="Bootstrap servers of the subscription's Kafka destination; empty: polling only."
    )
    kafka_topic: str = Field("", description="Topic of the destination.")
    kafka_group: str = Field("clarus-stream-bridge", description="Consumer group of the bridge in that cluster.")
    kafka_security: dict[str, str] = Field(
        default_factory=lambda: {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"},
        description="Client properties of that cluster.",
    )
    kafka_api_key: str = Field("", description="User name at that cluster.")
    kafka_api_secret: SecretStr = Field(SecretStr(""), description="Password at that cluster.")
    rate_per_second: float = Field(20.0, gt=0, description="Requests a second; commercetools publishes no limit.")
    parallel_writes: int = Field(
        8, ge=1, le=20, description="Inventory writes at a time; the vendor advises at most 20."
    )
    supply_channels: dict[str, str] = Field(
        default_factory=dict,
        description="Supply channel key to its id. Without an entry the key is looked up, and orders from that channel are fetched instead of taken from the"
        " notification.",
    )
    marker_type: str = Field(
        "clarus-stream", min_length=2, description="Key of our custom type for inventory entries; made at start-up."
    )
    marker_field: str = Field(
        "clarusStream",
        pattern=r"^[a-zA-Z0-9_-]{2,36}$",
        description="Field of that type that says which of our writes landed last. Entries with a type of their own need this field in it (String).",
    )
    paid_states: list[str] = Field(
        default_factory=lambda: ["Paid"], description="Payment states that count as paid: the order may be released."
    )
    release_states: list[str] = Field(
        default_factory=list, description="Order states that release an order whatever its payment state."
    )
    agreed_fields: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Order custom field to the values that release an order whatever its payment state, such as paymentTerms: [invoice]. Besides custom fields"
        " these count: `shipping.<custom field>` of the shipping, and the keys `store` and `businessUnit`.",
    )
    hold_field: str = Field(
        "", description="Order custom field that holds an order while it is there and not false, such as a credit hold."
    )
    customer_field: str = Field(
        "", description="Order custom field with the customer's number; empty for the platform's customer id."
    )
    requested_date_field: str = Field(
        "", description="Order custom field (Date or DateTime) with the day on which the customer wants the goods."
    )
    line_note_fields: list[str] = Field(
        default_factory=list,
        description="Line item custom fields that the customer had written on the goods, such as engraving: they go to the warehouse with the line.",
    )
    restocks_on_cancel: bool = Field(
        False,
        description="Something in the project puts a cancelled order's units back on stock; the platform does not.",
    )
    imported_field: str = Field(
        "", description="Custom field that imported orders carry; orders with completedAt count as imported anyway."
    )
    imported_lower_stock: bool = Field(False, description="Imported orders lower the stock as others do.")
    barcode_attribute: str = Field(
        "", description="Product attribute with the barcode, for `clarus-stream audit`; empty: not compared."
    )
    weight_attribute: str = Field(
        "", description="Product attribute with the weight, a number, for `clarus-stream audit`; empty: not compared."
    )
    weight_unit: Literal["g", "kg", "oz", "lb"] = Field("g", description="Unit of that weight.")
    refund_state: Literal["Initial", "Pending", "Success"] = Field(
        "Initial",
        description="State of the transactions that we add for refunds: what the project's payment connector takes up. Success: nobody does, money goes back"
        " by other means.",
    )
    note_field: str = Field("deliveryNote", description="Order custom field with the customer's delivery note.")
    gift_field: str = Field("giftMessage", description="Order custom field with the gift message.")
    late_change_field: str = Field(
        "",
        pattern=r"^([a-zA-Z0-9_-]{2,36})?$",
        description="Order custom field (String) where the shop's people read of a change or cancel that the warehouse did not take: one line of ours; what"
        " others wrote there stays. Empty: only the exception `late_change` says it.",
    )
    late_change_type: str = Field(
        "",
        description="Key of the project's custom type for orders that has this field. Orders without a type get this one; a type of their own stays and needs"
        " the field in it.",
    )

    @model_validator(mode="after")
    def _type_of_the_field(self) -> Self:
        if bool(self.late_change_field) != bool(self.late_change_type):
            raise ValueError("late_change_field and late_change_type belong together: give both or none")
        read = (self.note_field, self.gift_field, self.hold_field, self.customer_field, self.requested_date_field)
        if self.late_change_field and self.late_change_field in (*read, self.imported_field, *self.agreed_fields):
            raise ValueError(
                f"late_change_field {self.late_change_field} is read for something else: name a field of its own"
            )
        return self

    @property
    def tells_late_changes(self) -> bool:
        """As `ChannelSettings.tells_late_changes`."""
        return bool(self.late_change_field)
