"""Write results as a table (CSV) or as data (JSON)."""

import csv
import json
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

from ctiqa.files import write_whole

__all__ = ["Report", "as_csv", "as_json", "write_csv", "write_json"]

_FORMULA = ("=", "+", "-", "@")


class Report(Protocol):
    """What a run found, as a table and as plain data: scores, or measurements."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns, in order."""

    def table(self) -> Iterable[Iterable[object]]:
        """Return the cells of each row; None or "" where nothing is known."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold."""


def as_csv(report: Report) -> bytes:
    """Return the table as UTF-8 CSV, a header row first, unknown values empty.

    Words that a spreadsheet would run as a formula, which a foreign header may hold, get an
    apostrophe in front.
    """
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(report.columns)
    for row in report.table():
        table.writerow([_cell(value) for value in row])
    return _encode(text.getvalue())


def as_json(report: Report) -> bytes:
    """Return the whole report as JSON; unknown values are null."""
    return _encode(json.dumps(report.to_dict(), ensure_ascii=False, allow_nan=False, indent=1))


def write_csv(report: Report, path: Path | str) -> None:
    """Write the table, as :func:`as_csv` has it.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    write_whole(Path(path), as_csv(report))


def write_json(report: Report, path: Path | str) -> None:
    """Write the whole report as JSON, as :func:`as_json` has it.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    write_whole(Path(path), as_json(report) + b"\n")


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _encode(text: str) -> bytes:
    """Return ``text`` as UTF-8; odd bytes of a file name that is no Unicode are spelt out."""
    return text.encode("utf-8", "backslashreplace")
