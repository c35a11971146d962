"""``ctiqa calibrate`` and ``ctiqa score --calibration``: from a score to a reader's grade."""

import csv
import json
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from ctiqa.card import Card
from ctiqa.cli import main
from ctiqa.scoring.columns import COLUMNS, READER_COLUMNS
from ctiqa.scoring.scorer import Scorer

WriteDicom = Callable[..., Path]

PATIENTS, IMAGES = 12, 5

# Mean of the HU in thousands plus a half.
NETWORK = """
<ir_version: 8, opset_import: ["" : 17]>
mean (float[N, 64, 64] hu) => (float[N, 1] scores)
<float thousandth = {0.001}, float half = {HALF}>
{
   mean = ReduceMean<axes = [1, 2], keepdims = 0>(hu)
   unit = Mul(mean, thousandth)
   last = Constant<value_ints = [1]>()
   column = Unsqueeze(unit, last)
   scores = Add(column, half)
}
"""


def write_model(path: Path, *, half: float = 0.5) -> Path:
    card = Card(name=path.stem, outputs=1, size=64, windows_hu=((2000.0, 0.0),))
    network = onnx.parser.parse_model(NETWORK.replace("HALF", str(half)))
    onnx.helper.set_model_props(network, {"ctiqa_card": card.to_json()})
    path.write_bytes(network.SerializeToString())
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "mean.onnx")


@pytest.fixture
def tables(tmp_path: Path, model: Path) -> tuple[Path, Path]:
    """Return scores as ``ctiqa score`` writes them, and the grades of two readers."""
    rng = np.random.default_rng(0)
    sha256 = Scorer(model).sha256
    scores, readers = [], []
    for number in range(PATIENTS * IMAGES):
        uid, score = f"1.2.{number}", float(rng.uniform(0.2, 0.9))
        row = dict.fromkeys(COLUMNS, "") | {"path": f"{number}.dcm", "sop_instance_uid": uid}
        scores.append(
            row
            | {"study_instance_uid": f"1.{number // IMAGES}", "score": score}
            | {"status": "ok", "model": "mean", "model_sha256": sha256}
        )
        for _ in range(2):
            grade = int(np.clip(np.rint(4 * score + rng.normal(0, 0.3)), 0, 4))
            patient = f"p{number // IMAGES}"
            readers.append({"sop_instance_uid": uid, "patient": patient, "reference": grade})
    return write(tmp_path / "scores.csv", scores), write(tmp_path / "readers.csv", readers)


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def ctiqa(*words: str | Path) -> Any:
    return CliRunner().invoke(main.app, [*map(str, words)])


@pytest.fixture
def scan(write_dicom: WriteDicom) -> Path:
    noise = np.random.default_rng(0).normal(0, 10, (64, 64))
    for number in range(3):
        path = write_dicom(f"scan/{number}.dcm", (1024 + noise + number).astype(np.int16))
    return path.parent


def test_two_tables_become_a_calibration_and_a_table_of_what_it_is_worth(
    tables: tuple[Path, Path], tmp_path: Path
) -> None:
    output = tmp_path / "calibration.json"
    shown = ctiqa("calibrate", *tables, "-o", output)
    assert shown.exit_code == 0, shown.stderr
    assert "60 images of 12 patients; grades 0 to 4; 10 folds by patient" in shown.stdout
    assert [re.split(r"\s{2,}", line)[0] for line in shown.stdout.splitlines()[2:-1:2]] == [
        "before: score",
        "constant",
        "straight line",
        "after: logistic",
    ]
    assert "Images were joined by sop_instance_uid." in shown.stderr
    plain = json.loads(output.read_text())
    assert plain["images"] == 60
    assert plain["cross_validated"]["logistic"]["mae"] < 0.5
    assert json.loads(ctiqa("calibrate", *tables, "-o", output, "--json").stdout) == plain


def test_a_calibrated_score_has_three_columns_more(
    tables: tuple[Path, Path], tmp_path: Path, scan: Path, model: Path
) -> None:
    calibration = tmp_path / "calibration.json"
    ctiqa("calibrate", *tables, "-o", calibration)
    shown = ctiqa("score", scan, "-m", model, "--calibration", calibration)
    assert shown.exit_code == 0, shown.stderr
    rows = list(csv.DictReader(StringIO(shown.stdout)))
    assert tuple(rows[0]) == (*COLUMNS, *READER_COLUMNS)
    for row in rows:
        low, value, high = (float(row[f"reader_{name}"]) for name in ("low", "score", "high"))
        assert 0 <= low < value < high <= 4
        assert value == pytest.approx(4 * float(row["score"]), abs=0.4)
    assert "Readers' grades, 0 to 4, as 60 images of 12 patients were graded" in shown.stderr
    data = json.loads(
        ctiqa("score", scan, "-m", model, "--calibration", calibration, "--json").stdout
    )
    assert data["calibration"]["images"] == 60
    assert data["slices"][0]["reader_score"] == float(rows[0]["reader_score"])


