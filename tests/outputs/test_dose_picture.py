"""A picture of dose curves shows them, and the dose that was found, where their numbers are."""

from dataclasses import replace
from io import BytesIO
from math import inf
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctiqa.measures.agreement import Interval
from ctiqa.outputs.dose_picture import as_png, write_picture
from ctiqa.outputs.dose_words import answer_words, curve_lines
from ctiqa.protocol.dose_result import DoseCurve, DoseCurves, DosePoint
from ctiqa.protocol.lowest_dose import Answer, Goal

KEEP = Goal(0.95, relative=True)
BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)


def point(dose_fraction: float, score: float, noise_hu: float | None = 20.0) -> DosePoint:
    return DosePoint(
        dose_fraction=dose_fraction,
        score=score,
        score_low=score - 0.05,
        score_high=score + 0.05,
        noise_hu=noise_hu,
        slices=5,
        noise_law_ratio=None if noise_hu is None else 1.0,
    )


CURVE = DoseCurve(
    study_instance_uid="1",
    series_instance_uid="1.2",
    source="scan/0001.dcm",
    points=(point(1.0, 0.8), point(0.3, 0.7), point(0.1, 0.5)),
    answer=Answer(0.76, 0.62, 0.62, Interval(0.5, 0.7)),
    quanta=Interval(1e5, 2e5),
)


def curves(*each: DoseCurve) -> DoseCurves:
    return DoseCurves(
        curves=each, refusals=(), goal=KEEP, step=1, seed=0, model="m", model_sha256="0"
    )


def drawn(*each: DoseCurve) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(as_png(curves(*each)))))


def columns(picture: np.ndarray, colour: tuple[int, ...], rows: slice) -> np.ndarray:
    return np.flatnonzero((picture[rows] == colour).all(axis=2).any(axis=0))


def test_the_curve_falls_to_the_left_where_the_lower_doses_are() -> None:
    blue = (drawn(CURVE) == BLUE).all(axis=2)
    left, right = np.flatnonzero(blue.any(axis=0))[[8, -8]]
    assert np.flatnonzero(blue[:, left]).mean() > np.flatnonzero(blue[:, right]).mean() + 100


def test_the_interval_lies_on_the_axis_of_doses_where_its_ends_are() -> None:
    picture = drawn(CURVE)
    bar = columns(picture, ORANGE, slice(524, 529))
    blue = np.flatnonzero((picture == BLUE).all(axis=2).any(axis=0))
    lowest, full = blue[0] + 4, blue[-1] - 4
    at = 0.1 ** ((full - np.array([bar[0], bar[-1]])) / (full - lowest))
    assert at == pytest.approx([0.5, 0.7], rel=0.03)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(0.4, 0.0, 0.1, Interval(0.0, 0.1)),
        Answer(0.95, 1.0, inf, Interval(1.0, inf)),
        Answer(0.8, 0.1, 0.1, Interval(0.0, inf)),
    ],
)
def test_an_answer_beyond_the_doses_can_be_drawn(answer: Answer) -> None:
    assert columns(drawn(replace(CURVE, answer=answer)), ORANGE, slice(None)).size


def test_a_curve_of_one_dose_without_noise_can_be_drawn() -> None:
    alone = replace(CURVE, points=(point(1.0, 0.8, None),))
    assert columns(drawn(alone), BLUE, slice(None)).size
    assert any("not tried" in line for line in curve_lines(alone, KEEP))


def test_curves_stand_one_below_the_other(tmp_path: Path) -> None:
    write_picture(curves(CURVE, CURVE), tmp_path / "two.png")
    both = np.asarray(Image.open(tmp_path / "two.png"))
    one = drawn(CURVE)
    assert np.array_equal(both, np.concatenate([one, one]))


@pytest.mark.parametrize(
    ("low", "high", "interval", "words"),
    [
        (0.62, 0.62, (0.5, 0.7), "is kept down to 62 % of the dose (95 % interval 50 % to 70 %)"),
        (0.12, 0.12, (0.0, 0.2), "down to 12 % of the dose (95 % interval below 10 % to 20 %)"),
        (0.9, 0.9, (0.8, inf), "90 % of the dose (95 % interval 80 % to above the full dose)"),
        (0.0, 0.1, (0.0, 0.1), "the limit is not reached even at 10 % (95 % interval below 10 %)"),
        (1.0, inf, (1.0, inf), "already below at full dose (95 % interval above the full dose)"),
    ],
)
def test_the_answer_is_said_in_words(
    low: float, high: float, interval: tuple[float, float], words: str
) -> None:
    answer = Answer(0.76, low, high, Interval(*interval))
    said = answer_words(answer, KEEP, lowest=0.1)
    assert said.startswith("95 % of the full-dose score (0.760)")
    assert words in said


def test_the_noise_law_is_said_with_the_dose_that_the_noise_suggests() -> None:
    noisy = replace(CURVE.points[-1], noise_law_ratio=1.25, noise_hu=79.06)
    lines = curve_lines(replace(CURVE, points=(*CURVE.points[:-1], noisy)), KEEP)
    # 10 % / 1.25^2 = 6.4 %.
    assert any("1.00 to 1.25 times" in line and "79.1 HU at 10 %" in line for line in lines)
    assert any("suggest 6.4 % of the dose" in line for line in lines)
