"""What must hold between settings, beyond the form of each: names that refer to something, times that are no times, credentials. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from app.config.document import Path_, dotted
from app.connectors import unguarded
from app.connectors.bigcommerce.settings import BigCommerceSettings
from app.connectors.commercetools.settings import CommercetoolsSettings
from app.settings import ListingSettings, ProductSettings, Settings
from tables.catalogue import Mode
from tables.stock.policy import notes, obstacle, wanted_mode

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_KAFKA_NAME = re.compile(r"[A-Za-z0-9._-]{0,200}")
_NEVER_ZERO = {
    "bounds": ("late_max", "apply_max", "visible_lag", "consistency_margin"),
    "sweeps": ("orders", "stock", "listings", "feed"),
    "engine": ("commit_interval", "session_timeout", "transaction_timeout"),
    "delivery": ("timeout", "backoff", "backoff_max", "breaker_pause", "create_unknown"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not hold. `text` names the setting and what is allowed; the source is added by whoever knows it."""

    path: Path_
    text: str


def _fault(path: Path_, text: str) -> Fault:
    return Fault(path, f"{dotted(path)}{text}")


def listings_of(product: ProductSettings) -> Iterator[tuple[Path_, str, ListingSettings]]:
    """Every listing of a product with its path below the product and its channel."""
    for channel, given in product.channels.items():
        if isinstance(given, list):
            for index, one in enumerate(given):
                yield ("channels", channel, index), channel, one
        else:
            yield ("channels", channel), channel, ListingSettings(sku=given) if isinstance(given, str) else given


def setting_faults(settings: Settings) -> list[Fault]:
    """Everything that keeps the product from starting."""
    faults = [
        *_names(settings),
        *_products(settings),
        *_policies(settings),
        *_channels(settings),
        *_release(settings),
        *_times(settings),
        *_kafka(settings),
    ]
    return faults or list(_escrow(settings))


def _names(settings: Settings) -> Iterator[Fault]:
    for name in settings.channels:
        if name == "clarus" or not _NAME.fullmatch(name):
            yield _fault(
                ("channels", name),
                ": not a channel's name; allowed: 1 to 40 letters, digits, dots, dashes, underscores, not `clarus`",
            )
    seen: set[str] = set()
    for index, name in enumerate(settings.warehouses):
        if name in seen:
            yield _fault(("warehouses", index), f": {name!r} is given twice; allowed: every warehouse once")
        seen.add(name)
    if settings.products and not settings.warehouses:
        yield _fault(("warehouses",), " is empty; allowed: the codes of the warehouses whose stock is offered")


def _products(settings: Settings) -> Iterator[Fault]:
    known = {product.sku: product for product in settings.products}
    codes: set[str] = set()
    listings: dict[tuple[str, str, str], str] = {}
    for index, product in enumerate(settings.products):
        path: Path_ = ("products", index)
        if product.sku in codes:
            yield _fault((*path, "sku"), f": {product.sku!r} is given twice; allowed: every code once")
        codes.add(product.sku)
        for component in product.bundle:
            if component not in known:
                yield _fault(
                    (*path, "bundle", component),
                    f": no product has the code {component!r}; allowed: the code of a product of this file",
                )
            elif known[component].bundle:
                yield _fault(
                    (*path, "bundle", component),
                    f": {component!r} is itself a bundle; allowed: products that are no bundles",
                )
        for below, channel, listing in listings_of(product):
            where = (*path, *below)
            if channel not in settings.channels:
                names = ", ".join(settings.channels) or "none; the file has no channels"
                yield _fault(where, f": there is no channel {channel!r}; allowed: {names}")
            if listing.unit not in product.units:
                yield _fault(
                    where, f".unit is {listing.unit!r}; allowed: a unit of the product: {', '.join(product.units)}"
                )
            key = (channel, listing.location, listing.sku)
            if key in listings:
                at = f" at location {listing.location!r}" if listing.location else ""
                yield _fault(
                    where,
                    f": {listing.sku!r}{at} is already listed for {listings[key]!r}; allowed: one product for a channel's SKU and location",
                )
            listings.setdefault(key, product.sku)


def _policies(settings: Settings) -> Iterator[Fault]:
    for index, policy in enumerate(settings.policies):
        path: Path_ = ("policies", index)
        if policy.warehouses is None:
            continue
        if not policy.warehouses:
            yield _fault((*path, "warehouses"), " is empty; allowed: at least one warehouse, or leave it out for all")
        for name in policy.warehouses:
            if name not in settings.warehouses:
                names = ", ".join(settings.warehouses) or "none; the file has no warehouses"
                yield _fault((*path, "warehouses"), f": there is no warehouse {name!r}; allowed: {names}")


