"""Settings of a BigCommerce channel, declared beside the code that reads them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class BigCommerceSettings(BaseModel):
    """How to reach one BigCommerce store and what to do there."""

    model_config = ConfigDict(extra="forbid")

    system: Literal["bigcommerce"]
    api_url: str = Field("https://api.bigcommerce.com", description="API host.")
    store_hash: str = Field("", description="Store hash.")
    access_token: SecretStr = Field(SecretStr(""), description="X-Auth-Token of the API account.")
    client_secret: SecretStr = Field(SecretStr(""), description="Client secret of the API account: signs the webhooks.")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Value of the custom header given when the hooks were created."
    )
    location_id: int = Field(1, ge=1, description="Location that the storefront sells from; 1 is the default one.")
