"""Reports to pages: `docs/benchmarks.md` with its plots, made from the kept reports and from nothing else."""

from pathlib import Path

import matplotlib
import msgspec

from bench.harness import Kept, Plot, Table

matplotlib.use("svg")
from matplotlib import pyplot

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
FOLDER = PAGE.parent / "benchmarks"
_MARK = {True: "reached", False: "**not reached**", None: "measured"}
_HEAD = """# Benchmarks

Made by `make bench` from the programs in `bench/`; every section names machine, date and command. Contenders run interleaved in one run; figures are the
median of the rounds with their range, and ratios are taken within a round. `make bench NAMES="…"` runs single programs, `make bench QUICK=1` a tenth of the
work without keeping it. A section that does not name Kafka was measured with a broker that starts quickly and compiles little, as tests have it.
"""


def keep(one: Kept) -> None:
    """Store one report; the page is written anew with it."""
    FOLDER.mkdir(exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode(one), indent=1)
    (FOLDER / f"{one.name}.json").write_bytes(data + b"\n")
    write(one)


def kept() -> list[Kept]:
    """All reports, by name."""
    return [msgspec.json.decode(path.read_bytes(), type=Kept) for path in sorted(FOLDER.glob("*.json"))]


def write(*changed: Kept) -> None:
    """The page from all kept reports; plots of the changed ones only."""
    reports = kept()
    for one in changed:
        for number, plot in enumerate(one.report.plots, 1):
            _draw(plot, FOLDER / f"{one.name}-{number}.svg")
    rows = [
        [f"[{one.name}](#{_anchor(one.title)})", target.what, target.must, target.measured, _MARK[target.reached]]
        for one in reports
        for target in one.report.targets
    ]
    summary = Table("", ["program", "figure", "must reach", "measured", ""], rows)
    PAGE.write_text(_HEAD + "\n" + _table(summary) + "\n" + "\n".join(map(_section, reports)), encoding="utf-8")


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _section(one: Kept) -> str:
    parts = [
        f"## {one.title}",
        one.report.question,
        f"{one.date}, {one.machine}. Again with: `{one.command}`",
        *(f"**{table.title}**\n\n{_table(table)}" for table in one.report.tables),
        *(f"![{p.title}](benchmarks/{one.name}-{n}.svg)" for n, p in enumerate(one.report.plots, 1)),
        *one.report.notes,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(table: Table) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def _draw(plot: Plot, path: Path) -> None:
    """Horizontal bars, the range of the rounds as whiskers."""
    matplotlib.rcParams.update({"svg.hashsalt": plot.title, "font.size": 9})
    figure, axes = pyplot.subplots(figsize=(8, 0.9 + 0.38 * len(plot.bars)), layout="constrained")
    names = [name for name, *_ in plot.bars]
    middle = [value for _, value, _, _ in plot.bars]
    spread = [[v - low for _, v, low, _ in plot.bars], [high - v for _, v, _, high in plot.bars]]
    drawn = axes.barh(names, middle, xerr=spread, capsize=3, color="#3b6ea5", log=plot.log)
    axes.bar_label(drawn, [f"{value:,.4g}" for value in middle], padding=6)
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.set_title(f"{plot.title} ({plot.unit})", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
