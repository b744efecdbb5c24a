"""The finance rules' view of a configuration."""

from app.settings import Settings
from tables.catalogue import Catalogue
from tables.finance.fold import Rules
from tables.finance.judge import Waits


def finance_rules(settings: Settings, catalogue: Catalogue) -> Rules:
    """Everything that money is judged by."""
    given = settings.settings.finance
    return Rules(catalogue, Waits(given.release_wait, given.refund_wait))
