"""A delivery address judged and made fit for Clarus (fact sheet 3.1): what makes it impossible, and what had to be cut. Pure.

What is said of an address names its fields and never their content: exceptions and states are public.
"""

import re
from dataclasses import dataclass
from typing import Final

from schemas.records import Address
from tables.orders.countries import ALIASES, CODES, POSTCODES, REGION
from tables.orders.text import cut, one_line

LINE: Final = 80
POSTCODE: Final = 10
EMAIL: Final = 254
PHONE: Final = 50
_NOT_OF_CODES: Final = re.compile(r"[^A-Z0-9]")
_EMAIL_FORM: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_WORDS: Final = {"line1": "street", "line2": "second line", "extra": "further line"}


@dataclass(frozen=True, slots=True)
class Fitted:
    """An address as Clarus takes it: the company stands in `name` or in `extra`. `impossible`: why nothing can be sent there; `cut`: what was lost."""

    address: Address
    impossible: list[str]
    cut: dict[str, str]
    """Field, as people call it, to its whole text."""


def fit(given: Address, *, name_limit: int = 0, phone: str = "", email: str = "") -> Fitted:
    """The address with its country's code and postcode in their form. `phone` and `email` stand in where the customer gave none."""
    lost: dict[str, str] = {}

    def text(field: str, limit: int = 0) -> str:
        raw: str = getattr(given, field)
        if not raw:
            return ""
        whole, gone = one_line(raw, emoji=False)
        kept = cut(whole, limit)
        if kept != whole or gone:
            lost[_WORDS.get(field, field)] = one_line(raw)[0]
        return kept

    country = text("country").upper()
    country = ALIASES.get(country, country)
    postcode, wrong = _postcode(country, text("postcode").upper())
    name, company = text("name", name_limit), text("company")
    lines, rest = _lines([text("line1"), text("line2"), _joined(company if name else "", text("extra"))])
    if rest:
        lost["street"] = " / ".join(filter(None, (text("line1"), text("line2"), text("extra"))))
    address = Address(
        name=name or cut(company, name_limit),
        line1=lines[0],
        line2=lines[1],
        extra=lines[2],
        city=text("city", LINE),
        region=text("region", LINE),
        postcode=postcode,
        country=country,
        phone=text("phone") or phone,
        email=text("email") or email,
    )
    if len(address.phone) > PHONE:
        lost["phone"], address.phone = address.phone, phone
    if address.email and (len(address.email) > EMAIL or not _EMAIL_FORM.fullmatch(address.email)):
        lost["email"], address.email = address.email, email
    return Fitted(address, [*_missing(address), *wrong], lost)


def _postcode(country: str, given: str) -> tuple[str, list[str]]:
    form = POSTCODES.get(country)
    if form is None:
        return given, [f"its postcode is longer than {POSTCODE} characters"] if len(given) > POSTCODE else []
    if not given:
        return "", [] if form.optional else ["it has no postcode"]
    plain = _NOT_OF_CODES.sub("", given)
    digits = plain.removeprefix(country).removeprefix(country[0])
    match = (
        form.pattern.fullmatch(plain)
        or (digits.isdecimal() and form.pattern.fullmatch(digits))
        or form.pattern.fullmatch(country + plain)
    )
    if match:
        return form.between.join(filter(None, match.groups())), []
    return given[:POSTCODE], [f"its postcode is none of {country} (such as {form.example})"]


def _missing(address: Address) -> list[str]:
    found: list[str] = []
    if not (address.name and address.line1 and address.city and address.country):
        needed = {
            "name or company": address.name,
            "street": address.line1,
            "town": address.city,
            "country": address.country,
        }
        found.append(f"it has no {' and no '.join(what for what, value in needed.items() if not value)}")
    if address.country and address.country not in CODES:
        found.append("its country is no ISO 3166 code of two letters")
    if address.country in REGION and not address.region:
        found.append(f"it has no state or province, which {address.country} needs")
    return found


def _lines(given: list[str]) -> tuple[list[str], str]:
    """Three lines of at most 80 characters, and what fits on none: what is too long goes on, at a space, before the next line's own text."""
    first, second, third = given if given[0] else (given[1], "", given[2])
    if len(first) <= LINE and len(second) <= LINE and len(third) <= LINE:
        return [first, second, third], ""
    lines, carried = list[str](), ""
    for own in (first, second, third):
        line, carried = _wrapped(_joined(carried, own))
        lines.append(line)
    if carried:
        lines[-1] = cut(_joined(lines[-1], carried), LINE)
    return lines, carried


def _wrapped(text: str) -> tuple[str, str]:
    if len(text) <= LINE:
        return text, ""
    at = text.rfind(" ", 0, LINE + 1)
    at = at if at > LINE // 2 else LINE
    return text[:at].rstrip(" ,"), text[at:].lstrip(" ,")


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))
