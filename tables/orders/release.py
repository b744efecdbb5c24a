"""Whether an order may go to the warehouse, and what the warehouse is told of it: the goods out from the snapshot and the rules. Pure.

What each field is made from and which limits apply is docs/release.md; how Clarus writes it is the connector's business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.records import OrderLine, OrderSnapshot, ReleaseLine, ReleaseOrder
from tables.orders import notes
from tables.orders.address import Fitted, fit
from tables.orders.demand import Reading, components, release_lines
from tables.orders.rows import OrderRow
from tables.orders.rules import CarrierService, ReleaseRules, Rules
from tables.orders.text import cut, listed, printable, shown

HINDRANCES = (
    "unmapped_sku",
    "unmapped_shipping_method",
    "unmapped_location",
    "unmapped_status",
    "unit_mismatch",
    "invalid_address",
    "payment_hold",
)
"""Exceptions that the judgement before a release opens and resolves."""


def hindrances(seen: OrderSnapshot, reading: Reading, rules: Rules, fitted: Fitted | None) -> dict[str, str]:
    """Exception type to why the order cannot be released and what to do; one that is not there does not hinder it."""
    found: dict[str, list[str]] = {kind: [text] for kind, text in seen.faults.items() if text}
    for kind, text in (
        ("unmapped_sku", _unmapped(seen, reading)),
        ("unmapped_shipping_method", _method(seen, rules)),
        ("unmapped_location", _location(seen, reading)),
        ("unmapped_status", _status(seen)),
        ("invalid_address", _address(seen, reading, rules, fitted)),
        ("payment_hold", _payment(seen, rules.of_channel(seen.channel))),
    ):
        if text:
            found.setdefault(kind, []).append(text)
    return {kind: "; ".join(texts) for kind, texts in found.items()}


def _unmapped(seen: OrderSnapshot, reading: Reading) -> str:
    if not reading.unmapped:
        return ""
    skus = listed([sku or "(none)" for sku in reading.unmapped])
    return f"no listing for SKU {skus} at {seen.channel}: map it (clarus-stream mappings import) and the order goes on"


def _method(seen: OrderSnapshot, rules: Rules) -> str:
    method = seen.shipping_method
    if not method or not rules.shipping or method in rules.shipping:
        return ""
    return f"shipping method {shown(method)!r} has no carrier and service: map it (clarus-stream mappings import) and the order goes on"


def _location(seen: OrderSnapshot, reading: Reading) -> str:
    if not reading.lost:
        return ""
    places = listed(list(reading.lost))
    return f"no warehouse serves location {places} of {seen.channel}: map it (`location`) and the order goes on"


def _status(seen: OrderSnapshot) -> str:
    if not seen.unmapped:
        return ""
    return f"{seen.channel} shows the order in status {shown(seen.status)!r}, which has no meaning here: tell it a known one"


def _address(seen: OrderSnapshot, reading: Reading, rules: Rules, fitted: Fitted | None) -> str:
    leaves = reading.mapped or reading.unmapped
    if not leaves or seen.collected or not rules.of_channel(seen.channel).address_needed:
        return ""
    wrong = fitted.impossible if fitted is not None else ["it has none"]
    return f"delivery address: {', '.join(wrong)}: correct it at {seen.channel} and the order goes on" if wrong else ""


def _payment(seen: OrderSnapshot, rules: ReleaseRules) -> str:
    if seen.hold:
        return f"{seen.hold}: decide at {seen.channel}"
    if seen.agreed and not seen.paid and rules.purchase_order_needed and not seen.purchase_order:
        return f"it is on account and has no purchase order number: enter one at {seen.channel}"
    if not any(line.quantity for line in seen.lines) and not seen.faults:
        return f"it has no lines: add them at {seen.channel}, or cancel it there"
    return ""


def fitted_of(seen: OrderSnapshot, rules: Rules) -> Fitted | None:
    """The order's address as Clarus takes it; None where it has none. A judgement and the release that follows from it share it."""
    if seen.address is None:
        return None
    given = rules.of_channel(seen.channel)
    return fit(seen.address, name_limit=rules.wording.short, phone=given.phone, email=given.email)


