"""Query predicates of the commercetools API, as far as integrations use them: comparisons, `in`, `is defined`, nested fields, and / or / not, variables."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<variable>:[A-Za-z0-9_]+)"""
    r"""|(?P<name>`[^`]+`|[A-Za-z_][A-Za-z0-9_-]*)|(?P<sign><>|!=|<=|>=|=|<|>|\(|\)|,))"""
)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

Test = Callable[[Mapping[str, Any]], bool]
Variables = Mapping[str, Sequence[str]]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<>": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


class PredicateError(ValueError):
    """The predicate cannot be read."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """`matches` decides; `only` names, by top-level field, the values without which it cannot match (for look-ups by index)."""

    matches: Test
    only: Mapping[str, frozenset[Any]]


def parse(text: str, variables: Variables | None = None) -> Predicate:
    """Read a `where` parameter. PredicateError with the reason where it cannot be read."""
    parser = _Parser(text, variables or {})
    predicate = parser.either()
    if parser.tokens:
        raise PredicateError(f"unexpected {parser.tokens[0][1]!r}")
    return predicate


def _value(text: str) -> str:
    """Times compare as text once they have the same number of digits."""
    match = _ISO.fullmatch(text)
    if match is None:
        return text
    fraction = (match[1] or ".")[1:4].ljust(3, "0")
    return f"{text[:19]}.{fraction}Z"


class _Parser:
    def __init__(self, text: str, variables: Variables) -> None:
        self.tokens: list[tuple[str, str]] = []
        self._variables = variables
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise PredicateError(f"unexpected {text[at : at + 10]!r}")
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()

    def either(self) -> Predicate:
        parts = [self._all()]
        while self._take("name", "or"):
            parts.append(self._all())
        if len(parts) == 1:
            return parts[0]
        shared = set.intersection(*(set(p.only) for p in parts))
        only = {name: frozenset().union(*(p.only[name] for p in parts)) for name in shared}
        return Predicate(lambda doc: any(p.matches(doc) for p in parts), only)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while self._take("name", "and"):
            parts.append(self._one())
        if len(parts) == 1:
            return parts[0]
        only = {name: values for p in parts for name, values in p.only.items()}
        return Predicate(lambda doc: all(p.matches(doc) for p in parts), only)

    def _one(self) -> Predicate:
        if self._take("name", "not"):
            inner = self._bracketed()
            return Predicate(lambda doc: not inner.matches(doc), {})
        if self.tokens and self.tokens[0] == ("sign", "("):
            return self._bracketed()
        kind, name = self._next()
        if kind != "name":
            raise PredicateError(f"a field name instead of {name!r}")
        return self._field(name.strip("`"))

    def _bracketed(self) -> Predicate:
        self._expect("sign", "(")
        inner = self.either()
        self._expect("sign", ")")
        return inner

    def _field(self, name: str) -> Predicate:
        if self.tokens and self.tokens[0] == ("sign", "("):
            inner = self._bracketed()
            return Predicate(lambda doc: _nested(doc.get(name), inner.matches), {})
        kind, word = self._next()
        if (kind, word) == ("name", "is"):
            negated = self._take("name", "not")
            self._expect("name", "defined")
            return Predicate(lambda doc: (doc.get(name) is None) is negated, {})
        if (kind, word) == ("name", "not"):
            self._expect("name", "in")
            excluded = self._list()
            return Predicate(lambda doc: doc.get(name) is not None and doc[name] not in excluded, {})
        if (kind, word) == ("name", "in"):
            wanted = self._list()
            return Predicate(lambda doc: doc.get(name) in wanted, {name: wanted})
        if kind != "sign" or word not in _COMPARISONS:
            raise PredicateError(f"a comparison instead of {word!r}")
        compare, value = _COMPARISONS[word], self._literal()
        only = {name: frozenset([value])} if word == "=" else {}
        return Predicate(lambda doc: _compare(compare, doc.get(name), value), only)

    def _list(self) -> frozenset[Any]:
        if self.tokens and self.tokens[0][0] == "variable":
            return frozenset(map(_value, self._variable(self._next()[1])))
        self._expect("sign", "(")
        values: set[Any] = set()
        while True:
            if self.tokens and self.tokens[0][0] == "variable":
                values.update(map(_value, self._variable(self._next()[1])))
            else:
                values.add(self._literal())
            if self._take("sign", ")"):
                return frozenset(values)
            self._expect("sign", ",")

    def _literal(self) -> Any:
        kind, word = self._next()
        if kind == "text":
            return _value(re.sub(r"\\(.)", r"\1", word[1:-1]))
        if kind == "number":
            return float(word) if "." in word else int(word)
        if kind == "variable":
            return _value(self._variable(word)[0])
        if word in ("true", "false"):
            return word == "true"
        raise PredicateError(f"a value instead of {word!r}")

    def _variable(self, word: str) -> Sequence[str]:
        values = self._variables.get(word[1:])
        if not values:
            raise PredicateError(f"the variable {word} has no value")
        return values

    def _next(self) -> tuple[str, str]:
        if not self.tokens:
            raise PredicateError("unexpected end")
        return self.tokens.pop(0)

    def _take(self, kind: str, word: str) -> bool:
        if self.tokens and self.tokens[0] == (kind, word):
            self.tokens.pop(0)
            return True
        return False

    def _expect(self, kind: str, word: str) -> None:
        if not self._take(kind, word):
            raise PredicateError(f"{word!r} is missing")


def _nested(value: Any, test: Test) -> bool:
    if isinstance(value, list):
        return any(isinstance(item, Mapping) and test(item) for item in value)
    return isinstance(value, Mapping) and test(value)


def _compare(compare: Callable[[Any, Any], bool], have: Any, wanted: Any) -> bool:
    if have is None or isinstance(have, str) is not isinstance(wanted, str):
        return False
    return compare(have, wanted)
