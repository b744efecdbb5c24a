"""What an address of a country must have: the country codes of ISO 3166-1 and the postcode forms of the main countries. A table, no rules.

Only forms that a carrier refuses otherwise are here; a country that is not in the table takes any postcode, and none.
"""

import re
from dataclasses import dataclass
from typing import Final

_LISTED: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
"""
CODES: Final = frozenset(_LISTED.split())
ALIASES: Final = {"UK": "GB", "EL": "GR"}
"""Codes in everyday use that ISO gives to nobody else."""

REGION: Final = frozenset({"AU", "CA", "US"})
"""Carriers ask for the state or province."""


@dataclass(frozen=True, slots=True)
class Form:
    """A postcode's form: an example for people, the pattern of its letters and digits alone, and what stands between the pattern's groups."""

    example: str
    pattern: re.Pattern[str]
    between: str = ""
    optional: bool = False


def _form(example: str, pattern: str, between: str = "", *, optional: bool = False) -> Form:
    return Form(example, re.compile(pattern), between, optional)


_GB: Final = r"(GIR|[A-Z]{1,2}[0-9][A-Z0-9]?)([0-9][A-Z]{2})"
_FOUR: Final = _form("1234", r"([0-9]{4})")
_FIVE: Final = _form("12345", r"([0-9]{5})")
_SIX: Final = _form("123456", r"([0-9]{6})")
_THREE_TWO: Final = _form("123 45", r"([0-9]{3})([0-9]{2})", " ")

POSTCODES: Final[dict[str, Form]] = {
    **dict.fromkeys(("AT", "AU", "BE", "BG", "CH", "CY", "DK", "HU", "LI", "LU", "NO", "NZ", "SI", "ZA"), _FOUR),
    **dict.fromkeys(("DE", "EE", "ES", "FI", "FR", "HR", "IT", "MC", "MX", "MY", "SM", "TH", "TR", "UA", "VA"), _FIVE),
    **dict.fromkeys(("CN", "IN", "RO", "SG"), _SIX),
    **dict.fromkeys(("CZ", "GR", "SE", "SK"), _THREE_TWO),
    "GB": _form("AB1 2CD", _GB, " "),
    "GG": _form("GY1 2AB", r"(GY[0-9]{1,2})([0-9][A-Z]{2})", " "),
    "JE": _form("JE2 3AB", r"(JE[0-9]{1,2})([0-9][A-Z]{2})", " "),
    "IM": _form("IM1 2AB", r"(IM[0-9]{1,2})([0-9][A-Z]{2})", " "),
    "IE": _form("D02 X285", r"([A-Z][0-9]{2}|D6W)([A-Z0-9]{4})", " ", optional=True),
    "US": _form("12345 or 12345-6789", r"([0-9]{5})([0-9]{4})?", "-"),
    "PR": _form("00901 or 00901-1234", r"([0-9]{5})([0-9]{4})?", "-"),
    "CA": _form("A1B 2C3", r"([ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z])([0-9][ABCEGHJ-NPRSTV-Z][0-9])", " "),
    "NL": _form("1234 AB", r"([1-9][0-9]{3})([A-Z]{2})", " "),
    "PT": _form("1234-567", r"([0-9]{4})([0-9]{3})", "-"),
    "PL": _form("12-345", r"([0-9]{2})([0-9]{3})", "-"),
    "LV": _form("LV-1234", r"(LV)([0-9]{4})", "-"),
    "LT": _form("LT-12345", r"(LT)([0-9]{5})", "-"),
    "MT": _form("ABC 1234", r"([A-Z]{3})([0-9]{2,4})", " "),
    "IS": _form("123", r"([0-9]{3})"),
    "JP": _form("123-4567", r"([0-9]{3})([0-9]{4})", "-"),
    "KR": _form("12345", r"([0-9]{5})"),
    "BR": _form("12345-678", r"([0-9]{5})([0-9]{3})", "-"),
    "IL": _form("1234567", r"([0-9]{7})"),
}
