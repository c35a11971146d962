"""Write measurements as a table (CSV) or as data (JSON)."""

from pathlib import Path

from ctiqa.files import write_whole
from ctiqa.outputs.tables import plain_json, table_csv
from ctiqa.protocol.measured import COLUMNS, MeasureReport

__all__ = ["as_csv", "as_json", "write_csv", "write_json"]


def as_csv(report: MeasureReport) -> bytes:
    """Return one row for each slice, then each series, then each exam; unknown values empty."""
    return table_csv(COLUMNS, (each.row().values() for each in report.rows))


def as_json(report: MeasureReport) -> bytes:
    """Return the whole report as JSON, noise power spectra included; unknown values are null."""
    return plain_json(report.to_dict())


def write_csv(report: MeasureReport, path: Path | str) -> None:
    """Write the table, as :func:`as_csv` has it.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    write_whole(Path(path), as_csv(report))


def write_json(report: MeasureReport, path: Path | str) -> None:
    """Write the whole report as JSON, as :func:`as_json` has it.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    write_whole(Path(path), as_json(report) + b"\n")
