"""The simulated Clarus WMS, and the sets of webhooks it may send."""

from app.simulators.clarus.automations import DEFAULT, ORDER_EVENTS, STOCK_EVENTS
from app.simulators.clarus.simulator import ClarusSimulator

__all__ = ["DEFAULT", "ORDER_EVENTS", "STOCK_EVENTS", "ClarusSimulator"]
