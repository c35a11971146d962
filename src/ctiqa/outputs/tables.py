"""Write results as a table (CSV) or as data (JSON)."""

import csv
import json
import math
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

from ctiqa.files import write_whole

__all__ = ["Report", "as_csv", "as_json", "known", "write_csv", "write_json"]

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
    plain = _plain(report.to_dict())
    return _encode(json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1))


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


def known(value: object) -> object:
    r"""Return a cell as any form can hold it.

    A number that is none becomes None; odd bytes of a file name that is no Unicode are spelt out.

    >>> known(float("nan")), known("\udcff.dcm")
    (None, '\\udcff.dcm')
    """
    if isinstance(value, str):
        return _encode(value).decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: object) -> object:
    told = known(value)
    return f"'{told}" if isinstance(told, str) and told.startswith(_FORMULA) else told


def _plain(value: Any) -> Any:
    """Return plain data without numbers that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _encode(text: str) -> bytes:
    """Return ``text`` as UTF-8; odd bytes of a file name that is no Unicode are spelt out."""
    return text.encode("utf-8", "backslashreplace")
