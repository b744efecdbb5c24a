"""What the simulated Clarus accepts in a request body: the attributes of fact sheet 6.2, 6.3 and 3.1 with their types and limits (S5)."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from app.simulators.clarus.orderbook import Denied

Rule = Callable[[Any], bool]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def _text(limit: int | None = None) -> Rule:
    return lambda value: isinstance(value, str) and (limit is None or len(value) <= limit)


def _one_of(*values: str) -> Rule:
    return lambda value: value in values


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def number(value: Any) -> bool:
    """A JSON number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _between(low: int, high: int) -> Rule:
    return lambda value: _integer(value) and low <= value <= high


def _time(value: Any) -> bool:
    """ISO 8601 with a zone (fact sheet 1.3)."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _list(value: Any) -> bool:
    return isinstance(value, list)


_STRATEGIES: Final[Mapping[str, Rule]] = {
    "dispatch_strategy": _one_of("manual", "auto", "load", "shipment", "auto_shipment"),
    "pack_strategy": _one_of("disabled", "pack_by_line", "pack_by_unit"),
}
_REFERENCES: Final[Mapping[str, Rule]] = {f"external_system_reference{n}": _text() for n in (1, 2, 3)}
_CUSTOM: Final[Mapping[str, Rule]] = {
    f"{kind}{n}": rule
    for kind, rule in (
        ("string", _text()),
        ("integer", _integer),
        ("datetime", _time),
        ("boolean", lambda v: isinstance(v, bool)),
    )
    for n in range(1, 6)
}

ORDER: Final[Mapping[str, Rule]] = {
    "goods_out_type": _one_of("sales_order", "work_order", "crossdock"),
    "account_id": _integer,
    "reference": _text(50),
    "expected_date_of_dispatch": _time,
    "warehouse_id": _integer,
    "customer_id": _integer,
    "carrier_id": _integer,
    "carrier_service_id": _integer,
    "order_type_id": _integer,
    "priority": _between(1, 99),
    "pick_type": _one_of("standard", "tote"),
    "goods_out_status_id": _integer,
    "location_id": _integer,
    "integration_id": _integer,
    "original_delivery_address_id": _integer,
    "delivery_notes": _text(),
    "order_notes": _text(),
    "pick_notes": _text(),
    "packing_notes": _text(255),
    "pick_reference": _text(),
    "load_reference": _text(),
    "drop_sequence": _between(0, 1 << 31),
    "actual_date_of_dispatch": _time,
    "short_order_lines_description": _text(),
    "short_order_lines_reason_code_id": _integer,
    "lines_changes": _list,
    **_STRATEGIES,
    **_REFERENCES,
    **_CUSTOM,
}
ORDER_REQUIRED: Final = ("goods_out_type", "account_id", "reference", "expected_date_of_dispatch")

LINE: Final[Mapping[str, Rule]] = {
    "product_id": _integer,
    "order_quantity": lambda value: number(value) and value >= 0,
    "ordered_configurations_quantity": lambda value: number(value) and value >= 0,
    "stock_configuration": _one_of("unit", "case", "inner", "outer"),
    "order_quantity_dimension": _one_of("length", "area", "volume", "weight", "none"),
    "alt_line_number": _text(),
    "alt_line_reference": _text(),
    "alt_line_note": _text(),
    "alt_product_code": _text(),
    "carrier_id": _integer,
    "carrier_service_id": _integer,
    "stock_to_pick_id": _integer,
    "storage_unit_reference": _text(),
    "goods_in_receipt_line_id": _integer,
    "stock_description": _text(),
    **_STRATEGIES,
    **_REFERENCES,
    **_CUSTOM,
}

RECEIPT: Final[Mapping[str, Rule]] = {
    "account_id": _integer,
    "warehouse_id": _integer,
    "reference": _text(),
    "supplier_id": _integer,
    "expected_date_of_arrival": _time,
    "actual_date_of_arrival": _time,
    "notes": _text(),
    "lines_changes": _list,
    **_REFERENCES,
    **_CUSTOM,
}
RECEIPT_REQUIRED: Final = ("account_id", "warehouse_id")

RECEIPT_LINE: Final[Mapping[str, Rule]] = {
    "product_id": _integer,
    "expected_quantity": lambda value: number(value) and value >= 0,
    "expected_configurations_quantity": lambda value: number(value) and value >= 0,
    "stock_configuration": _one_of("unit", "case", "inner", "outer"),
    "alt_line_number": _text(),
    "alt_line_reference": _text(),
    "alt_line_note": _text(),
    "alt_product_code": _text(),
    **_REFERENCES,
    **_CUSTOM,
}

ADDRESS: Final[Mapping[str, Rule]] = {
    "name": _text(),
    **{f"address_{n}": _text(80) for n in range(1, 6)},
    "postcode": _text(10),
    "country_code": lambda value: (
        isinstance(value, str) and re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", value) is not None
    ),
    "email_address": lambda value: isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value) is not None,
    "phone_number": _text(50),
    **_REFERENCES,
}


def invalid(field: str, details: str) -> Denied:
    """A validation failure; its number is not published, so it is drawn from a clearly made-up range (S4)."""
    return Denied(f"{field} {details}", 9001, "validation_failed")


def check(given: Any, rules: Mapping[str, Rule], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The attributes that were given. Denied for unknown, missing or unfit ones; null stands for nothing."""
    if not isinstance(given, dict):
        raise invalid("attributes", "must be an object")
    for name in required:
        if given.get(name) in (None, ""):
            raise invalid(name, "is required")
    for name, value in given.items():
        if name not in rules:
            raise invalid(name, "is not known")
        if value is not None and not rules[name](value):
            raise invalid(name, "is not valid")
    return {name: value for name, value in given.items() if value is not None}


def envelope(body: Any, kind: str) -> dict[str, Any]:
    """`data` of a JSON:API-like request of this type."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or data.get("type") != kind or not isinstance(data.get("attributes"), dict):
        raise invalid("data", f"must have type {kind} and attributes")
    return data


def identifiers(body: Any) -> list[int]:
    """`ids` of a plain request."""
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not ids:
        raise Denied("ids are empty", 36, "empty_ids_provided")
    if not all(_integer(n) for n in ids):
        raise Denied("ids must be integers", 37, "invalid_ids_provided")
    return ids


def whole(quantity: float) -> int:
    """A quantity of counted products."""
    if int(quantity) != quantity:
        raise invalid("quantity", "must be whole here: the simulated products are counted")
    return int(quantity)
