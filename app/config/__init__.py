"""From a file and the environment to checked settings, with the source of every value. What may be set is said in `app.settings`.

Order of force: defaults, then the YAML file, then variables `CLARUS_STREAM__…`. Whatever is wrong is reported at once, one line a fault; nothing starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pydantic import ValidationError

from app.config.checks import Fault, credential_faults, setting_faults, setting_warnings
from app.config.document import Document, read_yaml
from app.config.environment import overlay
from app.config.words import faults_of
from app.errors import Problem
from app.settings import Settings

log = structlog.get_logger(__name__)


class ConfigProblem(Problem):
    """The configuration is wrong: one line a fault, exit status 2."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(lines, 2)


@dataclass(slots=True)
class Loaded:
    """Checked settings, where each given value came from (by its path; what is not there is a default), and what is allowed but worth knowing."""

    settings: Settings
    document: Document
    warnings: list[str] = field(default_factory=list)

    def source(self, path: tuple[str | int, ...]) -> str:
        """`file:line`, a variable's name, or `default`."""
        return self.document.source(path) if self.document.given(path) else "default"

    def log_warnings(self) -> None:
        """One log line a warning."""
        for warning in self.warnings:
            log.warning("configuration", warning=warning)


def load(path: Path | None, environ: Mapping[str, str], *, credentials: bool = False) -> Loaded:
    """Read, overlay, validate and check. `credentials` also asks for what is needed to log in at every peer.

    `ConfigProblem` with every fault found: each line names the setting, its source and what is allowed.
    """
    document = read_yaml(path) if path is not None else Document({})
    problems = document.problems + overlay(document, environ, Settings)
    if problems:
        raise ConfigProblem(problems)
    try:
        settings = Settings.model_validate(document.data)
    except ValidationError as error:
        raise ConfigProblem(faults_of(error, document, Settings)) from None
    faults: list[Fault] = setting_faults(settings)
    if credentials:
        faults += credential_faults(settings)
    if faults:
        raise ConfigProblem([f"{document.source(fault.path)}: {fault.text}" for fault in faults])
    return Loaded(settings, document, [w.text for w in setting_warnings(settings)])
