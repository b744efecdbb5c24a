"""Local state of one partition: bytes by key, with the mark that says how far it reaches."""

from app.engine.store.base import Mark, Rows, Size, Store
from app.engine.store.factory import StoreSet

__all__ = ["Mark", "Rows", "Size", "Store", "StoreSet"]
