"""The form of `expect`: the end that a drill file expects. How it is compared with the report is in `app.drill.expectations`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from app.settings import Model

OrderState = Literal["open", "part_shipped", "shipped", "cancelled", "refunded"]


def _rising(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] > value[1]:
        raise ValueError("[least, most] with least at most as large as most")
    return value


Bounds = int | Annotated[tuple[int, int], AfterValidator(_rising)]
"""A number, or [least, most]."""


class Expect(Model):
    """The end that a file expects, beside the checks that hold for every file. What is not given is not compared."""

    stock: dict[str, dict[str, Bounds]] = Field(
        default_factory=dict, description="Channel to listing to the figure shown, or [least, most]."
    )
    orders: Bounds | None = Field(None, description="Orders that the storefronts accepted.")
    states: dict[str, OrderState] = Field(default_factory=dict, description="Storefront order, channel:id, to state.")
    shipments: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Storefront order, channel:id, to the tracking numbers of its shipments; [] for none.",
    )
    refunded: dict[str, str] = Field(
        default_factory=dict, description="Storefront order, channel:id, to what went back, such as 10.00."
    )
    staff_notes: dict[str, str] = Field(
        default_factory=dict,
        description="Storefront order, channel:id, to a part of what it says to the shop's people; empty for nothing.",
    )
    wms_orders: Bounds | None = Field(None, description="WMS orders that were not deleted.")
    wms: dict[str, list[str]] = Field(
        default_factory=dict, description="Order, channel:id, to the status of each of its WMS orders; [] for none."
    )
    wms_lines: dict[str, dict[str, int]] = Field(
        default_factory=dict,
        description="Order, channel:id, to Clarus code to eaches ordered in its WMS orders that were not deleted.",
    )
    wms_address: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="Order, channel:id, to Clarus' address field to its text, in each of its WMS orders that was not deleted; other fields are not compared.",
    )
    oversold: Bounds | None = Field(
        None, description="Units oversold. Within these bounds no_oversell may fail: shared pools measure it."
    )
    exceptions: dict[str, Bounds] | None = Field(
        None, description="Exception type to how many were opened; a type not named: none."
    )
    open_exceptions: dict[str, Bounds] | None = Field(
        None, description="Exception type to how many are open at the end; a type not named: none."
    )
    failed_steps: list[Annotated[int, Field(ge=0)]] = Field(
        default_factory=list, description="Steps, counted from 0, that fail, and are no failure of the drill."
    )

    def excuses(self, check: str) -> bool:
        """May this check fail, because the bounds of the file say how far?"""
        return check == "no_oversell" and self.oversold is not None
