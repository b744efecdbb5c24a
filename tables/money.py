"""Amounts of money as whole minor units: 1.99 EUR is 199. Exact decimals in, integers out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from schemas.records import Payment

_OTHER_DIGITS: Final = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Currencies (ISO 4217) whose minor unit is not a hundredth."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What an order cost and what was paid, as `OrderSnapshot` says it. `prices` by line id; `captured` and `refunded` None: payments were not shown.

    `foreign` are other currencies in which money moved: their amounts are not counted.
    """

    currency: str = ""
    digits: int = 2
    total: int = 0
    shipping: int = 0
    prices: Mapping[str, int] = field(default_factory=dict)
    captured: int | None = None
    refunded: int | None = None
    payments: list[Payment] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def digits_of(currency: str) -> int:
    """Decimal digits of a currency's minor unit."""
    return _OTHER_DIGITS.get(currency.upper(), 2)


def minor(amount: object, digits: int) -> int:
    """A decimal, given as text or number, in minor units; a half is rounded up. ValueError where it is no amount."""
    try:
        exact = Decimal(str(amount)).scaleb(digits)
        return int(exact.to_integral_value(ROUND_HALF_UP))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise ValueError(f"{amount!r} is no amount") from error


def decimal(amount: int, digits: int) -> str:
    """Minor units as people write them: `1.99`."""
    return f"{Decimal(amount).scaleb(-digits):.{digits}f}"


def words(amount: int, currency: str, digits: int) -> str:
    """An amount with its currency."""
    return f"{decimal(amount, digits)} {currency}".strip()


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount shared out by weights, to the last minor unit; what rounding leaves goes to the largest parts that were cut most. No weight, no share."""
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    shares = [amount * weight // total for weight in weights]
    rest = amount - sum(shares)
    most_cut = sorted(range(len(weights)), key=lambda n: (-(amount * weights[n] % total), n))
    for n in most_cut[:rest]:
        shares[n] += 1
    return shares


def settle(prices: Sequence[int], rest: int, total: int) -> list[int]:
    """Prices of lines such that they and the `rest` (shipping and the like) are no more than the order's total: a discount on the whole is shared out."""
    beyond = min(sum(prices), max(0, sum(prices) + rest - total))
    if not beyond:
        return list(prices)
    return [price - off for price, off in zip(prices, spread(beyond, prices), strict=True)]
