"""Control charts reproduce published examples, and raise as many alarms as theory says."""

import numpy as np
import pytest

from ctiqa.protocol.control_chart import (
    EWMA_WEIGHT,
    EWMA_WIDTH,
    Limits,
    control_lines,
    ewma,
    ewma_half_widths,
    excursions,
    individuals_limits,
)

# NIST/SEMATECH e-Handbook of Statistical Methods, section 6.3.2.2.
FLOW_RATES = np.array([49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1])

# NIST/SEMATECH e-Handbook of Statistical Methods, section 6.3.2.4: data, and averages of them.
NIST_DATA = np.concatenate(
    [[52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5], FLOW_RATES]
)
NIST_EWMA = np.concatenate(
    [
        [50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33],
        [50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99],
    ]
)

# Montgomery, Introduction to Statistical Quality Control, table 9.1: the mean is 10 for the first
# 20 values and 11 for the last 10; the standard deviation is 1.
MONTGOMERY = np.concatenate(
    [
        [9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34],
        [9.03, 11.47, 10.51, 9.40, 10.08, 9.37, 10.62, 10.31, 8.52, 10.84],
        [10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52],
    ]
)


def test_limits_of_single_values_are_those_of_the_nist_handbook() -> None:
    limits = individuals_limits(FLOW_RATES)
    assert limits.centre == pytest.approx(50.81)
    assert limits.sd * 1.128 == pytest.approx(1.8778, abs=5e-5)
    assert limits.upper == pytest.approx(55.8041, abs=5e-4)
    assert limits.lower == pytest.approx(45.8159, abs=5e-4)


def test_moving_averages_are_those_of_the_nist_handbook() -> None:
    assert np.abs(ewma(NIST_DATA, start=50.0, weight=0.3) - NIST_EWMA).max() < 0.0051
    reach = ewma_half_widths(200, sd=2.0539, weight=0.3, width=3.0)[-1]
    assert 50 + reach == pytest.approx(52.5884, abs=1e-3)


def test_montgomerys_shift_is_seen_by_the_moving_average_and_by_no_single_value() -> None:
    flat = np.ones(len(MONTGOMERY))
    assert excursions(MONTGOMERY, lower=7 * flat, upper=13 * flat) == ()
    averages = ewma(MONTGOMERY, start=10.0, weight=0.1)
    # Figure 9.7: limits settle at 10 +- 0.62, and the last two averages lie above.
    reach = ewma_half_widths(len(MONTGOMERY), sd=1.0, weight=0.1, width=2.7)
    assert averages[:3] == pytest.approx([9.945, 9.7495, 9.70355])
    assert reach[-1] == pytest.approx(0.62, abs=5e-3)
    (run,) = excursions(averages, lower=10 - reach, upper=10 + reach)
    assert (run.first, run.last, run.above) == (28, 29, True)


def test_the_first_average_may_lie_its_weight_times_the_width_off() -> None:
    assert ewma_half_widths(1, sd=2.0)[0] == pytest.approx(EWMA_WEIGHT * EWMA_WIDTH * 2.0)


def test_a_weight_of_one_leaves_shewharts_chart() -> None:
    assert ewma(NIST_DATA, start=50.0, weight=1.0) == pytest.approx(NIST_DATA)
    assert ewma_half_widths(3, sd=2.0, weight=1.0, width=3.0) == pytest.approx([6.0] * 3)


def test_another_unit_changes_the_numbers_and_no_alarm() -> None:
    shifted = np.concatenate([MONTGOMERY[:20], MONTGOMERY[20:] + 2])
    values = shifted * 100 - 3
    plain, other = individuals_limits(shifted[:20]), individuals_limits(values[:20])
    assert other.upper == pytest.approx(plain.upper * 100 - 3)
    seen = [
        excursions(line, lower=lines.ewma_lower, upper=lines.ewma_upper)
        for line, lines in (
            (one.ewma, one) for one in (control_lines(shifted, plain), control_lines(values, other))
        )
    ]
    assert seen[0] == seen[1] != ()


def test_a_value_on_a_limit_is_in_control_and_runs_end_where_the_side_changes() -> None:
    flat = np.ones(6)
    runs = excursions(np.array([1.0, 2.0, 2.0, -2.0, 0.0, 3.0]), lower=-flat, upper=flat)
    assert [(run.first, run.last, run.above) for run in runs] == [
        (1, 2, True),
        (3, 3, False),
        (5, 5, True),
    ]


def test_one_value_in_370_in_control_is_a_false_alarm() -> None:
    # 2 (1 - Phi(3)) = 0.0027; a million values hold 2700 +- 52 of them.
    values = np.random.default_rng(0).normal(5.0, 2.0, 1_000_000)
    limits = individuals_limits(values)
    outside = np.count_nonzero((values < limits.lower) | (values > limits.upper))
    assert len(values) / outside == pytest.approx(370, rel=0.06)


def run_lengths(*, shift: float, trials: int = 4000, longest: int = 2500) -> tuple[float, float]:
    """Return after how many values Shewhart's chart and the average give an alarm, on average.

    Limits are known, and those of the average are settled, as in the table of 1990.
    """
    values = np.random.default_rng(1).normal(shift, 1.0, (trials, longest))
    settled = ewma_half_widths(200, sd=1.0)[-1]
    single = np.abs(values) > 3
    smooth = np.abs(ewma(values, start=0.0)) > settled
    assert single.any(axis=1).all()
    assert smooth.any(axis=1).all()
    return float(single.argmax(axis=1).mean() + 1), float(smooth.argmax(axis=1).mean() + 1)


def test_the_average_sees_a_shift_by_one_sd_four_times_sooner_as_lucas_and_saccucci_print() -> None:
    # Lucas and Saccucci 1990, table 3: 10.5 for a weight of 0.2 and L = 2.962; 43.9 for Shewhart.
    single, smooth = run_lengths(shift=1.0, longest=600)
    assert single == pytest.approx(43.9, rel=0.05)
    assert smooth == pytest.approx(10.5, rel=0.05)


def test_a_large_jump_is_seen_at_once_by_a_single_value() -> None:
    single, smooth = run_lengths(shift=4.0, longest=60)
    assert single == pytest.approx(1.19, abs=0.03)
    assert smooth > single


def test_the_average_gives_a_false_alarm_in_500_values() -> None:
    # Lucas and Saccucci 1990, table 3; run lengths in control spread as wide as they are long.
    settled = ewma_half_widths(200, sd=1.0)[-1]
    values = np.random.default_rng(2).normal(0.0, 1.0, (600, 6000))
    smooth = np.abs(ewma(values, start=0.0)) > settled
    lengths = np.where(smooth.any(axis=1), smooth.argmax(axis=1) + 1, values.shape[1])
    assert lengths.mean() == pytest.approx(500, rel=0.12)


def test_limits_are_drawn_at_every_value() -> None:
    limits = Limits(centre=1.0, sd=1.0, lower=-2.0, upper=4.0)
    lines = control_lines(np.zeros(5), limits)
    assert lines.lower.tolist() == [-2.0] * 5
    assert (np.diff(lines.ewma_upper) > 0).all()
