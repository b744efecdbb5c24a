"""An explanation on one screen, for people. It computes nothing."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.why.inputs import Tail
from tables.explain.report import Answer, Delivered, Ledger, Lines, Split, Target, Told, Waiting


def show(console: Console, answer: Answer, tail: Tail | None, missing: Sequence[str]) -> None:
    """Print it."""
    console.print(Text(f"{answer.sku}  at {moment(answer.at)}  (worker {answer.worker})", style="bold"))
    for line in missing:
        console.print(Text(f"not known: {line}", style="yellow"))
    if answer.ledger is not None:
        console.print(_levels(answer, answer.ledger))
        if answer.ledger.split is not None:
            console.print(_split(answer.ledger.split))
        if answer.ledger.bundles:
            console.print(_bundles(answer.ledger.bundles))
        for target in answer.ledger.targets:
            console.print(_target(target, next((x for x in answer.listings if x.listing == target.listing), None)))
    else:
        console.print(section("Delivery", [_delivery(one) for one in answer.listings]))
    if answer.lines is not None:
        console.print(_lines(answer.lines))
    if tail is not None:
        console.print(_inputs(tail))


def moment(ms: int) -> str:
    """A time as people read it; a dash where there is none."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z" if ms else "-"


def section(title: str, rows: Iterable[RenderableType]) -> Group:
    """A title and what stands below it."""
    return Group(Text(title, style="bold cyan"), *rows)


def plain_table(*columns: str) -> Table:
    """A table without a frame; the first column is never broken."""
    table = Table(*columns, box=box.SIMPLE, pad_edge=False, show_edge=False)
    table.columns[0].no_wrap = True
    return table


def _levels(answer: Answer, row: Ledger) -> Group:
    read = answer.read
    when = f"read {row.read_no or 'never'}"
    if read is not None:
        due = ", a further read is due" if read.dirty else ""
        when = f"{when}, newest read {read.read_no} at {moment(read.read_at)}{due}"
    table = plain_table("warehouse", "free", "held")
    for warehouse in sorted(row.free.keys() | row.held.keys()):
        table.add_row(warehouse, str(row.free.get(warehouse, 0)), str(row.held.get(warehouse, 0)))
    demand = plain_table("open demand counts against", "eaches")
    for key, eaches in sorted(row.demand.items()):
        demand.add_row(key.replace("+", " or ") or "every warehouse", str(eaches))
    if not row.demand:
        demand.add_row("nothing open", "0")
    parts: list[RenderableType] = [table] if row.free or row.held else []
    return section(f"Levels ({when})", [*parts, demand])


def _bundles(told: Sequence[Told]) -> Group:
    table = plain_table("bundle", "component", "eaches in it", "word", "per warehouse", "jointly", "granted")
    for one in told:
        table.add_row(
            one.bundle,
            one.component,
            str(one.eaches),
            f"v{one.version}",
            figures(one.pools),
            figures(one.joint),
            figures(one.granted),
        )
    return section("Bundles", [table])


def _split(split: Split) -> Group:
    """R9."""
    table = plain_table("sellers limited together", "to be split", "aimed at", "kept for them")
    for limit in split.limits:
        table.add_row(", ".join(limit.sellers), str(limit.left), str(limit.aimed), str(limit.reserved))
    rows: list[RenderableType] = [table] if split.limits else []
    for one in split.granted:
        issued = ", ".join(f"v{version} {units}" for version, units in one.issued.items()) or "none"
        rows.append(
            Text(
                f"  granted to {one.bundle} from {' or '.join(one.warehouses)} ({one.eaches} eaches a unit): {one.target}, told {issued},"
                f" holds {one.holds}, sold {one.taken}: {one.reserved} units still to sell at most"
            )
        )
    rows += [Text(f"  {line}", style="red") for line in split.no_guarantee]
    rows += [_waiting(one) for one in split.awaits]
    promise = "no guarantee" if split.no_guarantee else "what is sold is at most what is there"
    return section(f"Pool split (escrow): {promise}", rows)


