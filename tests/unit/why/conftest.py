"""An order whose parcel is on its way, and the configuration it belongs to."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config import load
from app.settings import Settings
from tables.deliveries.pauses import PauseRow
from tables.deliveries.polls import PollRow
from tables.deliveries.shipments import ShipIntent, ShipmentRow
from tables.deliveries.troubles import TroubleRow
from tables.stock.rows import Line, OrderLines
from tests.support.engine import MemoryEngine
from tests.support.files import shop
from tests.unit.explain.test_order import personal, released
from tests.unit.orders.test_despatch import left, parcel, play
from tests.unit.orders.test_fold import answer
from tests.unit.why.rig import CONFIG, PARTITIONS, TABLES, place


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(shop(tmp_path, yaml.safe_dump(CONFIG)), {}).settings


@pytest.fixture
def engine() -> MemoryEngine:
    """Order shop:7, number A7: a parcel left and is on its way to a paused storefront."""
    engine = MemoryEngine(PARTITIONS)
    row, _ = play(personal(), answer("ALLOCATED"), left(9, parcel("p", "T-77", MUG=2)))
    release = released(row)
    release.answered, release.wms_id, release.status = release.version, "77", "ALLOCATED"
    delivery = TABLES.delivery

    def storefront(context: Any) -> None:
        shipment = ShipmentRow("shop", "7", "p", version=3, since=1000, attempts=2, intent=ShipIntent("ship", 4000, 3))
        context.put(delivery.shipments, shipment.key, shipment)
        context.put(delivery.pauses, "shop/", PauseRow("shop", "", "kim", "import", 1))
        context.put(delivery.polls, "shop", PollRow("shop", watermark=1_700_000_000_000))
        trouble = TroubleRow("despatch_gap", "shop:A7", "a parcel is not there yet", 5000)
        context.put(delivery.troubles, "shop/despatch_gap:shop:A7", trouble)
        context.put(delivery.shipments, "shop/70/x", ShipmentRow("shop", "70", "x", version=9))

    engine.run(place("shop:7"), lambda context: context.put(TABLES.orders, "shop:7", row))
    engine.run(place("shop"), storefront)
    engine.run(place("clarus"), lambda context: context.put(delivery.releases, "shop:7", release))
    lines = OrderLines({"1": Line(version=1, eaches=2, state="OPEN", warehouses=["MAIN"], reflected=1)})
    engine.run(place("MUG"), lambda context: context.put(TABLES.stock.lines, "MUG/shop:7", lines))
    return engine
