"""Write results in the form that a file's name asks for."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ctiqa.errors import CtiqaError
from ctiqa.files import write_whole
from ctiqa.outputs.excel import as_excel
from ctiqa.outputs.parquet import as_parquet
from ctiqa.outputs.tables import Report, as_csv, as_json

__all__ = ["FORMS", "Form", "check_installed", "write_report"]


class Form(NamedTuple):
    """How a report becomes bytes, and the package that this takes, "" for none."""

    make: Callable[[Report], bytes]
    package: str = ""


FORMS: Mapping[str, Form] = {
    ".csv": Form(as_csv),
    ".json": Form(lambda report: as_json(report) + b"\n"),
    ".parquet": Form(as_parquet, "pyarrow"),
    ".xlsx": Form(as_excel, "openpyxl"),
}
"""By the suffix of a file's name, in lower case."""


def check_installed(path: Path) -> None:
    """Refuse a form that lacks its package, before the work and not after it.

    Raises:
        CtiqaError: naming the extra.
    """
    suffix = path.suffix.lower()
    package = FORMS[suffix].package
    if package and find_spec(package) is None:
        raise CtiqaError(
            f"{path}: a {suffix} file needs {package}: pip install 'ctiqa[table]', or write .csv"
        )


def write_report(report: Report, path: Path) -> None:
    """Write a report, its form told by the suffix, which is one of :data:`FORMS`.

    Raises:
        CtiqaError: if the form lacks its package.
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    check_installed(path)
    write_whole(path, FORMS[path.suffix.lower()].make(report))
