"""The command line: what can be run, with which options. It starts things and prints; every command's work is in its own module, loaded when it runs."""

import functools
import importlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from app.errors import Problem

_EXAMPLES = """\b
Examples:
  clarus-stream demo                                  a sale on two simulated storefronts
  clarus-stream drill tests/scenarios/stock-moves.yaml
  clarus-stream config check --config shop.yaml       what is in force, and where it comes from
  clarus-stream topics create --config shop.yaml      make the topics, register the schemas
  clarus-stream ingress --config shop.yaml            take webhooks
  clarus-stream worker --config shop.yaml             do the work
  clarus-stream doctor --config shop.yaml             is everything well, and what to do where not
  clarus-stream why 000123 --config shop.yaml         explain a figure
  clarus-stream why bc-us:1001 --config shop.yaml     tell an order's story
"""

_ELSEWHERE = {
    "demo": ("app.drill.cli:demo", "A sale on two simulated storefronts, on the bundled broker."),
    "drill": ("app.drill.cli:drill", "Run a scenario file against simulated peers and check the outcome."),
    "doctor": ("app.doctor.cli:doctor", "Look at everything that must be well, and say what to do where it is not."),
    "exceptions": ("app.exceptions.cli:exceptions", "What a person must look at: list, acknowledge, resolve, retry."),
    "mappings": ("app.mappings.cli:mappings", "What the two sides call things: check, import, export, what-if."),
    "audit": ("app.audit.cli:audit", "Compare SKU, barcode, weight and unit across Clarus and the storefronts."),
    "why": ("app.why.cli:why", "Explain a SKU's figures, or tell the whole story of an order."),
    "replay": ("app.replay.cli:replay", "Fold events again into scratch state and compare it with the live ledger."),
    "pause": ("app.operations:pause", "Write nothing to a channel or SKU until it is resumed; reads go on."),
    "resume": ("app.operations:resume", "End a pause: the newest wanted state is written."),
    "resync": ("app.operations:resync", "Read a channel or SKU again, at the warehouse and at its storefronts."),
    "returns": ("app.returns.cli:returns", "Authorise the return of an order whose storefront has no returns."),
    "reconciliation": (
        "app.reconciliation.cli:reconciliation",
        "What read-backs of listings found, by channel and cause.",
    ),
    "finance": ("app.finance.cli:finance", "Money and goods by day and channel: what is matched, open or mismatched."),
    "shadow": ("app.shadow.cli:shadow", "Compare what a channel shows with what would be written there."),
    "go-live": ("app.shadow.cli:go_live", "End a channel's shadow: read every listing anew, then write."),
    "go-shadow": ("app.shadow.cli:go_shadow", "Write nothing more to a channel; compare only."),
}
_ORDER = [
    "demo",
    "drill",
    "config",
    "topics",
    "worker",
    "ingress",
    "doctor",
    "exceptions",
    "mappings",
    "audit",
    "why",
    "replay",
    "pause",
    "resume",
    "resync",
    "returns",
    "reconciliation",
    "finance",
    "shadow",
    "go-live",
    "go-shadow",
]

Function = TypeVar("Function", bound=Callable[..., Any])


class _Commands(click.Group):
    """The top group: commands of other modules are imported when they are called, not for the list of commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return _ORDER

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _ELSEWHERE:
            module, _, name = _ELSEWHERE[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.commands.get(name)
            rows.append((name, command.get_short_help_str(100) if command else _ELSEWHERE[name][1]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def config_option(function: Function) -> Function:
    """`--config FILE`, or the variable CLARUS_STREAM_CONFIG. A problem that arises under the defaults alone, which nobody means, says so."""

    @functools.wraps(function)
    def command(*given: Any, **options: Any) -> Any:
        try:
            return function(*given, **options)
        except Problem as problem:
            if options["config_file"] is None and not any(name.startswith("CLARUS_STREAM__") for name in os.environ):
                problem.lines.append("no configuration was named: --config FILE, or the variable CLARUS_STREAM_CONFIG")
            raise

    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        envvar="CLARUS_STREAM_CONFIG",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The configuration, YAML; also by the variable CLARUS_STREAM_CONFIG. Variables CLARUS_STREAM__… stand above it.",
    )(cast(Function, command))


def workers_option(function: Function) -> Function:
    """`--worker URL`, any number."""
    return click.option(
        "--worker",
        "workers",
        metavar="URL",
        multiple=True,
        help="Operators' address of a worker; name all of them. Default: ops.host and ops.port of the configuration.",
    )(function)


def actor_option(function: Function) -> Function:
    """`--actor WHO`."""
    return click.option("--actor", metavar="WHO", help="Who; default: the operating system's user.")(function)


def json_option(function: Function) -> Function:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


@click.group(
    cls=_Commands,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=True,
)
@click.version_option(importlib.metadata.version("clarus-stream"), prog_name="clarus-stream")
@click.option("--debug", is_flag=True, help="Show where an unexpected error arose.")
def cli(debug: bool) -> None:
    """Keeps storefronts and a Clarus warehouse in agreement, on Kafka."""


@cli.command()
@config_option
def worker(config_file: Path | None) -> None:
    """Run a worker: agents, tables, delivery to the peers. Any number may run side by side.

    \b
    Example:
      CLARUS_STREAM__ENGINE__INSTANCE=worker-1 clarus-stream worker --config shop.yaml
    """
    from app import logs
    from app.config import load

    loaded = load(config_file, os.environ, credentials=True)
    logs.configure(loaded.settings.settings.ops)
    loaded.log_warnings()
    from app.main import run_worker

    status = run_worker(loaded.settings)
    if status:
        raise SystemExit(status)


@cli.command()
@config_option
def ingress(config_file: Path | None) -> None:
    """Take webhooks, and bridge the commercetools Kafka destination.

    \b
    Example:
      clarus-stream ingress --config shop.yaml
    """
    from app import logs
    from app.config import load

    loaded = load(config_file, os.environ)
    logs.configure(loaded.settings.settings.ops)
    loaded.log_warnings()
    from app.ingress.service import run

    run(loaded.settings)


@cli.group()
def config() -> None:
    """Look at the configuration."""


@config.command("check")
@config_option
@json_option
def config_check(config_file: Path | None, as_json: bool) -> None:
    """Check the configuration; print what is in force and where each value came from, secrets masked.

    \b
    Example:
      clarus-stream config check --config shop.yaml
    """
    from app.config import load
    from app.config.report import as_rows, as_text

    loaded = load(config_file, os.environ, credentials=True)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(json.dumps(as_rows(loaded), indent=2) if as_json else as_text(loaded))


@config.command("reference")
def config_reference() -> None:
    """Print the manual's page of all settings (docs/settings.md), Markdown."""
    from app.config.reference import page

    click.echo(page(), nl=False)


