"""A table and a JSON file hold what was measured, slice by slice, series and exam."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest

from ctiqa.images.ct_slice import Acquisition, Identity
from ctiqa.outputs.tables import as_csv, as_json, write_csv, write_json
from ctiqa.protocol.measured import COLUMNS, Measured, MeasureReport


@pytest.fixture
def report() -> MeasureReport:
    one = Measured(
        level="slice",
        identity=Identity("a.dcm", "1", "1.1", "1.1.1", 7),
        figures={"noise_hu": 12.25},
        acquisition=Acquisition(kernel="=B30f"),
        reasons=("first", "second"),
    )
    series = Measured(level="series", identity=Identity("", "1", "1.1"), slices=1)
    exam = Measured(level="exam", identity=Identity("", "1"), slices=1)
    return MeasureReport(slices=(one,), series=(series,), exams=(exam,))


def test_the_table_has_a_row_for_each_slice_series_and_exam(report: MeasureReport) -> None:
    rows = list(csv.DictReader(StringIO(as_csv(report).decode())))
    assert [row["level"] for row in rows] == ["slice", "series", "exam"]
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["noise_hu"] == "12.25"
    assert rows[0]["reasons"] == "first; second"
    assert rows[0]["ctdivol_mgy"] == ""


def test_no_cell_is_run_by_a_spreadsheet(report: MeasureReport) -> None:
    assert b"'=B30f" in as_csv(report)


def test_json_holds_the_same_with_null_for_what_is_unknown(report: MeasureReport) -> None:
    data = json.loads(as_json(report))
    assert data["schema_version"] == 1
    (one,) = data["slices"]
    assert one["noise_hu"] == 12.25
    assert one["ctdivol_mgy"] is None
    assert one["reasons"] == ["first", "second"]


def test_files_hold_what_is_printed(report: MeasureReport, tmp_path: Path) -> None:
    write_csv(report, tmp_path / "m.csv")
    write_json(report, tmp_path / "m.json")
    assert (tmp_path / "m.csv").read_bytes() == as_csv(report)
    assert (tmp_path / "m.json").read_bytes() == as_json(report) + b"\n"
