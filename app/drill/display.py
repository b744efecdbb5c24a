"""What a person sees of a drill: a live picture while it runs (plain lines where there is no terminal) and, at the end, a table that says what happened."""

import asyncio
import time

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from app.drill.checks import Check
from app.drill.report import Outcome
from app.drill.run import Progress
from app.drill.watch import summarise

_REFRESH_SECONDS = 0.5
_PLAIN_SECONDS = 5.0
_ROWS = 12
_FAILURES = 20


class Quiet:
    """Shows nothing."""

    def start(self, progress: Progress) -> None:
        """Nothing."""

    def tell(self, text: str) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


class Screen:
    """Shows a running drill on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._live: Live | None = None
        self._task: asyncio.Task[None] | None = None
        self._told = ""

    def start(self, progress: Progress) -> None:
        """Begin to draw."""
        self._progress = progress
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._task = asyncio.create_task(self._draw(), name="display")

    def tell(self, text: str) -> None:
        """One line of what is being done."""
        if self._live is None:
            self._console.print(Text(f"  {text}"))
        self._told = text

    def stop(self) -> None:
        """Take the live picture away."""
        if self._task is not None:
            self._task.cancel()
        if self._live is not None:
            self._live.stop()
        self._live = self._task = None

    async def _draw(self) -> None:
        last, phase = 0.0, ""
        while self._progress is not None:
            if self._live is not None:
                self._live.update(picture(self._progress, self._told), refresh=True)
            elif (now := time.monotonic()) - last >= _PLAIN_SECONDS or phase != self._progress.phase:
                last, phase = now, self._progress.phase
                self._console.print(Text(line(self._progress)))
            await asyncio.sleep(_REFRESH_SECONDS)


def line(progress: Progress) -> str:
    """The state of a drill in one line."""
    if progress.zero is None:
        return f"  {progress.phase}"
    counts = _orders(progress)
    oversold = f"; oversold {sum(_oversold(progress).values())}"
    backlog = f"; {progress.backlog}" if progress.backlog is not None and not progress.backlog.empty else ""
    return f"{progress.elapsed:5.0f} s  {progress.phase}: orders {counts}{oversold}{backlog}"


def picture(progress: Progress, told: str) -> RenderableType:
    """The live picture."""
    ends = max(progress.file.ends / 1000, 0.001)
    head = Text.assemble((progress.file.name, "bold"), "  ", (progress.phase, "dim"))
    if progress.zero is None:
        return Group(head, Text(f"  {told}", "dim"))
    elapsed = min(progress.elapsed, ends)
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total=ends, completed=elapsed, width=50), f"{elapsed:.0f} of {ends:.0f} s")
    facts = Table.grid(padding=(0, 3))
    facts.add_row("orders", _orders(progress))
    if progress.backlog is not None:
        facts.add_row("backlog", str(progress.backlog) if not progress.backlog.empty else "none")
    oversold = sum(_oversold(progress).values())
    facts.add_row("oversold", Text(str(oversold), "bold red" if oversold else "green"))
    if progress.watch is not None and (values := progress.watch.latency.all()):
        summary = summarise(values)
        facts.add_row("stock to storefront", f"p50 {summary['p50']:.2f} s, p99 {summary['p99']:.2f} s")
    return Group(head, bar, facts, _stock(progress))


def _orders(progress: Progress) -> str:
    placed = progress.script.placed if progress.script is not None else 0
    turned = progress.script.turned_away if progress.script is not None else 0
    in_wms = sum(goods_out.status != "DELETED" for goods_out in progress.peers.clarus.orders())
    away = f", {turned} customers found nothing left" if turned else ""
    return f"{placed} accepted, {in_wms} in the warehouse{away}"


def _oversold(progress: Progress) -> dict[str, int]:
    """Eaches promised beyond what the warehouse can still give, over all warehouses."""
    truth = progress.peers.truth()
    everywhere = frozenset(progress.file.warehouses)
    found = {sku: -truth.pool(sku, everywhere) for sku in progress.peers.offers.physical}
    return {sku: units for sku, units in found.items() if units > 0}


def _stock(progress: Progress) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("product")
    table.add_column("warehouse", justify="right")
    channels = list(progress.file.channels)
    for channel in channels:
        table.add_column(channel, justify="right")
    stock, shown = progress.peers.clarus.stock(), progress.watch.shown if progress.watch is not None else {}
    products = [p for p in progress.file.products if p.channels]
    for product in products[:_ROWS]:
        available = sum(s["available"] for s in stock.get(product.sku, {}).values())
        cells = []
        for channel in channels:
            listed = [o for o in progress.peers.offers.all if o.channel == channel and o.product == product.sku]
            cells.append(" / ".join(str(shown.get(o.name, "")) for o in listed) or "-")
        table.add_row(product.sku, "bundle" if product.bundle else str(available), *cells)
    if len(products) > _ROWS:
        table.add_row(f"and {len(products) - _ROWS} more")
    return table


# ---- the end --------------------------------------------------------------------------------------------------------------------------------


def show_outcome(console: Console, outcome: Outcome, hints: list[str]) -> None:
    """The table at the end, the checks with both sides of what failed, and what to try next."""
    console.print()
    console.print(_sales(outcome))
    console.print(_traffic(outcome))
    console.print(_checks(outcome.checks))
    for note in outcome.no_guarantee[:_FAILURES]:
        console.print(Text(f"{note}; its last units can be sold twice", "yellow"))
    if len(outcome.no_guarantee) > _FAILURES:
        console.print(
            Text(f"and {len(outcome.no_guarantee) - _FAILURES} more such products (see the JSON report)", "yellow")
        )
    for result in outcome.script.results:
        if not result.ok:
            console.print(Text(f"step {result.index} ({result.what}) failed: {result.detail}", "red"))
    for failure in outcome.failures:
        console.print(Text(failure, "red"))
    if not outcome.settled:
        console.print(Text(f"not settled in time; waiting for: {outcome.waiting_for}", "red"))
    for exception in outcome.exceptions:
        console.print(
            Text(
                f"exception {exception.type} of {exception.entity}, {exception.state}, for {exception.owner}: {exception.detail}",
                "yellow",
            )
        )
    verdict = "every check holds" if outcome.ok else "NOT as it should be"
    style = "bold green" if outcome.ok else "bold red"
    console.print(Text(f"{outcome.name}: {verdict} ({outcome.seconds:.0f} s)", style))
    for hint in hints:
        console.print(Text(hint, "dim"), soft_wrap=True)


def _sales(outcome: Outcome) -> Table:
    """Quantities sold in eaches (bundles: pieces), what is shown in the listing's selling unit."""
    evidence = outcome.evidence
    channels = list(evidence.orders)
    table = _narrow("What was sold, what is shown, what is there")
    table.add_column("product")
    for channel in channels:
        table.add_column(f"{channel}\nsold", justify="right")
    for channel in channels:
        table.add_column(f"{channel}\nshows", justify="right")
    table.add_column("warehouse\navailable", justify="right")
    table.add_column("sold, not\nallocated", justify="right")
    table.add_column("oversold", justify="right")
    sold: dict[tuple[str, str], int] = {}
    for channel, order in evidence.every():
        if order.state != "cancelled":
            for line in order.lines:
                offer = evidence.offers.find(channel, line.sku)
                if offer is not None:
                    key = channel, offer.product
                    sold[key] = sold.get(key, 0) + line.qty * offer.eaches
    oversold = {f["entity"]: f["oversold"] for f in outcome.checks["no_oversell"].failed}
    for product in dict.fromkeys([o.product for o in evidence.offers.all] + evidence.offers.physical):
        shown = [
            " / ".join(
                str(evidence.shown[o.name]) for o in evidence.offers.all if (o.channel, o.product) == (channel, product)
            )
            for channel in channels
        ]
        stock = outcome.stock.get(product)
        open_demand = sum(evidence.truth.demand.get(product, {}).values())
        table.add_row(
            product,
            *(str(sold.get((channel, product), 0)) for channel in channels),
            *(cell or "-" for cell in shown),
            "bundle" if stock is None else str(sum(s["available"] for s in stock.values())),
            "-" if stock is None else str(open_demand),
            "-" if stock is None else str(oversold.get(product, 0)),
        )
    return table


