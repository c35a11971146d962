"""Give results to programs on stdout, and speak to people on stderr."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console

from ctiqa.errors import WriteError

if TYPE_CHECKING:
    from ctiqa.outputs.tables import Report

__all__ = ["Advance", "emit", "hand_out", "progress", "stderr"]

Advance: TypeAlias = Callable[[int, int | None], None]


def emit(data: bytes) -> None:
    """Write results to stdout, all of them at once.

    Raises:
        WriteError: if there is no room behind stdout.
        BrokenPipeError: if nobody reads on, which ends the program in silence.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is still buffered would fail once more, loudly, when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise WriteError(f"the results could not be printed ({error.strerror}); use -o") from error


def hand_out(report: "Report", output: Path | None, *, as_json: bool) -> None:
    """Write a report to a file whose name tells the form, and to stdout where it is wanted.

    Args:
        report: scores or measurements.
        output: ends in one of :data:`ctiqa.outputs.forms.FORMS`; None prints the table.
        as_json: print JSON, whatever is written.

    Raises:
        WriteError: if something could not be written whole.
    """
    from ctiqa.outputs import forms, tables

    if output is not None:
        forms.write_report(report, output)
    if as_json:
        emit(tables.as_json(report) + b"\n")
    elif output is None:
        emit(tables.as_csv(report))


def stderr() -> Console:
    """Return the console on stderr; it writes plain words where stderr is no terminal.

    Nothing is taken for markup, since paths may hold brackets, and lines break only in a terminal.
    """
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    console.soft_wrap = not console.is_terminal
    return console


@contextmanager
def progress(words: str, *, quiet: bool = False, unit: str = "") -> Iterator[Advance]:
    """Show how far a job has come and how long it will take; nothing outside a terminal.

    Yields:
        A function that takes how many are done and how many there are, None where nobody knows.
    """
    console = stderr()
    if quiet or not console.is_terminal:
        yield lambda _done, _total: None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(words),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
