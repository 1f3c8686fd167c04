"""What all commands have in common: exit codes, errors on their way out, progress, output."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from gradgen.errors import GradgenError
from gradgen.render import printable

FINE, WANTING, REFUSED, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141
PATIENCE = 0.5  # seconds before progress is shown


class Refused(click.ClickException):
    """An error of gradgen's on its way out: printed as it is, without markup."""

    exit_code = REFUSED

    def show(self, file: Any = None) -> None:
        """Print the message to standard error."""
        click.echo(self.message, file=file, err=True)


class Wanting(Refused):
    """What was checked and found wanting, on its way out."""

    exit_code = WANTING


def report(error: GradgenError) -> str:
    """What is printed of an error: a `SourceError` says itself where it is."""
    return str(error) if isinstance(error, SyntaxError) else f"gradgen: error: {error}"


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show the step at hand on standard error, on a terminal, once the work has taken a while."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    done, current = -1, ""
    shown: list[Any] = []

    def show() -> None:
        from rich.console import Console
        from rich.progress import Progress, TextColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            *Progress.get_default_columns()[1:],
        )
        bar = Progress(*columns, console=Console(stderr=True), transient=True)
        bar.add_task(printable(current), total=total, completed=max(done, 0))
        bar.start()
        shown.append(bar)

    def step(text: str) -> None:
        nonlocal done, current
        done, current = done + 1, text
        for bar in shown:
            bar.update(bar.task_ids[0], completed=done, description=printable(text))

    timer = threading.Timer(PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield step
    finally:
        timer.cancel()
        timer.join()
        for bar in shown:
            bar.stop()


def status(text: str) -> None:
    """Say on standard error what was done, on a terminal only."""
    if sys.stderr.isatty():
        click.echo(printable(text), err=True)


def write_stdout(text: str) -> None:
    """Write to standard output, in UTF-8 unless it is a terminal.

    Raises `GradgenError` where the system refuses, and `BrokenPipeError`.
    """
    if sys.stdout is None:
        raise GradgenError("standard output is closed")
    try:
        click.echo(text if sys.stdout.isatty() else text.encode("utf-8"), nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise GradgenError(f"standard output: {error.strerror or error}") from None


def abandon_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not fail at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
