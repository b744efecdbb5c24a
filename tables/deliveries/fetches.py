"""The durable row of one order that is to be fetched whole from its storefront: asked for many times, fetched once. Pure."""

import msgspec


class FetchRow(msgspec.Struct, array_like=True):
    """An order to fetch. `wanted` counts the notifications; the row is removed when a fetch that began after the last of them is folded."""

    channel: str
    order_id: str
    wanted: int = 0
    asked_at: int = 0

    @property
    def key(self) -> str:
        """Key of the row."""
        return f"{self.channel}/{self.order_id}"


def want(row: FetchRow, now: int) -> None:
    """It changed (again) at the storefront."""
    row.wanted += 1
    row.asked_at = row.asked_at or now
