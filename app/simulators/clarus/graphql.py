"""A small, strict reader of GraphQL queries: named operations, variables, aliases, arguments and nested selections. No fragments, directives or mutations.

It knows the language only; what may be asked is said in `roots`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(
    r"[\s,\ufeff]+|#[^\n]*"
    r"|(?P<name>[_A-Za-z][_0-9A-Za-z]*)"
    r"|(?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r'|(?P<string>"(?:\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4}|[^"\\\n])*")'
    r"|(?P<punctuation>\.\.\.|[{}()\[\]:!$=@|&])"
)


class QueryError(Exception):
    """What GraphQL answers under `errors`. `path` leads to the field where it has one."""

    def __init__(self, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message, self.path = message, path

    def shown(self) -> dict[str, Any]:
        """As an entry of `errors`."""
        return {"message": self.message, "path": list(self.path), "locations": [], "extensions": {}}


@dataclass(frozen=True, slots=True)
class Variable:
    """A `$name` where a value stands."""

    name: str


class Word(str):
    """An enum value: a bare word."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """One selected field."""

    key: str  # alias, or the name
    name: str
    arguments: Mapping[str, Any]
    fields: tuple["Selection", ...]


@dataclass(frozen=True, slots=True)
class Query:
    """One operation: its variables' declared types (with defaults) and its roots."""

    types: Mapping[str, str]
    defaults: Mapping[str, Any]
    fields: tuple[Selection, ...]


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """Read a document of exactly one query. QueryError where it is none."""
    return _Parser(text).document()


def bind(query: Query, given: Mapping[str, Any]) -> dict[str, Any]:
    """The variables' values: unknown ones are passed over as the language wants, missing ones that must be there refused."""
    values = {name: given.get(name, query.defaults.get(name)) for name in query.types}
    for name, type_name in query.types.items():
        if values[name] is None and type_name.endswith("!"):
            raise QueryError(f"Variable ${name} of type {type_name} was provided invalid value")
    return values


def resolve(value: Any, variables: Mapping[str, Any]) -> Any:
    """An argument's value with its variables put in."""
    if isinstance(value, Variable):
        return variables[value.name]
    if isinstance(value, list):
        return [resolve(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: resolve(item, variables) for key, item in value.items()}
    return value


@dataclass(slots=True)
class _Parser:
    text: str
    tokens: list[tuple[str, str]] = field(default_factory=list)
    at: int = 0
    types: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        position = 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise QueryError(f"Parse error at {position}: unexpected {self.text[position]!r}")
            if match.lastgroup:
                self.tokens.append((match.lastgroup, match.group()))
            position = match.end()
        self.tokens.append(("end", ""))

    def document(self) -> Query:
        defaults: dict[str, Any] = {}
        if self.peek() != "{":
            word = self.name()
            if word != "query":
                raise QueryError(f"{word} is not supported: only queries are")
            if self.tokens[self.at][0] == "name":
                self.name()
            if self.peek() == "(":
                self.definitions(defaults)
        fields = self.selections()
        if self.tokens[self.at][0] != "end":
            raise QueryError("Parse error: exactly one operation is wanted")
        return Query(self.types, defaults, fields)

    def definitions(self, defaults: dict[str, Any]) -> None:
        self.take("(")
        while self.peek() != ")":
            self.take("$")
            name = self.name()
            self.take(":")
            self.types[name] = self.type_name()
            if self.peek() == "=":
                self.take("=")
                defaults[name] = self.value()
        self.take(")")

    def type_name(self) -> str:
        if self.peek() == "[":
            self.take("[")
            inner = f"[{self.type_name()}]"
            self.take("]")
        else:
            inner = self.name()
        if self.peek() == "!":
            self.take("!")
            return f"{inner}!"
        return inner

    def selections(self) -> tuple[Selection, ...]:
        self.take("{")
        found: list[Selection] = []
        while self.peek() != "}":
            if self.peek() in ("...", "@"):
                raise QueryError("Fragments and directives are not supported here")
            key = name = self.name()
            if self.peek() == ":":
                self.take(":")
                name = self.name()
            arguments: dict[str, Any] = {}
            if self.peek() == "(":
                self.take("(")
                while self.peek() != ")":
                    argument = self.name()
                    self.take(":")
                    arguments[argument] = self.value()
                self.take(")")
            found.append(Selection(key, name, arguments, self.selections() if self.peek() == "{" else ()))
        self.take("}")
        if not found:
            raise QueryError("Parse error: an empty selection")
        return tuple(found)

    def value(self) -> Any:
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return float(text) if any(c in text for c in ".eE") else int(text)
        if kind == "string":
            return text[1:-1].encode().decode("unicode_escape") if "\\" in text else text[1:-1]
        if kind == "name":
            return {"true": True, "false": False, "null": None}.get(text, Word(text))
        if text == "$":
            name = self.name()
            if name not in self.types:
                raise QueryError(f"Variable ${name} is used but not declared")
            return Variable(name)
        if text == "[":
            items = []
            while self.peek() != "]":
                items.append(self.value())
            self.take("]")
            return items
        if text == "{":
            members: dict[str, Any] = {}
            while self.peek() != "}":
                member = self.name()
                self.take(":")
                members[member] = self.value()
            self.take("}")
            return members
        raise QueryError(f"Parse error: unexpected {text or 'end of the document'!r}")

    def peek(self) -> str:
        return self.tokens[self.at][1]

    def name(self) -> str:
        kind, text = self.tokens[self.at]
        if kind != "name":
            raise QueryError(f"Parse error: a name is wanted, not {text or 'the end of the document'!r}")
        self.at += 1
        return text

    def take(self, text: str) -> None:
        if self.tokens[self.at][1] != text or self.tokens[self.at][0] != "punctuation":
            raise QueryError(f"Parse error: {text!r} is wanted, not {self.tokens[self.at][1]!r}")
        self.at += 1
