"""Write results as a table (CSV) or as data (JSON)."""

import csv
import json
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

from ctiqa.files import write_whole
from ctiqa.scoring.result import ScoreReport

__all__ = ["as_csv", "as_json", "plain_json", "table_csv", "write_csv", "write_json"]

_FORMULA = ("=", "+", "-", "@")


def as_csv(report: ScoreReport) -> bytes:
    """Return one row for each image as UTF-8 CSV, a header row first, unknown values empty.

    Words that a spreadsheet would run as a formula, which a foreign header may hold, get an
    apostrophe in front.
    """
    rows = (each.row(report.columns).values() for each in report.slices)
    return table_csv(report.columns, rows)


def as_json(report: ScoreReport) -> bytes:
    """Return the whole report as JSON; unknown values are null."""
    return plain_json(report.to_dict())


def write_csv(report: ScoreReport, path: Path | str) -> None:
    """Write one row for each image, as :func:`as_csv` has it.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    write_whole(Path(path), as_csv(report))


def write_json(report: ScoreReport, path: Path | str) -> None:
    """Write the whole report as JSON, as :func:`as_json` has it.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    write_whole(Path(path), as_json(report) + b"\n")


def table_csv(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Return rows under a header row as UTF-8 CSV, no cell of which a spreadsheet would run."""
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    for row in rows:
        table.writerow([_cell(value) for value in row])
    return _encode(text.getvalue())


def plain_json(data: object) -> bytes:
    """Return plain data as JSON in UTF-8."""
    return _encode(json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1))


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _encode(text: str) -> bytes:
    """Return ``text`` as UTF-8; odd bytes of a file name that is no Unicode are spelt out."""
    return text.encode("utf-8", "backslashreplace")
