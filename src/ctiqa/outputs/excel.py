"""Write results as an Excel workbook: slices, series, and what they are about."""

import re
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from ctiqa.errors import WriteError
from ctiqa.outputs.sheet import sheets_of
from ctiqa.outputs.tables import Report

__all__ = ["as_excel"]

_MOST_ROWS = 1_048_576
"""That a sheet holds, the header among them (ECMA-376)."""

# XML 1.0 has no other control characters than tab, line feed and carriage return.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_WIDEST = 40


def as_excel(report: Report) -> bytes:
    """Return the sheets of a report and one more, "about", as a workbook; unknown cells are empty.

    Every text is marked as one, as Excel does with what is typed after an apostrophe: a formula
    in a foreign header is shown and never run.

    Raises:
        WriteError: if a sheet has more rows than Excel reads.
    """
    from openpyxl import Workbook  # noqa: PLC0415  # an extra, and slow to import

    sheets = sheets_of(report)
    for title, sheet in sheets.items():
        if len(sheet.rows) >= _MOST_ROWS:
            raise WriteError(
                f"a sheet of Excel holds {_MOST_ROWS} rows and there are more {title}, so nothing "
                "was written; choose .parquet or .csv"
            )
    book = Workbook(write_only=True)
    for title, sheet in sheets.items():
        _add(book, title, sheet.columns, sheet.rows)
    about = next(iter(sheets.values())).about
    _add(book, "about", ("what", "is"), about.items())
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def _add(book: Any, title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Add a sheet whose header row stays in view."""
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    page = book.create_sheet(title)
    page.freeze_panes = "A2"
    for number, name in enumerate(columns, start=1):
        page.column_dimensions[get_column_letter(number)].width = min(len(name) + 4, _WIDEST)
    page.append([_cell(page, name, bold=True) for name in columns])
    for row in rows:
        page.append([_cell(page, value) for value in row])


def _cell(page: Any, value: object, *, bold: bool = False) -> Any:
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415
    from openpyxl.styles import Font  # noqa: PLC0415

    if value is None or value == "":
        return None
    if not isinstance(value, str):
        # openpyxl would round to 16 digits.
        cell = WriteOnlyCell(page, repr(value))
        cell.data_type = "n"
        return cell
    cell = WriteOnlyCell(page, _NOT_IN_XML.sub(_spelt_out, value))
    # Otherwise "=1+1" would be a formula and "#N/A" an error.
    cell.data_type = "s"
    cell.quotePrefix = True
    if bold:
        cell.font = Font(bold=True)
    return cell


def _spelt_out(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"
