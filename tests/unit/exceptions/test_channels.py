"""Operators' commands for the exceptions of a channel: the row changes, it is told, and a retry makes what waits due now."""

import pytest

from schemas.records import ExceptionCommand, ExceptionState, ReleaseLine, ReleaseOrder
from tables.deliveries import troubles
from tests.unit.delivery.rig import Rig


def command(action: str, exception_id: str, channel: str = "shop") -> ExceptionCommand:
    return ExceptionCommand(
        channel=channel, exception_id=exception_id, action=action, actor="kim", reason="peer is back"
    )


@pytest.fixture
def changes(rig: Rig) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    rig.agent.on_change = lambda channel, kind, key: found.append((channel, kind, key))
    return found


@pytest.fixture
def rig() -> Rig:
    return Rig()
