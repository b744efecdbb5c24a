"""Settings of a commercetools channel, declared beside the code that reads them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class CommercetoolsSettings(BaseModel):
    """How to reach one commercetools project and what to do there."""

    model_config = ConfigDict(extra="forbid")

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
