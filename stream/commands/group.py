"""How the commands behave as a whole: exit codes, faults as a line of text each, help that keeps its examples."""

import inspect
import os
import sys
from datetime import UTC, datetime
from typing import Any, Final

import click

from stream.errors import ConfigError, TrailstreamError
from stream.terminal import inert

_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
_BROKEN_PIPE: Final = 141  # 128 + SIGPIPE


class Command(click.Command):
    """One command; its help has wrapped paragraphs, but those with indented lines (examples, lists) stay as written."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the docstring."""
        del ctx
        paragraphs = inspect.cleandoc(self.help or "").split("\n\n")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n\n".join("\b\n" + p if "\n  " in p else p for p in paragraphs))


class Group(Command, click.Group):
    """Commands that return their exit codes.

    `ConfigError` is exit code 2, any other error that we raise on purpose 1; each is a line of text, not a traceback.
    """

    command_class = Command
    group_class = type

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and exit with its code."""
        try:
            code = super().invoke(ctx)
        except TrailstreamError as error:
            for line in str(error).splitlines():
                click.echo(f"trailstream: {inert(line)}", err=True)
            code = 2 if isinstance(error, ConfigError) else 1
        except KeyboardInterrupt:
            code = _INTERRUPTED
        except BrokenPipeError:  # whoever read our output, such as `head`, has had enough
            if ctx.invoked_subcommand == "run":
                raise  # no command that may end in silence
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = _BROKEN_PIPE
        ctx.exit(code if isinstance(code, int) else 0)


def since(_: click.Context, __: click.Parameter, value: str | None) -> float:
    """A moment in the past (`24h`, `7d`, a date or a time) as Unix time; 0 if none is given: an option's callback."""
    from stream.scan.since import parse_since

    if value is None:
        return 0.0
    try:
        return parse_since(value, datetime.now(UTC))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def until(context: click.Context, parameter: click.Parameter, value: str | None) -> float:
    """The same for an end: without one, never."""
    return since(context, parameter, value) if value is not None else float("inf")
