"""The texts of a goods out: notes, gift message, warehouse instructions, references; within Clarus' limits, and with what was cut said. Pure.

What is too long for its field is cut there and stands whole in the order notes, which have no published limit (fact sheet 6.2).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.records import OrderSnapshot
from tables.orders.rules import Instruction, ReleaseRules, Wording
from tables.orders.text import cut, one_line, printable

ORDER_NOTES: Final = "order_notes"
NOTES: Final = ("delivery_notes", ORDER_NOTES, "pick_notes", "packing_notes")
_PUBLISHED: Final = {"packing_notes": 255}
_FACTS: Final = ("note", "gift", "customer", "purchase_order", "number", "shipping_method")
TARGETS: Final = frozenset(
    {*NOTES, "pick_reference", "load_reference", "external_system_reference3", *(f"string{n}" for n in range(1, 6))}
)
"""Documented order attributes of free text; the references 1 and 2 hold the order's key and number."""


def limit(attribute: str, wording: Wording) -> int:
    """The longest text of an attribute; 0 for any."""
    return _PUBLISHED.get(attribute, wording.notes if attribute in NOTES else wording.short)


def texts(
    seen: OrderSnapshot, rules: ReleaseRules, wording: Wording, lost: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Order attribute to text, and what was cut, in words without personal data. `lost`: what was cut of the address, with its whole text."""
    parts: dict[str, list[str]] = {"external_system_reference2": [seen.number]}
    for attribute, text in (
        (wording.note_to, seen.note),
        (wording.gift_to, seen.gift),
        ("external_system_reference3", seen.purchase_order),
        *((one.to, said(one, seen)) for one in rules.instructions),
        *((rules.line_notes_to, f"{line.name or line.sku}: {line.note}") for line in seen.lines if line.note),
    ):
        if attribute and text:
            parts.setdefault(attribute, []).append(text)
    written, told, overflow = dict[str, str](), list[str](), list[str]()
    for attribute, found in parts.items():
        clean = printable if attribute in NOTES else one_line
        whole, gone = clean("\n".join(found), emoji=wording.emoji)
        kept = cut(whole, limit(attribute, wording))
        if kept:
            written[attribute] = kept
        if gone:
            told.append(f"{attribute}: {gone} characters that cannot be printed")
        if kept != whole:
            told.append(f"{attribute}: {limit(attribute, wording)} of {len(whole)} characters")
            if attribute != ORDER_NOTES:
                overflow.append(f"{attribute} in full: {whole}")
    for field, whole in lost.items():
        told.append(f"address, {field}")
        overflow.append(f"address, {field} in full: {printable(whole, emoji=wording.emoji)[0]}")
    if overflow:
        notes = "\n".join(filter(None, (written.get(ORDER_NOTES, ""), *overflow)))
        written[ORDER_NOTES] = cut(notes, limit(ORDER_NOTES, wording))
    return written, told


def said(instruction: Instruction, seen: OrderSnapshot) -> str:
    """What an instruction says of this order; nothing where its field is empty or has another value."""
    value = str(getattr(seen, instruction.field)) if instruction.field in _FACTS else ""
    value = value or seen.fields.get(instruction.field, "")
    if not value or (instruction.when and value.strip().lower() not in instruction.when):
        return ""
    return instruction.text.replace("{value}", value)


def identity(words: Iterable[str], short: int) -> str:
    """Ids of several order lines in one field, as many as fit whole."""
    every = list(dict.fromkeys(word for word in (one_line(word)[0] for word in words) if word))
    joined = ",".join(every)
    while short and len(joined) > short and len(every) > 1:
        every.pop()
        joined = ",".join(every) + ",…"
    return cut(joined, short)
