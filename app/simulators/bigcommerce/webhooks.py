"""Webhooks of the simulated store: the hooks that were registered, the thin envelope, its signature, and its delivery (bigcommerce.md 7.1, 7.2, 7.4)."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.simulators.base import Notifier

_PARALLEL = 20


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The Standard Webhooks signature, keyed with the bytes of the client secret."""
    digest = hmac.new(secret.encode(), f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


@dataclass(slots=True)
class Hook:
    """A registered hook, with the headers that its owner wants on every callback."""

    id: int
    scope: str
    destination: str
    headers: dict[str, str] = field(default_factory=dict)
    is_active: bool = True
    created_at: int = field(default_factory=lambda: int(time.time()))
    updated_at: int = field(default_factory=lambda: int(time.time()))

    def wants(self, scope: str) -> bool:
        """Is it registered for this scope, or for a wildcard over it?"""
        return self.is_active and (
            self.scope == scope or (self.scope.endswith("/*") and scope.startswith(self.scope[:-1]))
        )


class Webhooks:
    """All hooks of one store and their deliveries. Unlike the platform it also posts to plain HTTP, so that a rehearsal needs no certificates."""

    def __init__(self, store_hash: str, store_id: str, client_id: str, client_secret: str, notifier: Notifier) -> None:
        self.store_hash, self.store_id, self.client_id = store_hash, store_id, client_id
        self._secret, self._notifier = client_secret, notifier
        self.hooks: dict[int, Hook] = {}
        self._next = 18_048_287
        self.client: httpx.AsyncClient | None = None
        self._gate = asyncio.Semaphore(_PARALLEL)

    def register(self, scope: str, destination: str, headers: dict[str, str], is_active: bool = True) -> Hook:
        """Add a hook."""
        hook = self.hooks[self._next] = Hook(self._next, scope, destination, headers, is_active)
        self._next += 1
        return hook

    def emit(self, scope: str, entity: str, data: dict[str, Any]) -> None:
        """Tell every hook registered for it, after the notification lag."""
        payload = {
            "scope": scope,
            "store_id": self.store_id,
            "producer": f"stores/{self.store_hash}",
            "data": data,
            "created_at": int(time.time()),
        }
        payload["hash"] = hashlib.sha1(json.dumps(payload).encode(), usedforsecurity=False).hexdigest()
        body = json.dumps(payload, separators=(",", ":")).encode()
        for hook in self.hooks.values():
            if hook.wants(scope):
                message_id = f"msg_{uuid.uuid4().hex}"
                self._notifier.post(
                    entity,
                    lambda hook=hook, message_id=message_id: self._send(hook, message_id, body, forged=False),  # type: ignore[misc]
                    lambda hook=hook, message_id=message_id: self._send(hook, message_id, body, forged=True),  # type: ignore[misc]
                )

    async def _send(self, hook: Hook, message_id: str, body: bytes, *, forged: bool) -> bool:
        """One callback: signed afresh at every try. A forged one is signed with, and carries, secrets of somebody else."""
        async with self._gate:
            return await self._post(hook, message_id, body, forged=forged)

    async def _post(self, hook: Hook, message_id: str, body: bytes, *, forged: bool) -> bool:
        if self.client is None:
            self.client = httpx.AsyncClient(timeout=10, trust_env=False)
        timestamp = int(time.time())
        headers = {
            **{name: "forged" if forged else value for name, value in hook.headers.items()},
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign("forged" if forged else self._secret, message_id, timestamp, body),
        }
        try:
            response = await self.client.post(hook.destination, content=body, headers=headers)
        except httpx.HTTPError:
            return False
        return response.is_success

    async def stop(self) -> None:
        """Close the connections."""
        if self.client is not None:
            await self.client.aclose()
