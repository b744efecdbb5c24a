"""What a file expects of its end, compared with the report. Pure: it reads the report as it is published, nothing else."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from app.drill.checks import Check
from app.drill.expect import Expect

NAME = "as_expected"


def as_expected(expect: Expect, report: Mapping[str, Any]) -> Check:
    """Every expectation of the file; a failure names the entity, what was expected and what was found."""
    check = Check()
    for entity, expected, found in _pairs(expect, report):
        check.checked += 1
        words, fits = expected, found == expected
        if isinstance(expected, tuple):
            low, high = expected
            words, fits = f"{low} to {high}", found is not None and low <= found <= high
        if not fits:
            check.failed.append({"entity": entity, "expected": words, "found": "none" if found is None else found})
    return check


def _pairs(expect: Expect, report: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Entity, expected, found."""
    for channel, figures in expect.stock.items():
        for listing, bounds in figures.items():
            yield f"{channel}:{listing}", bounds, report["channels"][channel]["stock"].get(listing)
    if expect.orders is not None:
        yield "orders", expect.orders, report["orders"]["placed"]
    for order, state in expect.states.items():
        channel, _, number = order.partition(":")
        yield f"order {order}", state, report["channels"][channel]["orders"].get(number, {}).get("state")
    for order, numbers in expect.shipments.items():
        channel, _, number = order.partition(":")
        shown = report["channels"][channel]["orders"].get(number, {}).get("shipments", [])
        yield f"shipments of {order}", sorted(numbers), sorted(s["tracking"] for s in shown)
    for order, amount in expect.refunded.items():
        channel, _, number = order.partition(":")
        yield f"refunded of {order}", amount, report["channels"][channel]["orders"].get(number, {}).get("refunded")
    for order, part in expect.staff_notes.items():
        channel, _, number = order.partition(":")
        said = report["channels"][channel]["orders"].get(number, {}).get("staff_note")
        yield f"staff note of {order}", part, part if part and said is not None and part in said else said
    made = report["wms"]["orders"]
    if expect.wms_orders is not None:
        living = sum(g["status"] != "DELETED" for goods_outs in made.values() for g in goods_outs)
        yield "WMS orders", expect.wms_orders, living
    for order, statuses in expect.wms.items():
        yield f"WMS orders of {order}", sorted(statuses), sorted(g["status"] for g in made.get(order, []))
    for order, lines in expect.wms_lines.items():
        ordered: Counter[str] = Counter()
        for goods_out in made.get(order, []):
            for line in goods_out["lines"] if goods_out["status"] != "DELETED" else ():
                ordered[line["sku"]] += line["qty"]
        yield f"WMS lines of {order}", lines, {sku: eaches for sku, eaches in ordered.items() if eaches}
    for order, address in expect.wms_address.items():
        for goods_out in made.get(order, []):
            if goods_out["status"] != "DELETED":
                yield f"WMS address of {order}", address, {name: goods_out["address"].get(name) for name in address}
    if expect.oversold is not None:
        yield "oversold", expect.oversold, report["oversold"]
    exceptions = report["exceptions"]
    still_open = [e for e in exceptions if e["state"] != "resolved"]
    for what, wanted, found in (
        ("exceptions", expect.exceptions, exceptions),
        ("open exceptions", expect.open_exceptions, still_open),
    ):
        if wanted is None:
            continue
        opened = Counter(e["type"] for e in found)
        for kind in sorted({*wanted, *opened}):
            yield f"{what} {kind}", wanted.get(kind, 0), opened[kind]
    failed = {step["step"] for step in report["steps"] if not step["ok"]}
    for index in expect.failed_steps:
        yield f"step {index}", "failed", "failed" if index in failed else "done"