@config.command("metrics")
def config_metrics() -> None:
    """Print the manual's page of all metrics (docs/metrics.md), Markdown."""
    from app.metrics import document

    click.echo(document(), nl=False)


@config.command("exceptions")
def config_exceptions() -> None:
    """Print the manual's page of all exceptions (docs/exceptions.md), Markdown."""
    from tables.exceptions import page

    click.echo(page(), nl=False)


@config.command("lifecycle")
def config_lifecycle() -> None:
    """Print the table of the manual's page on orders (docs/orders.md): which event leads an order from which state to which, Markdown."""
    from tables.orders.lifecycle import page

    click.echo(page(), nl=False)


@config.command("openapi")
def config_openapi() -> None:
    """Print the OpenAPI document of the HTTP API (docs/openapi.json), JSON."""
    from app.exceptions.openapi import document

    click.echo(json.dumps(document(), indent=2, ensure_ascii=False))


@cli.group(invoke_without_command=True)
@config_option
@json_option
@click.pass_context
def topics(context: click.Context, config_file: Path | None, as_json: bool) -> None:
    """Create and check topics and schemas; describe them. Without a further word: create, then check."""
    if context.invoked_subcommand is None:
        _topics(config_file, as_json, create=True)


@topics.command("create")
@config_option
@json_option
def topics_create(config_file: Path | None, as_json: bool) -> None:
    """Create what is missing, register the schemas, then check everything.

    \b
    Example:
      clarus-stream topics create --config shop.yaml
    """
    _topics(config_file, as_json, create=True)


@topics.command("check")
@config_option
@json_option
def topics_check(config_file: Path | None, as_json: bool) -> None:
    """Check topics and schemas and change nothing.

    \b
    Example:
      clarus-stream topics check --json
    """
    _topics(config_file, as_json, create=False)


def _topics(config_file: Path | None, as_json: bool, *, create: bool) -> None:
    from app import registry
    from app import topics as work
    from app.config import load

    settings = load(config_file, os.environ).settings
    report = work.ensure(settings) if create else work.check(settings)
    if settings.settings.kafka.schema_registry_url:
        report.schemas = registry.ensure(settings) if create else registry.check(settings)
    click.echo(json.dumps(report.as_dict(), indent=2) if as_json else report.as_text())
    if not report.ok:
        raise SystemExit(1)


@topics.command("asyncapi")
@config_option
def topics_asyncapi(config_file: Path | None) -> None:
    """Print an AsyncAPI 3.0 document of the public topics, JSON."""
    from app.asyncapi import document
    from app.config import load

    settings = load(config_file, os.environ).settings
    click.echo(json.dumps(document(settings), indent=2, ensure_ascii=False))


def main() -> None:
    """Run a command. Problems are one line each on standard error, without a traceback; the exit status is the command's own."""
    debug = "--debug" in sys.argv[1:]
    try:
        result = cli.main(standalone_mode=False)
    except Problem as problem:
        _fail(problem.lines, problem.status)
    except click.exceptions.NoArgsIsHelpError as helped:
        click.echo(helped.ctx.get_help() if helped.ctx else "")
        raise SystemExit(0) from None
    except click.ClickException as refused:
        _fail([refused.format_message()], refused.exit_code)
    except click.Abort as stopped:
        if stopped.__cause__ is None:  # a question that nobody answered; Ctrl-C elsewhere has a cause
            click.echo(err=True)
            _fail(["the question was not answered: nothing was changed (--yes does not ask)"], 130)
        raise SystemExit(130) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stdout = None  # whoever read us has gone; there is nobody left to tell
        raise SystemExit(1) from None
    except Exception as error:
        if debug:
            raise
        _fail([f"unexpected {type(error).__name__}: {error} (--debug shows where)"], 70)
    if isinstance(result, int) and result:
        raise SystemExit(result)


def _fail(lines: list[str], status: int) -> None:
    for line in lines:
        click.echo(f"clarus-stream: {line}", err=True)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
