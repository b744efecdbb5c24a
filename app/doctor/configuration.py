"""The configuration as the first check: whatever can be looked at is looked at, even where credentials of one peer are missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.config import load
from app.config.checks import credential_faults
from app.connectors import CLARUS
from app.doctor.checks import Result
from app.errors import Problem
from app.settings import Settings

AREA: Final = "configuration"
_REMEDY: Final = "clarus-stream config check shows what is in force and where it comes from"


@dataclass(slots=True)
class Configured:
    """The settings, None where they cannot be used at all; results; why peers cannot be asked, by name."""

    settings: Settings | None
    results: list[Result]
    lacking: dict[str, str] = field(default_factory=dict)


def look(path: Path | None, environ: Mapping[str, str]) -> Configured:
    """Load and judge it."""
    try:
        loaded = load(path, environ)
    except Problem as problem:
        return Configured(None, [Result(AREA, "settings", "fail", line, _REMEDY) for line in problem.lines])
    settings = loaded.settings
    results = [Result(AREA, "settings", "warn", warning, _REMEDY) for warning in loaded.warnings]
    lacking: dict[str, str] = {}
    for fault in credential_faults(settings):
        peer = CLARUS if fault.path[0] == CLARUS else str(fault.path[1])
        lacking.setdefault(peer, fault.text)
        remedy = "set it in the file, by variable or secret file; until then this peer is not asked"
        results.append(Result(AREA, "credentials", "fail", fault.text, remedy))
    text = (
        f"{len(settings.products)} products, {len(settings.channels)} channels, {len(settings.warehouses)} warehouses"
    )
    if not results:
        results = [Result(AREA, "settings", "ok", f"{text} from {path or 'variables and defaults'}")]
    return Configured(settings, results, lacking)
