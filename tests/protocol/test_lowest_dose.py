"""The lowest dose that keeps a score is where a rising curve crosses it, if it does."""

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiqa.protocol.lowest_dose import Goal, answer, block_draws, lowest_dose, mean_interval

DOSES = np.array([0.1, 0.13, 0.18, 0.25, 0.35, 0.5, 0.75, 1.0])
HALF = Goal(0.5, relative=False)


def of_means(means: np.ndarray, goal: Goal) -> tuple[float, float]:
    return tuple(lowest_dose(DOSES, means, goal)[1])


@pytest.mark.parametrize("true_dose", [0.11, 0.2, 0.42, 0.9])
def test_a_score_linear_in_log_dose_is_inverted_exactly(true_dose: float) -> None:
    means = 0.5 + 0.2 * np.log(DOSES / true_dose)
    assert of_means(means, HALF) == pytest.approx((true_dose, true_dose))


def test_a_share_is_one_of_the_full_dose_score() -> None:
    means = 0.8 + 0.2 * np.log(DOSES)
    threshold, (dose, _) = lowest_dose(DOSES, means, Goal(0.9, relative=True))
    assert threshold == pytest.approx(0.72)
    assert dose == pytest.approx(np.exp(-0.4))


def test_of_doses_with_the_same_score_the_lowest_is_taken() -> None:
    means = np.array([0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.5, 0.5])
    assert of_means(means, HALF) == (0.25, 0.25)
    assert of_means(means, Goal(1.0, relative=True)) == (0.25, 0.25)


def test_a_dip_is_taken_for_noise_and_pooled_with_its_neighbours() -> None:
    means = np.array([0.1, 0.2, 0.3, 0.45, 0.55, 0.35, 0.8, 0.9])
    # 0.45, 0.55 and 0.35 become 0.45 each; 0.5 lies a seventh of the way from there to 0.8.
    dose, _ = of_means(means, HALF)
    assert dose == pytest.approx(0.5 * 1.5 ** (0.05 / 0.35))


def rising(means: list[float]) -> list[float]:
    """Return the isotonic regression by its min-max formula.

    Robertson, Wright and Dykstra, Order Restricted Statistical Inference, 1988, theorem 1.4.4.
    """
    size = len(means)
    return [
        max(
            min(np.mean(means[first : last + 1]) for last in range(place, size))
            for first in range(place + 1)
        )
        for place in range(size)
    ]


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8), st.floats(0.05, 0.95))
@settings(max_examples=50, deadline=None)
def test_the_curve_is_the_isotonic_regression_by_its_other_formula(
    means: list[float], wanted: float
) -> None:
    fitted = rising(means)
    low, high = of_means(np.array(means), Goal(wanted, relative=False))
    if low == high:
        assert np.interp(np.log(low), np.log(DOSES), fitted) == pytest.approx(wanted, abs=1e-6)
    elif low == 0:
        assert fitted[0] >= wanted - 1e-9
    else:
        assert fitted[-1] < wanted + 1e-9


def test_a_score_kept_at_every_dose_lies_below_the_lowest() -> None:
    assert of_means(np.full(8, 0.6), HALF) == (0.0, 0.1)


def test_a_score_missed_at_full_dose_lies_above_it() -> None:
    assert of_means(np.full(8, 0.4), HALF) == (1.0, inf)


def test_the_full_dose_alone_keeps_a_share_of_itself() -> None:
    _, found = lowest_dose(np.array([1.0]), np.array([0.4]), Goal(0.95, relative=True))
    assert found == (0.0, 1.0)


def scores_of(slices: int, *, true_dose: float, spread: float) -> np.ndarray:
    """Return slices whose scores cross 0.5 at doses that scatter around ``true_dose``."""
    scatter = spread * np.random.default_rng(1).standard_normal((slices, 1))
    return 0.5 + 0.2 * (np.log(DOSES / true_dose) + scatter)


def drawn(slices: int) -> np.ndarray:
    return block_draws(slices, draws=400, rng=np.random.default_rng(0))


def test_the_interval_holds_the_answer_and_is_narrower_for_more_slices() -> None:
    widths = []
    for slices in (8, 128):
        scores = scores_of(slices, true_dose=0.3, spread=0.3)
        found = answer(DOSES, scores, HALF, drawn(slices))
        assert found.dose_fraction is not None
        low, high = found.interval
        assert low < found.dose_fraction < high
        assert low < 0.3 < high
        widths.append(np.log(high / low))
    assert widths[1] < widths[0] / 2


def test_slices_that_differ_in_level_alone_leave_no_doubt_about_a_share() -> None:
    scores = np.geomspace(0.4, 0.9, 12)[:, None] * DOSES**0.2
    found = answer(DOSES, scores, Goal(0.9, relative=True), drawn(12))
    # The level cancels within every resample, but not from the interval of the mean score.
    assert found.interval.high - found.interval.low < 1e-9
    assert np.ptp(mean_interval(scores[:, -1], drawn(12))) > 0.05


def test_an_interval_reaches_out_of_the_doses_where_resamples_do() -> None:
    scores = scores_of(6, true_dose=0.12, spread=1.0)
    assert answer(DOSES, scores, HALF, drawn(6)).interval.low == 0
    scores = scores_of(6, true_dose=0.8, spread=1.0)
    assert answer(DOSES, scores, HALF, drawn(6)).interval.high == inf


def test_every_resample_is_made_of_blocks_and_every_slice_has_the_same_chance() -> None:
    draws = drawn(27)
    assert draws.shape == (400, 27)
    blocks = draws.reshape(-1, 3)
    assert ((np.diff(blocks) - 1) % 27 == 0).all()
    share = np.bincount(draws.ravel(), minlength=27) / draws.size
    assert share == pytest.approx(1 / 27, rel=0.2)


def test_blocks_widen_the_interval_where_neighbours_are_alike() -> None:
    alike = np.repeat(np.random.default_rng(2).standard_normal(40), 5)
    alone = np.random.default_rng(3).integers(200, size=(400, 200))
    assert np.ptp(mean_interval(alike, drawn(200))) > 1.3 * np.ptp(mean_interval(alike, alone))
