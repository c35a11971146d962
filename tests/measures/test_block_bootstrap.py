"""An interval that knows that neighbours are alike holds the truth as often as it says."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal, stats

from ctiqa.measures.block_bootstrap import (
    Estimate,
    block_length,
    circular_blocks,
    combine,
    estimate,
)

Floats = npt.NDArray[np.float64]


def mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=-1))


def autoregressive(n: int, rho: float, rng: np.random.Generator) -> Floats:
    """Return n values with mean 0 of which each remembers rho of the one before."""
    return np.asarray(signal.lfilter([1], [1, -rho], rng.standard_normal(n + 100))[100:])


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_the_interval_covers_the_mean_of_neighbours_that_are_alike(rho: float) -> None:
    rng = np.random.default_rng(0)
    ends = [
        estimate([autoregressive(100, rho, rng)], mean, n_boot=200, rng=rng).interval()
        for _ in range(400)
    ]
    covered = np.mean([low <= 0 <= high for low, high in ends])
    # 400 trials of 0.95 have a standard error of 0.011; short series cover a little less.
    assert 0.91 <= covered <= 0.99


def test_a_bootstrap_of_single_slices_covers_far_less() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        values = autoregressive(100, 0.6, rng)
        places = circular_blocks(values.size, length=1, n_boot=200, rng=rng)
        low, high = np.quantile(mean(values[places]), [0.025, 0.975])
        covered += low <= 0 <= high
    assert covered / 400 < 0.75


def test_the_block_length_nears_its_optimum_for_a_known_correlation() -> None:
    # Politis and White 2004, section 3: b = (2 g^2 / D)^(1/3) n^(1/3), D = 4/3 of the squared
    # long-run variance; for AR(1) g = 2 rho / (1 - rho)^2 and that variance (1 + rho) / (1 - rho),
    # both over the variance of the values.
    n, rho = 50_000, 0.6
    slope, long_run = 2 * rho / (1 - rho) ** 2, (1 + rho) / (1 - rho)
    best = (2 * slope**2 / (4 / 3 * long_run**2) * n) ** (1 / 3)
    found = block_length(autoregressive(n, rho, np.random.default_rng(0)))
    assert found == pytest.approx(best, rel=0.1)


def test_independent_values_need_no_blocks() -> None:
    lengths = [block_length(np.random.default_rng(seed).normal(size=2000)) for seed in range(9)]
    assert np.median(lengths) <= 3


def test_every_slice_is_drawn_equally_often_and_with_its_neighbours() -> None:
    places = circular_blocks(10, length=5, n_boot=20_000, rng=np.random.default_rng(0))
    assert places.shape == (20_000, 10)
    assert np.bincount(places.ravel()) == pytest.approx(20_000, rel=0.03)
    assert (np.diff(places[:, :5], axis=1) % 10 == 1).all()


def test_of_three_series_or_more_the_interval_is_that_of_students_t_over_series() -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal(level, 0.1, 20) for level in (0.1, 0.3, 0.2, 0.5)]
    found = estimate(series, mean, n_boot=100_000, rng=rng)
    expected = stats.ttest_1samp([values.mean() for values in series], 0).confidence_interval()
    assert found.interval() == pytest.approx((expected.low, expected.high), abs=0.003)


def test_two_series_are_as_sure_as_both_together() -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal(size=400) for _ in range(2)]
    found = estimate(series, mean, n_boot=2000, rng=rng)
    assert found.standard_error == pytest.approx(1 / np.sqrt(800), rel=0.25)


def test_the_difference_of_two_samples_is_that_of_welch() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 12), rng.normal(1, 3, 30)
    parts = [
        Estimate(float(each.mean()), float(stats.sem(each)), each.size - 1.0) for each in (a, b)
    ]
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert combine(parts, [1, -1]).interval() == pytest.approx((expected.low, expected.high))


def test_equal_values_are_sure() -> None:
    found = estimate([np.full(20, 0.25)], mean, n_boot=50, rng=np.random.default_rng(0))
    assert found.interval() == (0.25, 0.25)


def test_the_same_seed_is_the_same_interval() -> None:
    values = autoregressive(40, 0.5, np.random.default_rng(1))
    first, second, other = (
        estimate([values], mean, n_boot=200, rng=np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert first == second != other
