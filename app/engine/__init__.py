"""The stream engine: Faust's programming model on transactional micro-batches. It knows nothing of the domain (`docs/architecture.md`)."""

from app.engine.api import Batch, Context, Engine, PartitionFunction, PartitionLost, Record, Table
from app.engine.app import EngineApp, create_app
from app.engine.config import EngineConfig, Guarantee
from app.engine.errors import (
    BrokerUnavailable,
    CycleAborted,
    DeadLetterLimit,
    EngineConfigError,
    EngineError,
    Fenced,
    JournalDamaged,
    OutputRefused,
    PoisonBatch,
)
from app.engine.health import EngineObserver, EngineStats
from app.engine.murmur import murmur2, partition_of
from app.engine.topics import internal_topics

__all__ = [
    "Batch",
    "BrokerUnavailable",
    "Context",
    "CycleAborted",
    "DeadLetterLimit",
    "Engine",
    "EngineApp",
    "EngineConfig",
    "EngineConfigError",
    "EngineError",
    "EngineObserver",
    "EngineStats",
    "Fenced",
    "Guarantee",
    "JournalDamaged",
    "OutputRefused",
    "PartitionFunction",
    "PartitionLost",
    "PoisonBatch",
    "Record",
    "Table",
    "create_app",
    "internal_topics",
    "murmur2",
    "partition_of",
]