def _traffic(outcome: Outcome) -> Table:
    """A column a storefront: there are few of them, and it fits a terminal of 80 columns."""
    evidence = outcome.evidence
    table = _narrow("Storefronts")
    table.add_column("")
    for channel in evidence.orders:
        table.add_column(channel, justify="right")
    counts: dict[str, list[int]] = {
        "orders": [len(orders) for orders in evidence.orders.values()],
        "in the warehouse": [
            sum(bool(evidence.living(channel, order)) for order in orders)
            for channel, orders in evidence.orders.items()
        ],
        "stock requests": [outcome.requests[channel].get("stock", 0) for channel in evidence.orders],
        "order requests": [outcome.requests[channel].get("orders", 0) for channel in evidence.orders],
        "answered 429": [evidence.throttled[channel][0] for channel in evidence.orders],
    }
    for name, values in counts.items():
        table.add_row(name, *map(str, values))
    for name, hop in (
        ("warehouse to storefront, p50, p99", "stock_to_channel"),
        ("order to warehouse, p50, p99", "order_to_wms"),
        ("parcel to storefront, p50, p99", "despatch_to_channel"),
    ):
        samples = [summarise(outcome.latency[hop].samples.get(channel, [])) for channel in evidence.orders]
        table.add_row(name, *(f"{s['p50']:.2f} s, {s['p99']:.2f} s" if s["count"] else "-" for s in samples))
    return table


def _narrow(title: str) -> Table:
    """Without frames: names stay whole in a terminal of 80 columns."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _checks(checks: dict[str, Check]) -> Table:
    table = _narrow("Checks")
    table.add_column("check")
    table.add_column("checked", justify="right")
    table.add_column("result")
    for name, check in checks.items():
        result = Text(
            "-" if not check.checked else "ok" if check.ok else f"{len(check.failed)} failed",
            "green" if check.ok else "red",
        )
        table.add_row(name, str(check.checked), result)
        for failure in check.failed[:_FAILURES]:
            sides = "; ".join(f"{key}: {value}" for key, value in failure.items() if key != "entity")
            table.add_row("", "", Text(f"{failure['entity']}: {sides}", "red"))
        if len(check.failed) > _FAILURES:
            table.add_row("", "", Text(f"and {len(check.failed) - _FAILURES} more (see the JSON report)", "red"))
    return table
