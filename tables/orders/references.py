"""The name of an order at the warehouse: ours, unique, at most 50 characters (Clarus' limit, fact sheet 6.2), the same whenever it is computed."""

from hashlib import sha256

LIMIT = 50


def reference_of(channel: str, order_id: str) -> str:
    """`channel:order id`, or where that is longer `#` and 40 hexadecimal digits of its SHA-256."""
    plain = f"{channel}:{order_id}"
    return plain if len(plain) <= LIMIT and not plain.startswith("#") else f"#{sha256(plain.encode()).hexdigest()[:40]}"
