"""CSV, JSON, Parquet and Excel say the same, to the last digit, and nothing in them is run."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from ctiqa.card import Card
from ctiqa.errors import CtiqaError, WriteError
from ctiqa.images.ct_slice import Acquisition, Identity
from ctiqa.outputs import excel, forms
from ctiqa.outputs.forms import FORMS, check_installed, write_report
from ctiqa.outputs.sheet import kinds_of, series_of, sheets_of, table_of
from ctiqa.outputs.tables import Report
from ctiqa.protocol import measured
from ctiqa.protocol.measured import Measured, MeasureReport
from ctiqa.scoring.columns import COLUMNS
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

Rows = list[dict[str, Any]]


@pytest.fixture
def scores() -> ScoreReport:
    rows = (
        SliceResult(
            path="Körper/日本.dcm",
            study_instance_uid="1.1",
            series_instance_uid="1.2",
            instance_number=7,
            z_mm=-12.5,
            score=0.1 + 0.2,
            noise_hu=float("nan"),
            status="ok",
            kernel='B30f, "weich"\nsecond line',
            model="mean",
            patient_hash="0123456789abcdef",
        ),
        SliceResult(
            path=b"\xff\x01.dcm".decode("utf-8", "surrogateescape"),
            study_instance_uid="1.1",
            series_instance_uid="1.2",
            score=2 / 3,
            status="caution",
            reasons=("first", "second"),
            patient_hash="",
        ),
        SliceResult(path="b.dcm", status="not_scored", reasons=("odd",), patient_hash=""),
    )
    card = Card(name="mean", outputs=1, windows_hu=((2000.0, 0.0),))
    series = (SeriesSummary.of(rows[:2], notes=("tilted",)), SeriesSummary.of(rows[2:]))
    return ScoreReport(slices=rows, series=series, card=card, model_sha256="ab" * 32)


@pytest.fixture
def measurements() -> MeasureReport:
    one = Measured(
        level="slice",
        identity=Identity("a.dcm", "1", "1.1", "1.1.1", 7),
        figures={"noise_hu": 0.1 + 0.2},
        acquisition=Acquisition(kernel="B30f", kvp=120),
    )
    series = Measured(level="series", identity=Identity("", "1", "1.1"))
    exam = Measured(level="exam", identity=Identity("", "1"))
    return MeasureReport(slices=(one,), series=(series,), exams=(exam,))


def from_csv(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def from_parquet(path: Path) -> Rows:
    rows: Rows = parquet.read_table(path).to_pylist()
    return rows


def from_excel(path: Path, *titles: str) -> Rows:
    book = openpyxl.load_workbook(path)
    found = []
    for title in titles:
        header, *rows = book[title].iter_rows(values_only=True)
        told = ([back(cell) for cell in row] for row in rows)
        found += [dict(zip(header, row, strict=True)) for row in told]
    return found


def back(cell: Any) -> Any:
    """Return a cell with the character that XML cannot hold, and Excel therefore spells out."""
    return cell.replace(r"\x01", "\x01") if isinstance(cell, str) else cell


def alike(value: Any, other: Any) -> bool:
    """Return whether two cells say the same: unknown is "" or None, a CSV knows only text."""
    if value in ("", None) or other in ("", None):
        return value in ("", None) and other in ("", None)
    if isinstance(value, float | int):
        return float(other) == value
    return str(other) == value


def same(expected: Rows, found: Rows) -> None:
    assert len(found) == len(expected)
    for row, other in zip(expected, found, strict=True):
        assert set(row) == set(other)
        assert {
            name: (row[name], other[name]) for name in row if not alike(row[name], other[name])
        } == {}


def test_every_form_of_a_table_says_the_same(scores: ScoreReport, tmp_path: Path) -> None:
    for suffix in FORMS:
        write_report(scores, tmp_path / f"scores{suffix}")
    rows = json.loads((tmp_path / "scores.json").read_text("utf-8"))["slices"]
    expected = [
        {name: row[name] for name in scores.columns}
        | {"reasons": "; ".join(row["reasons"]), "path": spelt_out(row["path"])}
        for row in rows
    ]
    assert expected[0]["score"] == 0.1 + 0.2
    assert expected[0]["noise_hu"] is None
    same(expected, from_parquet(tmp_path / "scores.parquet"))
    same(expected, from_excel(tmp_path / "scores.xlsx", "slices"))
    same(expected, from_csv(tmp_path / "scores.csv"))


def spelt_out(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def test_every_form_of_a_table_of_series_says_the_same(scores: ScoreReport, tmp_path: Path) -> None:
    series = series_of(scores)
    for suffix in FORMS:
        write_report(series, tmp_path / f"series{suffix}")
    rows = json.loads((tmp_path / "series.json").read_text("utf-8"))["rows"]
    assert rows[0]["worst_score"] == 0.1 + 0.2
    assert rows[0]["best_score"] == 2 / 3
    assert rows[0]["notes"] == "tilted"
    assert rows[1]["score_median"] is None
    same(rows, from_parquet(tmp_path / "series.parquet"))
    same(rows, from_excel(tmp_path / "series.xlsx", "series"))
    same(rows, from_csv(tmp_path / "series.csv"))


def test_every_form_of_measurements_says_the_same(
    measurements: MeasureReport, tmp_path: Path
) -> None:
    for suffix in FORMS:
        write_report(measurements, tmp_path / f"m{suffix}")
    data = json.loads((tmp_path / "m.json").read_text("utf-8"))
    expected = [
        {name: row[name] for name in measured.COLUMNS} | {"reasons": "; ".join(row["reasons"])}
        for title in ("slices", "series", "exams")
        for row in data[title]
    ]
    assert expected[0]["noise_hu"] == 0.1 + 0.2
    same(expected, from_parquet(tmp_path / "m.parquet"))
    same(expected, from_excel(tmp_path / "m.xlsx", "slices", "series", "exams"))
    same(expected, from_csv(tmp_path / "m.csv"))


def test_a_series_joins_its_slices_on_the_uids(scores: ScoreReport) -> None:
    names = ("study_instance_uid", "series_instance_uid")
    slices, series = table_of(scores), series_of(scores)
    places = [(table, [table.columns.index(name) for name in names]) for table in (slices, series)]
    keys = [{tuple(row[place] for place in at) for row in table.rows} for table, at in places]
    assert keys[0] == keys[1]


def test_a_column_of_parquet_has_its_type_even_where_nothing_is_known(tmp_path: Path) -> None:
    card = Card(name="mean", outputs=1, windows_hu=((2000.0, 0.0),))
    empty = ScoreReport(
        slices=(SliceResult(path="a", status="not_scored"),), series=(), card=card, model_sha256=""
    )
    write_report(empty, tmp_path / "a.parquet")
    schema = parquet.read_table(tmp_path / "a.parquet").schema
    assert schema.names == list(COLUMNS)
    types = {name: schema.field(name).type for name in ("path", "score", "instance_number", "kvp")}
    assert list(types.values()) == [pa.string(), pa.float64(), pa.int64(), pa.float64()]
    about = json.loads(schema.metadata[b"ctiqa"])
    assert about["meaning"] == "score in [0, 1], higher is better"


@pytest.mark.parametrize("report", [ScoreReport, MeasureReport])
def test_every_column_has_a_kind(report: type[ScoreReport] | type[MeasureReport]) -> None:
    columns = COLUMNS if report is ScoreReport else measured.COLUMNS
    assert set(columns) <= set(kinds_of(report))


@pytest.mark.parametrize("word", ["=1+1", "+1", "-1", "@SUM(A1)", "#N/A", "=cmd|' /C calc'!A0"])
def test_no_word_of_a_header_is_run_or_changed_by_excel(
    scores: ScoreReport, tmp_path: Path, word: str
) -> None:
    rows = (SliceResult(path="a.dcm", status="ok", manufacturer=word),)
    foreign = ScoreReport(slices=rows, series=(), card=scores.card, model_sha256="")
    write_report(foreign, tmp_path / "a.xlsx")
    page = openpyxl.load_workbook(tmp_path / "a.xlsx")["slices"]
    (cell,) = (one for one in page[2] if one.value == word)
    assert (cell.data_type, cell.quotePrefix) == ("s", True)


def test_a_workbook_says_what_it_is_about_and_keeps_its_header_in_view(
    scores: ScoreReport, tmp_path: Path
) -> None:
    write_report(scores, tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["slices", "series", "about"]
    assert [page.freeze_panes for page in book] == ["A2", "A2", "A2"]
    about = dict(book["about"].iter_rows(min_row=2, values_only=True))
    assert about["model"] == "mean"
    assert about["model_sha256"] == "ab" * 32
    assert {"meaning", "ctiqa", "written", "step"} < set(about)


def test_more_rows_than_excel_holds_are_refused(
    scores: ScoreReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excel, "_MOST_ROWS", 3)
    with pytest.raises(WriteError, match=r"holds 3 rows and there are more slices.*\.parquet"):
        write_report(scores, tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_form_that_lacks_its_package_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(forms, "find_spec", lambda _name: None)
    with pytest.raises(CtiqaError, match=r"pyarrow: pip install 'ctiqa\[table\]', or write \.csv"):
        check_installed(tmp_path / "a.PARQUET")
    check_installed(tmp_path / "a.csv")


def test_a_report_that_nobody_described_has_no_sheet() -> None:
    class Foreign:
        columns = ("a",)
        table: Callable[[], list[list[object]]] = list
        to_dict: Callable[[], dict[str, Any]] = dict

    foreign: Report = Foreign()
    with pytest.raises(TypeError, match="Foreign has no sheet"):
        sheets_of(foreign)


def test_a_number_that_is_none_is_unknown_everywhere(scores: ScoreReport, tmp_path: Path) -> None:
    assert math.isnan(scores.slices[0].noise_hu or 0.0)
    write_report(scores, tmp_path / "a.csv")
    write_report(scores, tmp_path / "a.json")
    assert from_csv(tmp_path / "a.csv")[0]["noise_hu"] == ""
    assert "NaN" not in (tmp_path / "a.json").read_text("utf-8")
