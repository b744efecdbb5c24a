"""Compiles one of our schemas into two functions: a record to Avro bytes, and bytes to a record, without the dicts that a general library makes in between.

It knows the types that our schemas use and is silent about what is wrong: whatever does not fit raises something, and `codec` asks the library, which
says what. How Avro lays values out is its specification 1.11, "Binary encoding".
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from schemas.records import Event, Record

Writer = Callable[[Event[Any]], bytes]
Reader = Callable[[bytes, int], Event[Any]]

_LONG: Final = 1 << 63
_INT: Final = 1 << 31
_TIMES: dict[bytes, int] = {}
"""Longs of six bytes, which times are: one order holds the same few many times. Emptied where it grows."""
_MOST_TIMES: Final = 4_096


@lru_cache(4_096, typed=True)
def _varint(number: int, limit: int = _LONG) -> bytes:
    """A long. ValueError beyond its limit, in either direction."""
    if not -limit <= number < limit:
        raise ValueError("beyond the limit")
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    out.append(left)
    return bytes(out)


def _long(buffer: bytes, at: int) -> tuple[int, int]:
    """The long there, and where it ends."""
    six = buffer[at : at + 6]
    known = _TIMES.get(six)
    if known is not None:
        return known, at + 6
    begin, left, shift = at, 0, 0
    while True:
        byte = buffer[at]
        at += 1
        left |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 63:
            raise ValueError("a long of more than ten bytes")
    number = (left >> 1) ^ -(left & 1)
    if not -_LONG <= number < _LONG:
        raise ValueError("beyond the limit")
    if at - begin == 6:
        if len(_TIMES) >= _MOST_TIMES:
            _TIMES.clear()
        _TIMES[six] = number
    return number, at


def _size(buffer: bytes, at: int) -> tuple[int, int]:
    """A length, and where it ends."""
    number, at = _long(buffer, at)
    if number < 0:
        raise ValueError("a length below 0")
    return number, at


def _block(buffer: bytes, at: int) -> tuple[int, int]:
    """How many items the next block has, and where they begin; a count below 0 is followed by its bytes."""
    count, at = _long(buffer, at)
    if count >= 0:
        return count, at
    return -count, _long(buffer, at)[1]


def compiled(schema: Mapping[str, Any], classes: Mapping[str, type[Record]]) -> tuple[Writer, Reader]:
    """Of an envelope as it stands in its file; `classes` are its records and those in them, by name. Both functions know no header."""
    made = _Compiler(classes)
    made.record(schema)
    names: dict[str, Any] = {**made.known, "Event": Event}
    exec("\n".join(made.source), names)  # noqa: S102 - of our own schema files only, as dataclasses do of their fields
    name = schema["name"]
    write, read = names[f"write_{name}"], names[f"read_{name}"]

    def encoded(event: Event[Any]) -> bytes:
        parts: list[bytes] = []
        write(event, parts.append)
        return b"".join(parts)

    def decoded(buffer: bytes, at: int) -> Event[Any]:
        event, end = read(buffer, at)
        if end > len(buffer):
            raise ValueError("it ends too soon")
        found: Event[Any] = event
        return found

    return encoded, decoded


class _Compiler:
    """Collects the source of the functions, one to write and one to read for every record, and what they refer to."""

    def __init__(self, classes: Mapping[str, type[Record]]) -> None:
        self._classes = classes
        self.source: list[str] = []
        self.known: dict[str, Any] = {
            "VARINT": [_varint(number) for number in range(4_096)],
            "varint": _varint,
            "long": _long,
            "size": _size,
            "block": _block,
            "INT": _INT,
        }
        self._made: dict[str, Mapping[str, Any]] = {}
        self._names = 0

    def record(self, schema: Mapping[str, Any]) -> None:
        """The two functions of a record, after those of the records in it."""
        name, fields = schema["name"], schema["fields"]
        self._made[name] = schema
        cls = "Event"
        if name in self._classes:
            cls = f"Class{name}"
            self.known[cls] = self._classes[name]
        write, read = [f"def write_{name}(record, add):"], [f"def read_{name}(buffer, at):"]
        for number, field in enumerate(fields):
            write += _indented([f"value = record.{field['name']}", *self._write(field["type"], "value")])
            read += _indented(self._read(field["type"], f"f{number}"))
        given = ", ".join(f"{field['name']}=f{number}" for number, field in enumerate(fields))
        self.source += [*write, *read, f"    return {cls}({given}), at"]

    def _new(self, stem: str) -> str:
        self._names += 1
        return f"{stem}{self._names}"

    def _resolved(self, kind: Any) -> Any:
        """A named type by its schema; its functions are made where this is the first time."""
        if isinstance(kind, str):
            return self._made.get(kind.rpartition(".")[2], kind)
        if isinstance(kind, Mapping):
            if kind["type"] == "record" and kind["name"] not in self._made:
                self.record(kind)
            elif kind["type"] == "enum":
                self._made[kind["name"]] = kind
                self.known[f"SYMBOL{kind['name']}"] = list(kind["symbols"])
                self.known[f"PLACE{kind['name']}"] = {one: _varint(n) for n, one in enumerate(kind["symbols"])}
            return kind
        return kind

    def _write(self, kind: Any, value: str) -> list[str]:
        kind = self._resolved(kind)
        if isinstance(kind, list):
            return self._write_union(kind, value)
        match kind if isinstance(kind, str) else kind["type"]:
            case "string" | "bytes" as plain:
                raw, empty = self._new("raw"), '""' if plain == "string" else 'b""'
                encode = f"{value}.encode()" if plain == "string" else f"bytes({value})"
                return [
                    f"if {value} == {empty}:",
                    '    add(b"\\0")',
                    "else:",
                    f"    {raw} = {encode}",
                    f"    add(VARINT[len({raw})] if len({raw}) < 4096 else varint(len({raw})))",
                    f"    add({raw})",
                ]
            case "long":
                return [f"add(VARINT[{value}] if 0 <= {value} < 4096 else varint({value}))"]
            case "int":
                return [f"add(VARINT[{value}] if 0 <= {value} < 4096 else varint({value}, INT))"]
            case "boolean":
                return [f'add(b"\\1" if {value} else b"\\0")']
            case "enum":
                return [f"add(PLACE{kind['name']}[{value}])"]
            case "record":
                return [f"write_{kind['name']}({value}, add)"]
            case "array":
                item = self._new("item")
                return self._write_block(value, f"for {item} in {value}:", self._write(kind["items"], item))
            case "map":
                key, item = self._new("key"), self._new("item")
                body = [*self._write("string", key), *self._write(kind["values"], item)]
                return self._write_block(value, f"for {key}, {item} in {value}.items():", body)
            case other:
                raise TypeError(f"no schema of ours had the type {other!r} so far: it is to be compiled, too")

    def _write_block(self, value: str, loop: str, body: list[str]) -> list[str]:
        return [
            f"if len({value}):",
            f"    add(varint(len({value})))",
            f"    {loop}",
            *_indented(_indented(body)),
            'add(b"\\0")',
        ]

    def _write_union(self, kinds: list[Any], value: str) -> list[str]:
        """Of null and something, or of records."""
        lines: list[str] = []
        for place, given in enumerate(kinds):
            kind = self._resolved(given)
            head = f"add({_varint(place)!r})"
            if kind == "null":
                lines += [f"{'el' if lines else ''}if {value} is None:", f"    {head}"]
            elif "null" in kinds:
                lines += [f"{'el' if lines else ''}if {value} is not None:", f"    {head}"]
                lines += _indented(self._write(kind, value))
            else:
                lines += [f"{'el' if lines else ''}if {value}.__class__ is Class{kind['name']}:", f"    {head}"]
                lines += _indented(self._write(kind, value))
        return [*lines, "else:", '    raise TypeError("none of the union")']

    def _read(self, kind: Any, into: str) -> list[str]:
        kind = self._resolved(kind)
        if isinstance(kind, list):
            return self._read_union(kind, into)
        match kind if isinstance(kind, str) else kind["type"]:
            case "string" | "bytes" as plain:
                empty = '""' if plain == "string" else 'b""'
                return [
                    "if buffer[at]:",
                    *_indented(_short("n", "size")),
                    f"    {into} = buffer[at : at + n]{'.decode()' if plain == 'string' else ''}",
                    "    at += n",
                    "else:",
                    f"    {into} = {empty}",
                    "    at += 1",
                ]
            case "long":
                return _short(into, "long")
            case "int":
                return [*_short(into, "long"), f"if not -INT <= {into} < INT:", '    raise ValueError("no int")']
            case "boolean":
                return [f"{into} = buffer[at] != 0", "at += 1"]
            case "enum":
                return [*_short("n", "size"), f"{into} = SYMBOL{kind['name']}[n]"]
            case "record":
                return [f"{into}, at = read_{kind['name']}(buffer, at)"]
            case "array":
                item = self._new("item")
                return [
                    f"{into} = []",
                    *_blocks(self._new("left"), [*self._read(kind["items"], item), f"{into}.append({item})"]),
                ]
            case "map":
                key, item = self._new("key"), self._new("item")
                body = [*self._read("string", key), *self._read(kind["values"], item), f"{into}[{key}] = {item}"]
                return [f"{into} = {{}}", *_blocks(self._new("left"), body)]
            case other:
                raise TypeError(f"no schema of ours had the type {other!r} so far: it is to be compiled, too")

    def _read_union(self, kinds: list[Any], into: str) -> list[str]:
        lines = _short("n", "size")
        for place, kind in enumerate(kinds):
            body = [f"{into} = None"] if kind == "null" else self._read(kind, into)
            lines += [f"{'el' if place else ''}if n == {place}:", *_indented(body)]
        return [*lines, "else:", '    raise ValueError("none of the union")']


def _short(into: str, function: str) -> list[str]:
    """A long or length of one byte at once, others by the function. An odd one is below 0."""
    return [
        f"{into} = buffer[at]",
        f"if {into} > 127 or {into} & 1:",
        f"    {into}, at = {function}(buffer, at)",
        "else:",
        f"    {into} >>= 1",
        "    at += 1",
    ]


def _blocks(left: str, body: list[str]) -> list[str]:
    """Every item of every block, until the empty one."""
    return [
        "while buffer[at]:",
        f"    {left}, at = block(buffer, at)",
        f"    for {left} in range({left}):",
        *_indented(_indented(body)),
        "at += 1",
    ]


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
