"""A calibration predicts patients it does not know, and says how well."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from ctiqa.errors import ModelError, TableError
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.monotone import Logistic
from ctiqa.scoring import calibrate as calibrating
from ctiqa.scoring.calibrate import Graded, Kind
from ctiqa.scoring.calibration import Calibration
from ctiqa.scoring.columns import COLUMNS, READER_COLUMNS
from ctiqa.scoring.predict import Scorer, score

CURVE = Logistic(low=0.3, high=3.8, mid=0.5, width=0.12)

calibrate = partial(calibrating.calibrate, n_boot=20)


def graded(
    patients: int = 20, images: int = 10, *, spread: float = 0.25, seed: int = 0, sign: int = 1
) -> Graded:
    """Return images whose grades follow a logistic, each patient a little above or below it."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0, 1, patients * images)
    own = rng.normal(0, spread, patients).repeat(images)
    error = rng.normal(0, spread, score.size)
    grade = np.clip(CURVE(score) + own + error, 0, 4)
    patient = np.arange(patients).repeat(images).astype(str)
    return Graded(sign * score, grade, patient, "mean", "a" * 64)


@pytest.mark.parametrize("kind", ["logistic", "isotonic"])
def test_the_map_is_found_and_rises(kind: Kind) -> None:
    made = calibrate(graded(patients=40, images=25), kind=kind)
    scores = np.linspace(0.05, 0.95, 40)
    grades = [made.reader(score) for score in scores]
    assert [one.value for one in grades] == pytest.approx(CURVE(scores), abs=0.25)
    assert (np.diff([one.value for one in grades]) >= 0).all()
    assert all(0 <= one.low <= one.value <= one.high <= 4 for one in grades)


def test_figures_get_better_by_the_map_and_stand_beside_a_mean_and_a_line() -> None:
    figures = calibrate(graded()).figures
    assert list(figures) == ["score", "constant", "straight line", "logistic"]
    # A bare score is on no reader's scale.
    assert figures["score"]["mae"] is None
    assert figures["score"]["kappa"] is None
    plcc, mae, kappa = (
        {name: cast("float", each[key]) for name, each in figures.items() if each[key] is not None}
        for key in ("plcc", "mae", "kappa")
    )
    assert plcc["logistic"] > plcc["score"]
    assert mae["logistic"] < mae["straight line"] < mae["constant"]
    assert kappa["logistic"] > kappa["straight line"] > kappa["constant"]
    assert cast("float", figures["logistic"]["plcc_low"]) < plcc["logistic"]


def test_nobody_is_predicted_by_a_map_that_knew_him() -> None:
    # Of noise alone, isotonic regression would find something in what it was fitted on.
    rng = np.random.default_rng(3)
    images = graded()
    noise = Graded(
        rng.uniform(0, 1, len(images)), images.reference, images.patient, "mean", "a" * 64
    )
    if np.corrcoef(noise.score, noise.reference)[0, 1] < 0:
        noise = Graded(-noise.score, noise.reference, noise.patient, "mean", "a" * 64)
    figures = calibrate(noise, kind="isotonic").figures
    assert cast("float", figures["isotonic"]["mae"]) >= 0.98 * cast(
        "float", figures["constant"]["mae"]
    )


def test_the_interval_holds_nine_of_ten_grades_of_new_patients() -> None:
    held = []
    for seed in range(20):
        made = calibrate(graded(patients=20, images=5, seed=seed), n_boot=1)
        new = graded(patients=20, images=5, seed=1000 + seed)
        ends = [made.reader(score) for score in new.score]
        held += [
            low <= grade <= high for (_, low, high), grade in zip(ends, new.reference, strict=True)
        ]
    assert 0.87 < np.mean(held) < 0.97


def test_too_few_are_refused_unless_forced() -> None:
    for images in (graded(patients=9, images=20), graded(patients=12, images=4)):
        with pytest.raises(TableError, match="have at least 50 of 10 graded, or give --force"):
            calibrate(images)
        assert "Forced on" in calibrate(images, force=True).notes[0]
    with pytest.raises(TableError, match="one patient"):
        calibrate(graded(patients=1, images=60), force=True)