def _escrow(settings: Settings) -> Iterator[Fault]:
    """A pool that shall be split, and cannot be. Asked only where every name is right: it needs the policies put together."""
    catalogue = settings.catalogue()
    for index, product in enumerate(settings.products):
        known = catalogue.products[product.sku]
        if wanted_mode(catalogue, known) is Mode.ESCROW and (why := obstacle(catalogue, known)):
            yield _fault(
                ("products", index),
                f": {product.sku!r} has mode escrow, but {why}; allowed: to change that, or mode shared",
            )


def _channels(settings: Settings) -> Iterator[Fault]:
    stores: dict[tuple[str, str], str] = {}
    for name, channel in settings.channels.items():
        store = channel.project_key if isinstance(channel, CommercetoolsSettings) else channel.store_hash
        key = (channel.api_url.rstrip("/"), store)
        if store and key in stores:
            yield _fault(
                ("channels", name),
                f": the same store as {stores[key]!r}; allowed: one channel for a store; list locations with `location`",
            )
        stores.setdefault(key, name)
        if isinstance(channel, CommercetoolsSettings) and channel.kafka_bootstrap and not channel.kafka_topic:
            yield _fault(
                ("channels", name, "kafka_topic"),
                " is missing; allowed: the topic of the subscription's Kafka destination",
            )


def _release(settings: Settings) -> Iterator[Fault]:
    for name in settings.release:
        if name != "*" and name not in settings.channels:
            yield _fault(("release", name), ": there is no such channel; allowed: the name of a channel, or *")


def _times(settings: Settings) -> Iterator[Fault]:
    for group, names in _NEVER_ZERO.items():
        for name in names:
            if getattr(getattr(settings.settings, group), name) == 0:
                yield _fault(("settings", group, name), " is 0; allowed: a duration above 0, such as 500ms, 2s or 1m")


def _kafka(settings: Settings) -> Iterator[Fault]:
    kafka, engine = settings.settings.kafka, settings.settings.engine
    if not kafka.bootstrap.strip():
        yield _fault(("settings", "kafka", "bootstrap"), " is empty; allowed: host:port, several separated by commas")
    for path, value in (
        (("settings", "kafka", "topic_prefix"), kafka.topic_prefix),
        (("settings", "engine", "group"), engine.group),
        (("settings", "engine", "instance"), engine.instance),
    ):
        if not _KAFKA_NAME.fullmatch(value) or (not value and path[-1] != "topic_prefix"):
            yield _fault(path, f" is {value!r}; allowed: letters, digits, dots, dashes, underscores")
    url = kafka.schema_registry_url
    if url and not url.startswith(("http://", "https://")):
        yield _fault(
            ("settings", "kafka", "schema_registry_url"), f" is {url!r}; allowed: http://… or https://…, or nothing"
        )


def credential_faults(settings: Settings) -> list[Fault]:
    """What is missing to log in at Clarus and at every channel."""
    needed: list[tuple[Path_, object]] = [
        (("clarus", name), getattr(settings.clarus, name)) for name in ("client_id", "client_secret")
    ]
    for channel, given in settings.channels.items():
        names = (
            ("store_hash", "access_token")
            if isinstance(given, BigCommerceSettings)
            else ("project_key", "client_id", "client_secret")
        )
        needed += [(("channels", channel, name), getattr(given, name)) for name in names]
    return [
        _fault(path, f" is missing; allowed: the {path[-1]} of the API account; secrets also by file or variable")
        for path, value in needed
        if not (value if isinstance(value, str) else value.get_secret_value())  # type: ignore[attr-defined]
    ]


def setting_warnings(settings: Settings) -> list[Fault]:
    """What is allowed but may surprise."""
    found: list[Fault] = []
    kafka = settings.settings.kafka
    local = all(host.strip().startswith(("localhost", "127.", "[::1]")) for host in kafka.bootstrap.split(","))
    if kafka.replication < 3 and not local:
        path: Path_ = ("settings", "kafka", "replication")
        found.append(_fault(path, f" is {kafka.replication}: one lost broker may lose data; 3 is usual"))
    starting: list[tuple[Path_, str]] = [(("clarus",), settings.clarus.mode)]
    starting += [(("channels", n), c.mode) for n, c in settings.channels.items()]
    for name, mode in starting:
        if mode == "shadow":
            text = " is shadow: nothing is written there until `clarus-stream go-live`; `clarus-stream shadow` says what is in force"
            found.append(_fault((*name, "mode"), text))
    if weaker := notes(settings.catalogue(), unguarded(settings.channels)):
        more = f" ({len(weaker)} such products)" if len(weaker) > 1 else ""
        found.append(_fault(("policies",), f": {weaker[0]}{more}; its last units can be sold twice"))
    for index, policy in enumerate(settings.policies):
        match = policy.match
        channels = any(fnmatchcase(name, match.channel) for name in settings.channels)
        products = any(fnmatchcase(product.sku, match.sku) for product in settings.products)
        if not (channels and products):
            found.append(_fault(("policies", index, "match"), " fits no channel and product of the file"))
    return found
