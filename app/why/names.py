"""What people type for a product or a channel, and what is near it where it names none. Pure."""

from collections.abc import Iterable
from difflib import get_close_matches

from app.errors import Problem
from tables.catalogue import Catalogue, Product


def product_of(word: str, catalogue: Catalogue) -> Product:
    """The product of a SKU, of `CHANNEL:SKU` with the channel's own SKU, or of a listing's id. `Problem` with near names where there is none."""
    known = catalogue.products.get(word)
    if known is not None:
        return known
    channel, _, sku = word.partition(":")
    for listing in catalogue.of_channel(channel):
        if listing.sku == sku:
            return catalogue.products[listing.product]
    if word in catalogue.listings:
        return catalogue.products[catalogue.listings[word].product]
    raise unknown(word, f"no SKU, channel:SKU or listing {word} in this configuration", near(word, catalogue))


def unknown(word: str, text: str, close: Iterable[str]) -> Problem:
    """The problem, with what may have been meant."""
    names = ", ".join(close)
    return Problem(
        f"{text}; near it: {names}" if names else f"{text}: `clarus-stream config check` lists what is there", 2
    )


def near(word: str, catalogue: Catalogue, more: Iterable[str] = ()) -> list[str]:
    """Names of the configuration (and `more`) that look like this word, a channel's own SKUs with the channel before them; five at most."""
    names = [*more, *catalogue.products, *(f"{x.channel}:{x.sku}" for x in catalogue.listings.values())]
    parts = [name for name in names if word.casefold() in name.casefold()][:3]
    return list(dict.fromkeys([*get_close_matches(word, names, 5, 0.6), *parts]))[:5]
