"""``ctiqa dose-curve``: table, picture and words, and one sentence for what went wrong."""

import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from ctiqa.cli import main
from ctiqa.images.phantom import write_phantom_series
from ctiqa.protocol.dose_result import ASSUMPTIONS, COLUMNS

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dose") / "scan"
    write_phantom_series(folder, slices=3)
    return folder


@pytest.fixture
def run() -> Run:
    return lambda *words: CliRunner().invoke(main.app, ["dose-curve", *map(str, words)])


def test_a_scan_becomes_a_table_a_picture_and_an_answer(
    run: Run, scan: Path, tmp_path: Path
) -> None:
    done = run(scan, "--dose", 0.25, "--keep", 0.9, "--picture", tmp_path / "curve.png")
    assert done.exit_code == 0, done.stderr
    rows = list(csv.DictReader(StringIO(done.stdout)))
    assert tuple(rows[0]) == COLUMNS
    # The full dose is what everything is compared with, so it is always there.
    assert [float(row["dose_fraction"]) for row in rows] == [1.0, 0.25]
    assert float(rows[0]["score"]) > float(rows[1]["score"])
    assert "90 % of the full-dose score" in done.stderr
    assert "noise law: measured noise is" in done.stderr
    assert all(words in done.stderr for words in ASSUMPTIONS)
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.format == "PNG"


def test_json_holds_the_assumptions_the_goal_and_a_lowest_dose(
    run: Run, scan: Path, tmp_path: Path
) -> None:
    done = run(scan, "--dose", 0.5, "--at-least", 0.99, "-o", tmp_path / "curve.json", "-q")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    data = json.loads((tmp_path / "curve.json").read_text("utf-8"))
    assert data["schema_version"] == 1
    assert data["assumptions"] == list(ASSUMPTIONS)
    assert data["goal"] == {"value": 0.99, "relative": False}
    (curve,) = data["curves"]
    lowest = curve["lowest_dose"]
    # No scan with noise scores 0.99, not even at full dose; JSON knows no infinity.
    assert (lowest["dose_fraction"], lowest["at_least"], lowest["at_most"]) == (None, 1.0, None)


def test_a_series_that_is_too_short_ends_with_one_sentence_and_exit_code_1(
    run: Run, scan: Path
) -> None:
    done = run(scan, "--step", 2, "--dose", 0.5)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "needs 3 slices that can be scored, and of the 2 taken" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_without_ct_ends_with_one_sentence_and_exit_code_1(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    done = run(tmp_path)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no series could be drawn against dose" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--dose=0",),
        ("--dose=1.5",),
        ("--dose=nan",),
        ("--keep=0",),
        ("--at-least=1.1",),
        ("--keep=0.9", "--at-least=0.5"),
        ("-o", "curve.xlsx"),
        ("--picture", "curve.jpg"),
        ("--step=0",),
    ],
)
def test_an_impossible_wish_is_a_wrong_call(words: tuple[str, ...], run: Run, scan: Path) -> None:
    assert run(scan, *words).exit_code == 2


def test_a_picture_without_pillow_is_refused_before_the_work(
    run: Run, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    done = run(scan, "--picture", tmp_path / "curve.png")
    assert done.exit_code == 1
    assert "pip install 'ctiqa[picture]'" in done.stderr
