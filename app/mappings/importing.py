"""An import, from the file to the topic: what it would change, whether everything would fit together then, and the writing of it. It prints nothing."""

from dataclasses import dataclass

from app.errors import Problem
from app.mappings.configured import configured, setting
from app.mappings.files import MappingFile
from app.mappings.force import in_force
from app.mappings.topic import MappingsReader, MappingsWriter
from app.registry import codecs_for
from app.settings import Settings
from tables.catalogue import Catalogue
from tables.mappings import book as books
from tables.mappings.book import Entry, Key
from tables.mappings.changes import Change, changes
from tables.mappings.checks import faults, settled
from tables.mappings.log import Log

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do. `then`: the imported records as they would be."""

    before: Log
    changes: list[Change]
    then: dict[Key, Entry]


def imported(settings: Settings) -> Log:
    """What was imported up to now. `Problem` where the topic cannot be read."""
    with MappingsReader(settings, codecs_for(settings)) as reader:
        reader.catch_up()
        return reader.log


def mapped(settings: Settings) -> Catalogue:
    """Products, listings and policies as the workers have them. `Problem` as `imported`."""
    log = imported(settings)
    return in_force(settings, log.entries, log.version).catalogue


def planned(settings: Settings, file: MappingFile, *, replace: bool = False) -> Plan:
    """What an import would do to what was imported up to now. `Problem` as `imported` and `plan`; what is wrong with the file itself is said in any case."""
    try:
        before = imported(settings)
    except Problem as problem:
        raise Problem([*file.faults, *problem.lines], 2 if file.faults else problem.status) from problem
    return plan(settings, before, file, replace=replace)


def plan(settings: Settings, before: Log, file: MappingFile, *, replace: bool = False) -> Plan:
    """Everything checked. `Problem`, one line a fault, where records cannot be read, or do not fit each other, the configuration or what is in force: nothing
    is imported."""
    base = configured(settings)
    unknown = sorted(key for key in file.removed if key not in before.entries)
    wrong = [*file.faults, *(f"{file.places[key]}: {_unknown(key, key in base)}" for key in unknown)]
    found = changes(base, before.entries, file.records, file.removed, replace=replace)
    then = dict(before.entries)
    for change in found:
        if change.after is None:
            then.pop(change.key, None)
        else:
            then[change.key] = Entry(change.after)
    given = setting(settings)
    known = {fault.key for fault in settled(base, before.entries, given)[1]} - {one.key for one in found}
    wrong += [
        f"{file.places.get(fault.key, 'in force')}: {fault}"
        for fault in faults(books.over(base, then), given, file.unread)
        if fault.key not in known  # left out already, whatever is imported now
    ]
    if wrong:
        raise Problem([*wrong, "nothing was imported"], 2)
    return Plan(before, found, then)


def _unknown(key: Key, configured: bool) -> str:
    where = "the configuration says it: take it out there" if configured else "clarus-stream mappings list has all"
    return f"{key[0]} {key[1]}: nothing of that name was imported, so nothing can be removed; {where}"


def run(settings: Settings, file: MappingFile, actor: str, reason: str, *, replace: bool = False) -> tuple[Plan, int]:
    """Check and write; the version of it, 0 where nothing changes. `Problem` where anything is wrong."""
    words = reason.strip()
    if not words or len(words) > LONGEST_REASON:
        raise Problem(f"the reason must have 1 to {LONGEST_REASON} characters", 2)
    writer = MappingsWriter(settings)
    if not file.faults:  # else nothing will be written, and whoever imports now need not end for it
        writer.begin()
    found = planned(settings, file, replace=replace)
    if not found.changes:
        return found, 0
    return found, writer.write(found.before, {one.key: one.after for one in found.changes}, actor, words)
