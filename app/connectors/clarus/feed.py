"""The transactions feed (fact sheet 5.5): which products moved since a cursor. It fills the gaps that lost webhooks leave."""

from app.connectors.clarus.client import PEER, ClarusClient, Listed
from app.connectors.clarus.lookups import Lookups
from app.connectors.contract import Priority
from app.connectors.errors import Malformed
from app.connectors.times import from_iso, iso

_NODE = "id created_at product { id code }"


class Feed:
    """A cursor is the peer's time of the newest transaction seen, milliseconds as text. What was seen within the overlap is remembered, not told again."""

    def __init__(self, client: ClarusClient, lookups: Lookups) -> None:
        self._client, self._lookups = client, lookups
        self._seen: dict[str, int] = {}

    async def since(self, cursor: str, priority: Priority) -> tuple[set[str], str]:
        """Product codes with transactions since the cursor, and the next cursor. An empty cursor starts now."""
        if not cursor:
            return set(), str(self._client.peer_time()[0])
        try:
            newest = int(cursor)
        except ValueError as error:
            raise ValueError(f"{cursor!r} is not a cursor of the transactions feed") from error
        start = newest - self._client.settings.feed_overlap_s * 1000
        where = {
            "account_id": {"eq": await self._lookups.account(priority)},
            "created_at": {"from": iso(max(0, start))},
        }
        rows = await self._client.rows(Listed("transactions", _NODE, "TransactionFilterType", where), priority)
        codes: set[str] = set()
        for row in rows:
            try:
                at, key = from_iso(str(row["created_at"])), str(row["id"])
            except (KeyError, ValueError) as error:
                raise Malformed(PEER, "transactions", "a transaction without id or time") from error
            code = (row.get("product") or {}).get("code")
            if key not in self._seen and code:
                codes.add(str(code))
            self._seen[key] = at
            newest = max(newest, at)
        horizon = newest - self._client.settings.feed_overlap_s * 1000
        self._seen = {key: at for key, at in self._seen.items() if at >= horizon}
        return codes, str(newest)
