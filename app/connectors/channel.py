"""Settings that every storefront channel has, whatever its system."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class ChannelSettings(BaseModel):
    """Base of the settings of each system."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["live", "shadow"] = Field(
        "live",
        description="Where the channel starts. shadow: figures are computed and compared, nothing is written there; ended by `clarus-stream go-live`, after"
        " which this setting has no say.",
    )
    orders_from: AwareDatetime | None = Field(
        None,
        description="The moment the program before this one stopped, as 2026-03-01T06:00:00Z: orders placed earlier are left to it and never released here, and"
        " the first poll reaches back to it. Without it the first poll reaches back by `settings.sweeps.order_overlap`, and an older order that changes is"
        " released.",
    )

    @property
    def tells_late_changes(self) -> bool:
        """Is a note written at orders whose change or cancel the warehouse did not take?"""
        return False

    @property
    def orders_from_ms(self) -> int:
        """`orders_from` in milliseconds; 0 for none."""
        return int(self.orders_from.timestamp() * 1000) if self.orders_from is not None else 0