def test_of_too_few_patients_the_interval_is_the_whole_scale() -> None:
    made = calibrate(graded(patients=5), force=True)
    assert math.isinf(made.half_width)
    assert made.reader(0.5)[1:] == (0, 4)
    assert "the whole scale" in made.notes[-1]


def test_scores_that_do_not_rise_with_the_grades_are_refused() -> None:
    with pytest.raises(TableError, match="do not rise with the readers' grades"):
        calibrate(graded(sign=-1), force=True)
    flat = graded()
    flat.reference[:] = 3
    with pytest.raises(TableError, match="the same number"):
        calibrate(flat)


def test_grades_off_the_scale_are_refused() -> None:
    images = graded()
    images.reference[0] = 5
    with pytest.raises(TableError, match="a reader's grade is 5, but the scale goes from 0 to 4"):
        calibrate(images)
    assert calibrate(images, scale=(0, 5)).reader(1).high <= 5


@pytest.mark.parametrize(
    ("kind", "patients"), [("logistic", 20), ("isotonic", 20), ("logistic", 4)]
)
def test_a_calibration_is_read_as_it_was_written(tmp_path: Path, kind: Kind, patients: int) -> None:
    made = calibrate(graded(patients), kind=kind, force=True)
    path = tmp_path / "calibration.json"
    made.write(path)
    again = Calibration.read(path)
    assert again.to_dict() == made.to_dict()
    assert again.reader(0.4) == made.reader(0.4)
    plain = json.loads(path.read_text())
    assert plain["schema_version"] == 1
    assert plain["model"] == {"name": "mean", "sha256": "a" * 64}
    assert (plain["images"], plain["patients"]) == (10 * patients, patients)


def damaged(**changes: Any) -> str:
    return json.dumps(calibrate(graded()).to_dict() | changes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no calibration, or a damaged one"),
        ("[]", "is no calibration, or a damaged one"),
        (damaged(schema_version=9), "has schema_version 9"),
        (damaged(map={"kind": "cubic"}), "is no calibration, or a damaged one"),
        (damaged(map={"kind": "isotonic", "at": [1, 0], "value": [0, 1]}), "damaged"),
        (damaged(map={"kind": "isotonic", "at": [], "value": []}), "damaged"),
        (damaged(map={"kind": "logistic", "low": 3, "high": 1, "mid": 0, "width": 1}), "damaged"),
        (damaged(scale=[4, 0]), "damaged"),
        (damaged(interval={"level": 0.9, "half_width": -1}), "damaged"),
    ],
)
def test_a_damaged_calibration_is_refused_in_one_sentence(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=words):
        Calibration.read(path)
    with pytest.raises(ModelError, match="No such file"):
        Calibration.read(tmp_path / "nowhere.json")


def test_another_model_is_refused() -> None:
    made = calibrate(graded())
    made.check_model("mean", "a" * 64)
    with pytest.raises(ModelError, match=r"was made with the model mean .* not with other"):
        made.check_model("other", "b" * 64)


def test_a_report_is_calibrated_row_by_row_and_only_on_request(
    model: Path, make_slice: Callable[..., CTSlice], tmp_path: Path
) -> None:
    scorer = Scorer(model)
    made = replace(calibrate(graded()), model_sha256=scorer.sha256)
    made.write(tmp_path / "calibration.json")
    slices = [make_slice(number=number) for number in (1, 2)]
    bare = score(slices, model=scorer)
    assert bare.columns == COLUMNS
    assert all(row.reader_score is None for row in bare.slices)
    for calibration in (made, tmp_path / "calibration.json"):
        report = score(slices, model=scorer, calibration=calibration)
        assert report.columns == (*COLUMNS, *READER_COLUMNS)
        for row in report.slices:
            assert row.score is not None
            assert (row.reader_score, row.reader_low, row.reader_high) == made.reader(row.score)
    frame = report.to_dataframe()
    assert list(frame.columns) == [*COLUMNS, *READER_COLUMNS]
    assert frame["reader_score"].dtype == float
