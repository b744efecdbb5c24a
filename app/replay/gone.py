"""A SKU that the configuration does not name: whether an imported mapping does, or what the workers still have of it. It reads and folds nothing."""

import tempfile
from pathlib import Path
from typing import Any

from app.engine import partition_of
from app.engine.store import StoreSet
from app.errors import Problem
from app.mappings.importing import mapped
from app.replay.read import Reader
from app.replay.report import named
from app.replay.scratch import STOCK
from app.settings import Settings
from app.why.names import product_of


def known_as(word: str, settings: Settings) -> str | None:
    """The SKU that people mean by this word, by the configuration or else by the mappings in force; None where neither has it."""
    try:
        return product_of(word, settings.catalogue()).sku
    except Problem:
        try:
            return product_of(word, mapped(settings)).sku
        except Problem:
            return None


def kept(sku: str, settings: Settings) -> dict[str, Any] | None:
    """The row that the workers have of a SKU; None where they have none. `Problem` where the cluster does not answer."""
    partition = partition_of(sku, settings.settings.kafka.partitions)
    with tempfile.TemporaryDirectory(prefix="clarus-stream-replay-") as folder:
        reader, stores = Reader(settings), StoreSet("rocksdict", Path(folder))
        try:
            stores.open()
            store = stores.get(0)
            reader.live(partition, store, lambda count: None)
            value = store.get(STOCK.key(sku))
        finally:
            stores.close()
            reader.close()
    row: dict[str, Any] | None = named(STOCK.decode(value)) if value is not None else None
    return row


def words(sku: str, row: dict[str, Any]) -> str:
    """For people: what there is to know, and how to fold it all the same."""
    stock = ", ".join(f"{free} in {place}" for place, free in sorted(row["free"].items())) or "none"
    return (
        f"{sku} is not in this configuration any more, nor in the mappings: no listing offers it, so there are no figures to judge.\n"
        f"The workers still keep its row: {stock} available by the last read of the warehouse, listings {', '.join(sorted(row['listings'])) or 'none'}.\n"
        "To fold it as it was, give the configuration that had it: `clarus-stream replay --sku … --config OLDER.yaml`"
    )
