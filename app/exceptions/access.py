"""Who may use the HTTP API: bearer tokens to names and roles. A token is compared in constant time and appears in no answer and no log."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from app.settings import ApiUser, Role

_RANK: Final[dict[Role, int]] = {"viewer": 0, "operator": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class User:
    """Whoever asks."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Is that role, or a smaller one, theirs?"""
        return _RANK[self.role] >= _RANK[role]


class Access:
    """The configured users. Every one of them is compared, so that the time tells nothing."""

    def __init__(self, users: Mapping[str, ApiUser]) -> None:
        self._users = [
            (_digest(given.token.get_secret_value()), User(name, given.role)) for name, given in users.items()
        ]

    def user(self, authorization: str) -> User | None:
        """By the value of the header Authorization."""
        scheme, _, token = authorization.partition(" ")
        asked, found = _digest(token.strip()), None
        for digest, user in self._users:
            if hmac.compare_digest(digest, asked):
                found = user
        return found if scheme.lower() == "bearer" else None


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
