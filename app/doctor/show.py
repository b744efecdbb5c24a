"""The doctor's table for people. It judges nothing."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.doctor.checks import Report

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def show(console: Console, report: Report) -> None:
    """Print it: what is to be done stands beside what was found."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("check", overflow="fold")
    table.add_column("result", no_wrap=True)
    table.add_column("detail", overflow="fold")
    table.add_column("what to do", overflow="fold")
    area = ""
    for result in report.results:
        if result.area != area:
            table.add_row(Text(result.area, style="bold cyan"))
            area = result.area
        style = _STYLES[result.state]
        remedy = Text(result.remedy) if result.state != "ok" else Text("")
        table.add_row(Text(f"  {result.check}"), Text(result.state, style=style), Text(result.detail), remedy)
    console.print(table)
    asked = ", ".join(f"{peer} {count}" for peer, count in report.requests.items()) or "none"
    text = f"{report.count('fail')} failed, {report.count('warn')} to look at, {report.count('ok')} ok"
    console.print(Text(text, style=_STYLES["ok" if report.ok else "fail"]))
    console.print(Text(f"in {report.seconds:.1f} s; requests to peers: {asked} (reads only)"))
