"""What a table of evidence accepts, and what a CSV may hold."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiqa.errors import TableError
from ctiqa.study.evidence import EvidenceTable, read_evidence

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_table(text: str) -> Path:
        path = tmp_path / "scores.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write_table


def test_every_known_column_is_read_whatever_its_order(write: Write) -> None:
    path = write(
        "slice,kernel,dose,noise_hu,reference,patient,score\n"
        "s1,B30f,1,10.5,0.9,a,0.8\n"
        "s1,B30f,0.5,,0.7,a,0.6\n"
    )
    table, refused = read_evidence(path)
    assert refused == ()
    assert table.score.tolist() == [0.8, 0.6]
    assert table.reference.tolist() == [0.9, 0.7]
    assert table.dose is not None
    assert table.dose.tolist() == [1, 0.5]
    assert table.noise_hu is not None
    assert table.noise_hu[0] == 10.5
    assert math.isnan(table.noise_hu[1])
    assert table.patients == ["a"]
    assert table.slice_id is not None
    assert table.slice_id.tolist() == ["s1", "s1"]


def test_what_is_not_in_the_table_is_none(write: Write) -> None:
    table = read_evidence(write("score,reference\n0.1,0.2\n")).table
    assert (table.patient, table.dose, table.noise_hu, table.slice_id) == (None,) * 4
    assert table.patients == []


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_dialects_of_spreadsheets_are_read_alike(
    tmp_path: Path, separator: str, end: str, mark: str
) -> None:
    rows = ['"Score"', "Reference "], ["0.25", '"0.5"'], ["", ""], [" 1e-1", "0.75"]
    path = tmp_path / "sheet.csv"
    path.write_bytes((mark + end.join(separator.join(row) for row in rows)).encode())
    table, refused = read_evidence(path)
    assert refused == ()
    assert table.score.tolist() == [0.25, 0.1]
    assert table.reference.tolist() == [0.5, 0.75]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("abc,0.5,a,1", "score is 'abc', which is no usable number"),
        (",0.5,a,1", "score is blank"),
        ("0.5,nan,a,1", "reference is 'nan'"),
        ("inf,0.5,a,1", "score is 'inf'"),
        ("1e300,0.5,a,1", "score is '1e300'"),
        ("0.5,0.5,,1", "patient is blank"),
        ("0.5,0.5,a,0", "dose is 0 and must be positive"),
        ("0.5,0.5,a,", "dose is blank"),
        ("0,5,0,5,a,1", "it has 6 cells under 4 columns"),
        ("0.5", "it has 1 cells under 4 columns"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_the_rest_goes_on(
    write: Write, line: str, reason: str
) -> None:
    path = write(f"score,reference,patient,dose\n0.1,0.2,a,1\n{line}\n0.3,0.4,b,1\n")
    table, refused = read_evidence(path)
    assert table.score.tolist() == [0.1, 0.3]
    (sentence,) = refused
    assert sentence.startswith("scores.csv, line 3: ")
    assert reason in sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no column score and no column reference"),
        ("score,dose\n1,1\n", "has no column reference; its first line must name the columns"),
        ("score,reference,score\n1,1,1\n", "has 2 columns score; keep one of them"),
        ("score,reference\n", "holds no usable line; give it one line for each image"),
        ("score,reference\nx,1\n", "holds no usable line (scores.csv, line 2: score is 'x'"),
        ('score,reference\n"' + "9" * 200_000 + '",1\n', "is not CSV"),
    ],
)
def test_a_table_without_use_is_refused_in_one_sentence(
    write: Write, text: str, sentence: str
) -> None:
    with pytest.raises(TableError) as refusal:
        read_evidence(write(text))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="No such file"):
        read_evidence(tmp_path / "absent.csv")
    picture = tmp_path / "picture.csv"
    picture.write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(TableError, match="is not UTF-8 text"):
        read_evidence(picture)


@given(st.binary(max_size=200))
def test_whatever_bytes_a_file_holds_only_a_table_error_leaves(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "any.csv"
    path.write_bytes(b"score,reference\n0.5,0.5\n" + content)
    try:
        reading = read_evidence(path)
    except TableError:
        return
    assert np.isfinite(reading.table.score).all()


def test_training_images_need_no_score(write: Write) -> None:
    path = write("reference,noise_hu,dose\n0.5,10,1\n0.25,20,0.25\n")
    known = read_evidence(path, need_score=False).table.as_training()
    assert known.reference.tolist() == [0.5, 0.25]
    assert known.noise_hu is not None
    assert known.noise_hu.tolist() == [10, 20]
    with pytest.raises(TableError, match="no column score"):
        read_evidence(path)


@pytest.mark.parametrize(
    "columns",
    [
        {"score": []},
        {"dose": [1.0]},
        {"rivals": {"other": np.array([1.0])}},
        {"score": [math.nan, 1.0]},
        {"dose": [math.inf, 1.0]},
    ],
)
def test_columns_that_break_the_rules_of_the_table_are_refused(columns: dict[str, object]) -> None:
    whole: dict[str, object] = {"score": [0.1, 0.2], "reference": [0.1, 0.2]} | columns
    arrays = {
        name: np.array(column, float) if isinstance(column, list) else column
        for name, column in whole.items()
    }
    with pytest.raises(ValueError, match="table of evidence"):
        EvidenceTable(**arrays)
