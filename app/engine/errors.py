"""Every way the engine can refuse or stop, in one tree. An error that leaves `EngineApp` ends the worker: the supervisor starts it again."""

from app.engine.api import PartitionLost


class EngineError(Exception):
    """Base of the engine's own errors."""


class EngineConfigError(EngineError):
    """The configuration cannot work: topics missing, partition counts that differ, a data directory in use."""


class BrokerUnavailable(EngineError):
    """No broker answered within the time allowed at start. A broker that goes away later is waited for."""


class StoppedWaiting(EngineError):
    """The worker was told to stop while a commit waited for a broker that is away. What was not committed is read again at the next start."""


class Fenced(EngineError):
    """Another process runs under this worker's name, or the broker has shut this one out. It must not go on."""


class PoisonBatch(EngineError):
    """A batch, tick or partition callback failed in every attempt. Nothing past it was committed."""


class DeadLetterLimit(EngineError):
    """Too many unreadable records: the topic looks wrong rather than the record. Nothing of the batch was committed."""


class OutputRefused(EngineError):
    """The broker will never take a record of this cycle: too large, no such topic, no permission. Nothing of the cycle was committed."""


class JournalDamaged(EngineError):
    """The journal of a partition does not hold what its markers promise."""


class CycleAborted(EngineError):
    """A commit failed and nothing of it is visible (`certain`), or it is not known whether it is (then the state is read again)."""

    def __init__(self, message: str, *, certain: bool) -> None:
        super().__init__(message)
        self.certain = certain


__all__ = [
    "BrokerUnavailable",
    "CycleAborted",
    "DeadLetterLimit",
    "EngineConfigError",
    "EngineError",
    "Fenced",
    "JournalDamaged",
    "OutputRefused",
    "PartitionLost",
    "PoisonBatch",
    "StoppedWaiting",
]