def release_order(
    row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules, fitted: Fitted | None
) -> ReleaseOrder:
    """The goods out of the order as it is now. What had to be cut (`cut_of`) is kept in the row, for its public state."""
    given = rules.of_channel(seen.channel)
    carrier = rules.shipping.get(seen.shipping_method, CarrierService("", ""))
    texts, row.cut = _written(seen, rules, fitted)
    return ReleaseOrder(
        channel="clarus",
        order_key=row.key,
        reference=row.reference,
        number=seen.number,
        version=row.revision,
        lines=_lines(row, seen, reading, rules),
        warehouse=reading.warehouse,
        address=fitted.address if fitted else None,
        carrier=carrier.carrier,
        service=carrier.service,
        texts=texts,
        customer=given.customer.replace("{customer}", seen.customer) if _named(given, seen) else "",
        order_type=given.order_type,
        priority=carrier.priority,
        leave_at=None if seen.requested_at is None else seen.requested_at - given.lead,
    )


def cut_of(seen: OrderSnapshot, rules: Rules, fitted: Fitted | None) -> str:
    """In words without personal data what a goods out of this order lacks; empty where nothing had to be cut."""
    return _written(seen, rules, fitted)[1]


def _written(seen: OrderSnapshot, rules: Rules, fitted: Fitted | None) -> tuple[dict[str, str], str]:
    """Texts within Clarus' limits, and what was cut of them and of the address."""
    lost = fitted.cut if fitted else {}
    texts, told = notes.texts(seen, rules.of_channel(seen.channel), rules.wording, lost)
    return texts, f"cut for the warehouse: {'; '.join(told)}" if told else ""


def _named(rules: ReleaseRules, seen: OrderSnapshot) -> bool:
    """Can the customer's code be made? A guest has no number."""
    return bool(seen.customer) or "{customer}" not in rules.customer


@dataclass(slots=True)
class _Origin:
    """The order lines that a line of the goods out stands for."""

    lines: list[OrderLine] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def _lines(row: OrderRow, seen: OrderSnapshot, reading: Reading, rules: Rules) -> list[ReleaseLine]:
    origins: dict[str, _Origin] = {}
    for place, line in enumerate(seen.lines, start=1):
        listing = reading.mapped.get(line.line_id)
        if listing is None:
            continue
        product = rules.catalogue.products[listing.product]
        whole = rules.bundles_whole and product.bundle
        codes = [product.sku] if whole else [code for code, _ in components(product, line.quantity, listing.eaches)]
        for code in codes:
            origin = origins.setdefault(code, _Origin())
            origin.lines.append(line)
            origin.places.append(place)
    lines = release_lines(row.demands)
    if rules.bundles_whole:
        lines = _whole_bundles(lines, origins, reading, rules)
    for one in lines:
        origin = origins.get(one.sku, _Origin())
        short = rules.wording.short
        one.reference = notes.identity((line.line_id for line in origin.lines), short)
        one.number = notes.identity((str(place) for place in origin.places), short)
        one.code = notes.identity((line.sku for line in origin.lines), short)
        one.note = _note(origin.lines, short, emoji=rules.wording.emoji)
    return lines


def _whole_bundles(
    lines: list[ReleaseLine], origins: Mapping[str, _Origin], reading: Reading, rules: Rules
) -> list[ReleaseLine]:
    """Components that a bundle brought into the order become the bundle again."""
    left = {line.sku: line for line in lines}
    bundles = []
    for code, origin in origins.items():
        parts = dict(rules.catalogue.products[code].bundle)
        if not parts:
            continue
        units = sum(line.quantity for line in origin.lines)
        for component, n in parts.items():
            left[component].eaches -= n * units
        bundles.append(ReleaseLine(sku=code, eaches=units, parts=parts))
    return [*bundles, *(line for line in left.values() if line.eaches > 0)]


def _note(lines: Sequence[OrderLine], short: int, *, emoji: bool) -> str:
    return cut(printable("\n".join(line.note for line in lines if line.note), emoji=emoji)[0], short)
