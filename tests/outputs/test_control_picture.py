"""The picture of a control chart shows alarms, and nothing that is not there."""

from datetime import date, timedelta
from io import BytesIO

import numpy as np
from PIL import Image

from ctiqa.outputs.control_picture import control_picture
from ctiqa.protocol.drift import Baseline, charts_of
from ctiqa.protocol.tracked import Group, SeriesPoint, Tracked

ALARM, BASELINE = (0xD5, 0x5E, 0x00), (0xEE, 0xF3, 0xF8)
LEGEND_ENDS = 110


def drawn(noises_hu: list[float]) -> np.ndarray:
    group = Group(
        manufacturer="Brand",
        scanner="X",
        kvp=120.0,
        kernel="B30f",
        slice_thickness_mm=1.0,
        body_part="CHEST",
        model="compact",
        model_sha256="a" * 64,
    )
    points = tuple(
        SeriesPoint(
            day=date(2026, 1, 1) + timedelta(days=number),
            dated=True,
            study_instance_uid="1.1",
            series_instance_uid=f"1.2.{number}",
            slices=1,
            score_median=None,
            noise_hu_median=noise_hu,
        )
        for number, noise_hu in enumerate(noises_hu)
    )
    png = control_picture(charts_of([Tracked(group, points)], Baseline(count=10)))
    return np.asarray(Image.open(BytesIO(png)))


def where_is(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.nonzero((picture == np.array(colour)).all(axis=2))
    below = rows > LEGEND_ENDS
    return rows[below], columns[below]


def test_an_alarm_is_ringed_where_it_is() -> None:
    steady = [10.0, 10.5] * 5
    assert not where_is(drawn(steady + [10.2] * 5), ALARM)[0].size
    rows, columns = where_is(drawn(steady + [10.2] * 4 + [14.0]), ALARM)
    picture = drawn(steady)
    assert (columns > 0.85 * picture.shape[1]).all()
    assert rows.min() < 0.5 * picture.shape[0]


def test_the_baseline_is_shaded_and_what_follows_is_not() -> None:
    picture = drawn([10.0, 10.5] * 10)
    _, columns = where_is(picture, BASELINE)
    assert columns.min() < 0.15 * picture.shape[1]
    assert 0.45 * picture.shape[1] < columns.max() < 0.6 * picture.shape[1]


def test_one_series_or_equal_values_can_be_drawn() -> None:
    for noises_hu in ([10.0], [10.0] * 12):
        assert drawn(noises_hu).ndim == 3