def test_without_a_calibration_no_output_looks_like_a_readers_grade(
    scan: Path, model: Path, tmp_path: Path
) -> None:
    table, data = tmp_path / "scores.csv", tmp_path / "scores.json"
    shown = [ctiqa("score", scan, "-m", model, "-o", path) for path in (table, data)]
    texts = [table.read_text(), data.read_text(), *(each.stderr for each in shown)]
    assert not any(re.search("reader|grade|likert", text, re.IGNORECASE) for text in texts)
    rows = rows_of(table)
    assert tuple(rows[0]) == COLUMNS
    assert all(0 <= float(row["score"]) <= 1 for row in rows)
    plain = json.loads(data.read_text())
    assert plain["score_range"] == [0, 1]
    scores = [value for one in plain["series"] for key, value in one.items() if "score_" in key]
    assert all(0 <= score <= 1 for score in scores)


def test_scores_beyond_those_of_the_graded_images_are_named_guesses(
    tables: tuple[Path, Path], tmp_path: Path, scan: Path, write_dicom: WriteDicom, model: Path
) -> None:
    calibration = tmp_path / "calibration.json"
    ctiqa("calibrate", *tables, "-o", calibration)
    bright = np.full((64, 64), 1500, np.int16)
    bright[0, 0] = 0
    write_dicom("scan/bright.dcm", bright)
    shown = ctiqa("score", scan, "-m", model, "--calibration", calibration)
    assert "1 of 4 scores lie outside those of the graded images" in shown.stderr


def test_a_calibration_of_another_model_is_refused_before_any_work(
    tables: tuple[Path, Path], tmp_path: Path, scan: Path
) -> None:
    calibration = tmp_path / "calibration.json"
    ctiqa("calibrate", *tables, "-o", calibration)
    other = write_model(tmp_path / "other.onnx", half=0.4)
    shown = ctiqa("score", scan, "-m", other, "--calibration", calibration)
    assert (shown.exit_code, shown.stdout) == (1, "")
    (sentence,) = shown.stderr.splitlines()
    assert "was made with the model mean" in sentence


def test_a_table_may_name_images_by_path_and_leave_the_patients_to_the_studies(
    tables: tuple[Path, Path], tmp_path: Path
) -> None:
    scores, readers = tables
    path_of = {row["sop_instance_uid"]: row["path"] for row in rows_of(scores)}
    rows = [
        {"path": path_of[row["sop_instance_uid"]], "reference": row["reference"]}
        for row in rows_of(readers)
    ]
    write(readers, rows)
    shown = ctiqa("calibrate", scores, readers, "-o", tmp_path / "c.json")
    assert shown.exit_code == 0
    assert "joined by path" in shown.stderr
    assert "each study counts as one" in shown.stderr
    assert "12 patients" in shown.stdout


def test_lines_without_a_partner_are_named_and_make_the_exit_code_1(
    tables: tuple[Path, Path], tmp_path: Path
) -> None:
    scores, readers = tables
    with readers.open("a") as file:
        file.write("9.9,p0,3\n1.2.0,p0,good\n")
    shown = ctiqa("calibrate", scores, readers, "-o", tmp_path / "c.json")
    assert shown.exit_code == 1
    assert "left out: readers.csv, line 122: there is no score of 9.9" in shown.stderr
    assert "line 123: reference is 'good', which is no number" in shown.stderr
    assert (tmp_path / "c.json").exists()


def change(path: Path, **columns: str | None) -> None:
    """Give every line these cells; a column given as None is dropped."""
    rows = [row | columns for row in rows_of(path)]
    write(path, [{name: cell for name, cell in row.items() if cell is not None} for row in rows])


@pytest.mark.parametrize(
    ("which", "columns", "words"),
    [
        (1, {"sop_instance_uid": "7"}, "no image of .* has a score in"),
        (1, {"sop_instance_uid": None}, "does not name its images"),
        (1, {"reference": None}, "has no column reference"),
        (1, {"patient": "one"}, "60 graded images of 1 patients are too few"),
        (1, {"reference": "7"}, "a reader's grade is 7, but the scale goes from 0 to 4"),
        (0, {"model_sha256": None}, "has no column model_sha256"),
        (0, {"model_sha256": ""}, "does not say which model scored"),
        (0, {"score": ""}, "no image of .* has a score in"),
        (0, {"sop_instance_uid": "1.2.0"}, "has two scores"),
    ],
)
def test_tables_that_do_not_fit_are_refused_in_one_sentence(
    tables: tuple[Path, Path], tmp_path: Path, which: int, columns: dict[str, Any], words: str
) -> None:
    change(tables[which], **columns)
    shown = ctiqa("calibrate", *tables, "-o", tmp_path / "c.json")
    assert (shown.exit_code, shown.stdout) == (1, "")
    (sentence,) = shown.stderr.splitlines()
    assert re.search(words, sentence), sentence
    assert not (tmp_path / "c.json").exists()


def test_scores_of_two_models_are_refused(tables: tuple[Path, Path], tmp_path: Path) -> None:
    rows = rows_of(tables[0])
    rows[0]["model_sha256"] = "b" * 64
    write(tables[0], rows)
    shown = ctiqa("calibrate", *tables, "-o", tmp_path / "c.json")
    assert "holds scores of several models" in shown.stderr


@pytest.mark.parametrize("words", [["-o", "c.csv"], ["-o", "c.json", "--scale", "4", "0"], []])
def test_a_wrong_call_has_exit_code_2(tables: tuple[Path, Path], words: list[str]) -> None:
    assert ctiqa("calibrate", *tables, *words).exit_code == 2
