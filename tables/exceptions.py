"""The catalogue of exceptions: for every type who owns it, what it means in plain words, where to look first and what mends it. Pure words, no rules."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of exception. `retry` says what sending again does; empty where there is nothing to send again."""

    owner: str
    meaning: str
    look: str
    mend: str
    retry: str = ""


_AGAIN: Final = "the order is judged again with the mappings of now, and released if nothing else holds it"
_IMPORT: Final = "import it: clarus-stream mappings import FILE. The orders it holds go on by themselves"

CATALOGUE: Final[dict[str, Kind]] = {
    "unmapped_sku": Kind(
        "ecommerce",
        "A SKU is not known on the other side: an order has a line that no listing has, or a listing has no product there.",
        "the mappings (clarus-stream mappings list --kind sku), then the storefront's product",
        f"Map the SKU (`sku`), or correct it, and {_IMPORT}. Or take the listing out",
        f"{_AGAIN}; a listing or SKU is read again",
    ),
    "unmapped_shipping_method": Kind(
        "ecommerce",
        "An order has a shipping method without carrier and service, so it is held.",
        "the mappings (clarus-stream mappings list --kind shipping)",
        f"Map the method (`shipping`) and {_IMPORT}",
        _AGAIN,
    ),
    "unit_mismatch": Kind(
        "ecommerce",
        "A quantity does not fit the warehouse's units: a fraction, below 0, or a unit that the product does not have.",
        "the order's lines at the storefront, then `units` of the product",
        f"Correct the line at the storefront: the order goes on by itself. Or correct the unit (`unit`) or the listing's (`sku`) and {_IMPORT}",
        _AGAIN,
    ),
    "unmapped_location": Kind(
        "ecommerce",
        "A location of the storefront belongs to no warehouse.",
        "the mappings (clarus-stream mappings list --kind location), then the storefront's locations",
        f"Map the location (`location`) and {_IMPORT}",
        _AGAIN,
    ),
    "unmapped_status": Kind(
        "ecommerce",
        "An order has a status that is not mapped, so it is not known whether it may be sent.",
        "the storefront's order statuses",
        f"Map the status (`status`) and {_IMPORT}",
        _AGAIN,
    ),
    "invalid_address": Kind(
        "customer service",
        "The delivery address cannot be used by the warehouse, so the order is held.",
        "the order at the storefront",
        "Ask the customer, correct the address at the storefront: the order goes on by itself",
        _AGAIN,
    ),
    "payment_hold": Kind(
        "customer service",
        "The order cannot be sent as it is: the storefront holds it, its purchase order number is missing, it has no lines or several currencies.",
        "the order and its payment at the storefront",
        "Decide, complete or cancel it at the storefront: the order goes on by itself",
        _AGAIN,
    ),
    "short_stock": Kind(
        "operations",
        "The warehouse could not allocate the order in full, or closed it without some units.",
        "the goods out in Clarus, and the product's balances",
        "Put stock away or move it: it is resolved by itself once all is allocated. Or agree on a part delivery with the customer; refund what was closed",
    ),
    "late_change": Kind(
        "warehouse",
        "The order was changed or cancelled when the warehouse had begun with it.",
        "the goods out in Clarus",
        "Call whom the text names: have the goods out amended, or its pick list cancelled. It is resolved by itself where the warehouse shows it; an address it"
        " does not show: resolve this once it is done",
        "the change or the cancel is asked of the warehouse again, where it has not begun",
    ),
    "stuck_order": Kind(
        "operations",
        "The order makes no progress at the warehouse within its time, or warehouse and storefront disagree whether it is wanted.",
        "the goods out in Clarus, then the order at the storefront",
        "Enter, free or cancel it by hand on the side that is wrong, then resolve this",
    ),
    "early_fulfilment": Kind(
        "operations",
        "The warehouse tells of a goods out whose order is not known yet.",
        "the order at the storefront",
        "Wait for the order; where there is none, find out who entered the goods out",
    ),
    "despatch_gap": Kind(
        "integration",
        "Parcels left the warehouse and the storefront does not show them.",
        "the order's shipments at the storefront, then the channel in `doctor`",
        "Put right what the text names; what was refused is told again by a retry. Or enter the shipment by hand, then resolve this",
        "a parcel that the storefront refused is told again; anything else that waits at the channel is tried at once",
    ),
    "invalid_tracking": Kind(
        "integration",
        "A tracking number does not have the form of its carrier.",
        "the parcel in Clarus",
        "Correct it in Clarus: it goes on by itself. Or correct the pattern under `carriers`, restart the workers, then retry",
        "the parcel is judged again with the carriers of now, and told if the number can be right",
    ),
    "delivery_failed": Kind(
        "integration",
        "The other side refused a request, or did not answer after many attempts. Attempts go on, except after a refusal.",
        "the channel in `doctor`, then what the text says was refused",
        "Put right what the text names. It is resolved by itself once it works; retry makes it due at once",
        "an order that was refused is released again as it is now; anything else that waits at the channel is tried at once",
    ),
    "stock_drift": Kind(
        "integration",
        "The storefront showed another quantity than our writes and its orders explain. It was corrected.",
        "whoever else writes this quantity: people, imports, other programs",
        "Stop the other writer. It is resolved by the next read-back that agrees",
    ),
    "refund_mismatch": Kind(
        "finance",
        "A refund does not fit its return: without one, above what was paid, or missing. Or a return cannot be taken in.",
        "the order's refunds at the storefront, then the return in Clarus",
        "Put right what the text names, then retry; or correct the refund at the storefront, then resolve this",
        "the order's payments are read, and what is still missing is refunded; a return that the warehouse refused is announced again",
    ),
    "payment_mismatch": Kind(
        "finance",
        "A payment does not fit its order: captured without a goods out, not refunded after a cancel, another sum, a second currency.",
        "the order in `why`, then the payment at the storefront",
        "Capture, refund or release: it is resolved by itself. Or resolve this with the reason, and it is accepted until the amount changes",
    ),
    "catalogue_mismatch": Kind(
        "ecommerce",
        "SKU, barcode, weight or unit differ between the warehouse and a storefront.",
        "the product on both sides",
        "Correct the wrong side; the next clarus-stream audit resolves it",
    ),
    "poison_record": Kind(
        "integration",
        "An order, or another input, could not be read and was set aside.",
        "the order at the storefront, or the dead-letter topic, as the text names",
        "Correct the sender, have it sent again: an order is read again by itself. Then resolve this where it is still open",
    ),
}


OWNERS: Final = tuple(sorted({kind.owner for kind in CATALOGUE.values()}))


def page() -> str:
    """The manual's page of all types, Markdown."""
    rows = [
        f"| `{name}` | {kind.owner} | {kind.meaning} | {_first(kind.look)} | {kind.mend}. | {_first(kind.retry) or '–'} |"
        for name, kind in CATALOGUE.items()
    ]
    return "\n".join([_HEAD, *rows, ""])


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]


_HEAD: Final = """# Exceptions

What the product cannot put right by itself, a person must look at. Each exception is open once for each type and entity, has an owner, and is a record of the
public topic `integration.exceptions`. It is resolved by itself when its cause goes away. How to work with them: [operating](operations.md).

Made by `clarus-stream config exceptions`; a test compares.

| type | owner | what it means | look first at | what mends it | `retry` |
| --- | --- | --- | --- | --- | --- |"""
