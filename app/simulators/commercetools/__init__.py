"""A simulated commercetools project."""

from app.simulators.commercetools.simulator import CommercetoolsSimulator

__all__ = ["CommercetoolsSimulator"]