def figures(given: dict[str, int]) -> str:
    """Names with their numbers; a dash for none."""
    return ", ".join(f"{key} {value}" for key, value in sorted(given.items())) or "-"


def _target(target: Target, row: Delivered | None) -> Group:
    rows: list[RenderableType] = []
    if target.unions:
        pool = target.unions[0]
        rows.append(
            Text(
                f"  pool {pool.left} = {pool.free} free in {', '.join(pool.warehouses)} − {pool.demand} open demand there (R2, least of {len(target.unions)})"
            )
        )
    if target.terms:
        table = plain_table("  R4", *(term.name for term in target.terms))
        table.add_row("  term", *(f"{term.operation} {term.operand}" for term in target.terms))
        table.add_row("  gives", *(term.result for term in target.terms))
        rows.append(table)
    if target.inc is not None:
        told = (
            f"v{target.version} of epoch {target.epoch}: inc {target.told_inc}, dec {target.told_dec}"
            if target.told
            else "nothing yet"
        )
        rows.append(
            Text(
                f"  ats {target.available} · gross inc {target.inc}, dec {target.dec}{' (to zero)' if target.to_zero else ''} · told delivery: {told}"
                f" · orders known up to {moment(target.watermark)}"
            )
        )
    if target.quota:
        one = target.quota
        issued = ", ".join(f"v{version} {inc}" for version, inc in one.issued.items()) or "none"
        rows.append(
            Text(
                f"  quota: target {one.target}, confirmed {one.conf}, issued and not confirmed: {issued};"
                f" holds at most {one.high}, {one.reserved} of it still to sell"
                f"{f'; grants wait for the outcome of v{one.unsure}' if one.unsure else ''}"
            )
        )
    if target.drift:
        rows.append(Text(f"  drift: {target.drift}", style="yellow"))
    rows += [_waiting(one) for one in target.awaits]
    rows.append(_delivery(row) if row is not None else Text("  delivery: not known here", style="dim"))
    where = f" at {target.location}" if target.location else ""
    return section(f"{target.channel}:{target.channel_sku}{where} ({target.unit}, {target.mode})", rows)


def _delivery(row: Delivered) -> RenderableType:
    words = Text(
        f"  delivery: epoch {row.epoch} v{row.version}, wanted inc {row.inc}, dec {row.dec}, has {row.published}..{row.high} (gross)"
        f", reported v{row.told}, read back {moment(row.checked_at)}"
    )
    if not row.awaits:
        return Group(words, Text("  awaits nothing", style="green"))
    return Group(words, *(_waiting(one) for one in row.awaits))


def _waiting(one: Waiting) -> Text:
    until = f" ({moment(one.until)})" if one.until else ""
    return Text(f"  awaits {one.what}: {one.detail}{until}", style="yellow")


def _lines(lines: Lines) -> Group:
    least = "" if lines.complete else "at least "
    title = f"Open order lines: {least}{lines.count}, {least}{lines.eaches} eaches that count"
    if not lines.first:
        return section(title, [])
    table = plain_table("order", "line", "version", "state", "eaches", "out already", "counts", "against")
    for one in lines.first:
        table.add_row(
            one.reference,
            one.line,
            str(one.version),
            one.state,
            str(one.eaches),
            str(one.reflected),
            str(one.counts),
            " or ".join(one.warehouses) or "every warehouse",
        )
    return section(title if len(lines.first) == lines.count else f"{title} (first {len(lines.first)})", [table])


def _inputs(tail: Tail) -> Group:
    title = f"Last inputs ({len(tail.inputs)}, offsets {tail.back_to} to {tail.end}{'' if tail.whole else ', older ones not read'})"
    table = plain_table("time", "topic:partition:offset", "source", "event", "")
    for one in tail.inputs:
        table.add_row(moment(one.time), f"{one.topic}:{one.partition}:{one.offset}", one.source, one.kind, one.text)
    return section(title, [table] if tail.inputs else [])
