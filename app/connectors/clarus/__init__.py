"""The Clarus connector."""

from app.connectors.clarus.warehouse import ClarusWarehouse
from app.connectors.clarus.webhooks import ClarusIntake

__all__ = ["ClarusIntake", "ClarusWarehouse"]
