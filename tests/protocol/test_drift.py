"""A scanner that changes is told from one that does not, by its own baseline."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest

from ctiqa.outputs.drift_words import alarm_words, dating_words, limit_words
from ctiqa.protocol.drift import Baseline, Chart, charts_of
from ctiqa.protocol.drift_report import DriftReport
from ctiqa.protocol.tracked import Group, SeriesPoint, Tracked

GROUP = Group(
    manufacturer="Brand",
    scanner="X",
    kvp=120.0,
    kernel="B30f",
    slice_thickness_mm=1.0,
    body_part="CHEST",
    model="compact",
    model_sha256="a" * 64,
)
FIRST = date(2026, 1, 1)
TWENTY = Baseline(count=20)


def tracked(noises_hu: Sequence[float | None], *, dated: bool = True) -> Tracked:
    points = tuple(
        SeriesPoint(
            day=FIRST + timedelta(days=number),
            dated=dated,
            study_instance_uid="1.1",
            series_instance_uid=f"1.2.{number}",
            slices=3,
            score_median=0.7,
            noise_hu_median=noise_hu,
        )
        for number, noise_hu in enumerate(noises_hu)
    )
    return Tracked(GROUP, points)


def noise_chart(noises_hu: Sequence[float | None], baseline: Baseline = TWENTY) -> Chart:
    (chart,) = (
        one for one in charts_of([tracked(noises_hu)], baseline) if one.quantity.name == "noise"
    )
    return chart


STEADY = [12.0, 12.4] * 10
"""Limits 12.2 +- 3 * 0.4 / 1.128, which is 11.14 to 13.26."""


def test_a_noise_that_rises_is_an_alarm_in_words() -> None:
    chart = noise_chart([*STEADY, 12.1, 14.2])
    single, smooth = chart.alarms
    assert alarm_words(chart, single) == (
        "noise of Brand X, 120 kVp, B30f, 1 mm, CHEST rose above its limit on 2026-01-22: "
        "14.2 HU, limit 13.3 HU, the newest series"
    )
    assert smooth.smoothed
    assert smooth.day == single.day
    assert alarm_words(chart, smooth).startswith("smoothed noise of Brand X")


def test_a_steady_noise_gives_no_alarm_and_its_limits_in_words() -> None:
    chart = noise_chart([*STEADY, 12.1])
    assert chart.alarms == ()
    assert limit_words(chart) == (
        "noise: 12.2 HU on average over 20 series, limits 11.1 HU and 13.3 HU"
    )


def test_series_in_a_row_are_one_alarm_that_ends_when_they_do() -> None:
    chart = noise_chart([*STEADY, 9.0, 9.0, 9.0, 12.2])
    (single,) = (alarm for alarm in chart.alarms if not alarm.smoothed)
    assert (single.series, single.above, single.lasting) == (3, False, False)
    assert alarm_words(chart, single).endswith(
        "fell below its limit on 2026-01-21: 9.0 HU, limit 11.1 HU, and stayed there for 3 series"
    )


def test_what_comes_after_the_baseline_does_not_move_the_limits() -> None:
    assert noise_chart(STEADY).limits == noise_chart([*STEADY, 30.0, 50.0]).limits


def test_a_baseline_of_too_few_series_gives_words_and_no_limits() -> None:
    chart = noise_chart(STEADY[:12])
    assert (chart.limits, chart.alarms) == (None, ())
    assert limit_words(chart) == "noise: no limits yet: the baseline holds 12 of 20 series"


def test_a_baseline_that_does_not_vary_gives_no_limits() -> None:
    chart = noise_chart([12.0] * 20 + [13.0])
    assert chart.alarms == ()
    assert limit_words(chart).endswith("all 20 series of the baseline have the same noise")


def test_the_days_of_a_baseline_count_both_ends() -> None:
    span = (FIRST + timedelta(days=5), FIRST + timedelta(days=14))
    chart = noise_chart([20.0] * 5 + STEADY, Baseline(span=span))
    assert sum(chart.in_baseline) == 10
    assert chart.limits is not None
    assert chart.limits.centre == pytest.approx(12.2)
    # What came before is judged like what comes after.
    assert chart.alarms[0].day == FIRST


def test_an_alarm_inside_the_baseline_says_so() -> None:
    chart = noise_chart([*STEADY[:18], 20.0, 12.0])
    assert chart.alarms[0].in_baseline
    assert "it is of the baseline itself" in alarm_words(chart, chart.alarms[0])


def test_a_series_whose_noise_is_unknown_is_left_out_of_that_chart_only() -> None:
    charts = charts_of([tracked([None, *STEADY])], Baseline())
    assert [len(chart.points) for chart in charts] == [21, 20]


def test_series_without_the_day_of_their_acquisition_are_counted_in_words() -> None:
    chart = charts_of([tracked(STEADY, dated=False)], Baseline())[0]
    assert dating_words(chart).startswith("20 of 20 series stand at the day of their import")
    assert dating_words(noise_chart(STEADY)) == ""


def test_the_table_has_a_row_for_each_value_with_what_is_drawn_beside_it() -> None:
    report = DriftReport((noise_chart([*STEADY, 14.2]),))
    rows = [dict(zip(report.columns, row, strict=True)) for row in report.table()]
    assert len(rows) == 21
    assert rows[-1]["value"] == 14.2
    assert rows[-1]["value"] > rows[-1]["upper"]
    assert rows[-1]["ewma"] == pytest.approx(0.2 * 14.2 + 0.8 * rows[-2]["ewma"])
    assert rows[-1]["ewma_upper"] - rows[-1]["centre"] == pytest.approx(
        2.962 * 0.4 / 1.128 / 3, rel=1e-3
    )


def test_data_hold_limits_alarms_and_values() -> None:
    (chart,) = DriftReport((noise_chart([*STEADY, 14.2]),)).to_dict()["charts"]
    assert chart["limits"]["centre"] == pytest.approx(12.2)
    assert chart["alarms"][0]["day"] == "2026-01-21"
    assert np.isclose([row["value"] for row in chart["series"]][-1], 14.2)
    assert not {"kernel", "unit"} & set(chart["series"][0])


def test_a_value_barely_beyond_its_limit_is_told_from_it() -> None:
    chart = noise_chart([*STEADY, 13.27])
    assert "13.27 HU, limit 13.26 HU" in alarm_words(chart, chart.alarms[0])
