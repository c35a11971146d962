"""Write results as Parquet, every column of one type."""

import json
from io import BytesIO

from ctiqa.outputs.sheet import Kind, table_of
from ctiqa.outputs.tables import Report

__all__ = ["as_parquet"]

_TYPES: dict[Kind, str] = {str: "string", int: "int64", float: "float64"}


def as_parquet(report: Report) -> bytes:
    """Return the table as Parquet; unknown numbers are null.

    Types do not depend on what was found, so that the files of many runs are read as one table.
    The metadata of the file's schema say under ``ctiqa``, as JSON, what it is about.
    """
    import pyarrow as pa  # noqa: PLC0415  # an extra, and slow to import
    from pyarrow import parquet  # noqa: PLC0415

    sheet = table_of(report)
    schema = pa.schema(
        [(name, pa.type_for_alias(_TYPES[kind])) for name, kind in sheet.kinds.items()],
        metadata={"ctiqa": json.dumps(dict(sheet.about))},
    )
    rows = [dict(zip(sheet.kinds, row, strict=True)) for row in sheet.rows]
    file = BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), file)
    return file.getvalue()
