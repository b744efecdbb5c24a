"""Text of storefronts made fit for a warehouse: what cannot be printed is taken out, what is too long is cut, and both are said. Pure.

Lengths count characters (code points), as the limits that Clarus publishes do.
"""

import re
import unicodedata
from typing import Final

_DIRECTION: Final = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Co", "Cn"})
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")
_EMOJI: Final = re.compile("[\U00010000-\U0010ffff\u200d\ufe0e\ufe0f\u20e3\u2600-\u27bf\u2b00-\u2bff]")


def printable(text: str, *, emoji: bool = True) -> tuple[str, int]:
    """The text with line breaks as `\\n` and without control and direction characters (and emoji); how many characters were taken out."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    kept = "".join(c for c in lines if c == "\n" or not (unicodedata.category(c) in _UNPRINTABLE or c in _DIRECTION))
    if not emoji:
        kept = _EMOJI.sub("", kept)
    return unicodedata.normalize("NFC", kept).strip(), len(lines) - len(kept)


def one_line(text: str, *, emoji: bool = True) -> tuple[str, int]:
    """The same on one line, with single spaces."""
    if not text:
        return "", 0
    spaced = " ".join(text.split())
    if spaced.isascii() and spaced.isprintable():
        return spaced, 0
    kept, lost = printable(spaced, emoji=emoji)
    return " ".join(kept.split()), lost


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis where something was cut; 0 for no limit. No character is parted from its accent or joiner."""
    if not limit or len(text) <= limit:
        return text
    end = limit - 1
    while end and (unicodedata.combining(text[end]) or text[end] in _JOINERS or text[end - 1] == "\u200d"):
        end -= 1
    return text[:end].rstrip() + "…"


def shown(text: str, limit: int = 60) -> str:
    """A storefront's word as an exception may quote it: on one line and not long."""
    return cut(one_line(text)[0], limit)


def listed(words: list[str], most: int = 10) -> str:
    """Several of them, each once, sorted."""
    quoted = sorted({shown(word) for word in words})
    more = f" and {len(quoted) - most} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + more
