"""The application: one line for every error, and the options that come before a command."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .say import one_line, say

#: Mistakes in the input and the limits of the machine; anything else is a fault of ours.
_EXPECTED = (ValueError, OSError, ImportError, MemoryError)


class _OneLineErrors(TyperGroup):
    """Prints an error as one line on stderr with exit code 2, and an interruption with 130."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)
        try:
            code = super().main(*args, standalone_mode=False, **extra)
        except Exception as error:
            sys.exit(_report(error))
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        # Here, because the layers above turn an interruption into a silent exit.
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", UserWarning)
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except KeyboardInterrupt as interruption:
            left = str(interruption) or "nothing was written"
            say(f"tangency: interrupted; {left}", err=True)
            raise typer.Exit(130) from None


def _report(error: Exception) -> int:
    if _State.debug:
        traceback.print_exception(error)
    if hasattr(error, "format_message"):  # a mistake in the command line itself
        message = error.format_message()  # pyright: ignore[reportAttributeAccessIssue]
        context = getattr(error, "ctx", None)
        where = f" (see {context.command_path} --help)" if context is not None else ""
        say(f"tangency: {one_line(message)}{where}", err=True)
        return 2
    if isinstance(error, _EXPECTED):
        say(f"tangency: {one_line(_words(error))}", err=True)
        return 2
    say(
        f"tangency: internal error, {type(error).__name__}: {one_line(str(error))} "
        "(tangency --debug COMMAND shows where)",
        err=True,
    )
    return 1


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    say(f"tangency: warning: {one_line(str(message))}", err=True)


class _State:
    """What was said before the command."""

    debug = False


app = typer.Typer(
    name="tangency",
    cls=_OneLineErrors,
    help="Exact kernels of infinitely wide neural networks: compute them, learn with them.",
    epilog="Start with: tangency demo --out results",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from ..version import __version__

        say(f"tangency {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _before(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
) -> None:
    _State.debug = debug
    if context.invoked_subcommand is None:
        say(context.get_help())
