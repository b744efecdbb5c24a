"""Settings of the Clarus connector, declared beside the code that reads them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ClarusSettings(BaseModel):
    """How to reach Clarus and how to read it. Source of every default: the fact sheet of Clarus; what is undocumented there is a setting here."""

    model_config = ConfigDict(extra="forbid")

    base_url: str = Field("https://clarus-api.com", description="Base URL of API, GraphQL and token endpoint.")
    subdomain: str = Field("", description="Tenant slug, sent as X-Clarus-Subdomain.")
    client_id: str = Field("", description="OAuth client id.")
    client_secret: SecretStr = Field(SecretStr(""), description="OAuth client secret.")
    account: str = Field("", description="Code of the stock owner (Clarus account).")
    rest_prefix: str = Field(
        "/api", description="Prefix of the REST operations; two samples of the documentation use /api/v1."
    )
    line_quantities: Literal["exclusive", "cumulative"] = Field(
        "exclusive",
        description="Are allocated, pick and dispatch quantity of a line parts of it (exclusive) or does each contain the next (cumulative)?",
    )
    release_point: Literal["created", "allocated", "despatched"] = Field(
        "allocated", description="From which step on `available` no longer contains an order's units."
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Unguessable part of the webhook path: Clarus signs nothing."
    )
    automations: dict[str, str] = Field(
        default_factory=dict, description="Automation id to event, for example 43: stock.positively_adjusted."
    )
