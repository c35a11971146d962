"""Laws of the correlations, and SciPy as the independent witness."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from ctiqa.measures.correlation import Correlation, inversions, krocc, plcc, srocc

# Few distinct values, so that ties are the rule.
TIED = st.integers(-4, 4).map(float)
ANY = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda value: round(value, 6))


Columns = tuple[np.ndarray, np.ndarray]


@st.composite
def pairs_of_columns(
    draw: st.DrawFn, values: st.SearchStrategy[float] = TIED | ANY, least: int = 2
) -> Columns:
    n = draw(st.integers(least, 40))
    column = hnp.arrays(np.float64, n, elements=values)
    x, y = draw(column), draw(column)
    return x, y


def varied(x: np.ndarray, y: np.ndarray) -> bool:
    return bool(np.ptp(x) > 0 and np.ptp(y) > 0)


@given(pairs_of_columns())
def test_spearman_is_scipys_with_and_without_ties(columns: Columns) -> None:
    x, y = columns
    if varied(x, y):
        assert srocc(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    else:
        assert math.isnan(srocc(x, y))


@given(pairs_of_columns())
def test_kendall_is_scipys_tau_b_with_and_without_ties(columns: Columns) -> None:
    x, y = columns
    if varied(x, y):
        assert krocc(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
    else:
        assert math.isnan(krocc(x, y))


@given(pairs_of_columns(values=TIED, least=3))
def test_pearson_is_scipys(columns: Columns) -> None:
    x, y = columns
    if varied(x, y):
        assert plcc(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    else:
        assert math.isnan(plcc(x, y))


def test_the_correlations_of_two_thousand_scores_are_scipys() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=2000)
    y = x + rng.normal(size=2000)
    x[:500] = np.round(x[:500], 1)
    assert plcc(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    assert srocc(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert krocc(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


@given(pairs_of_columns())
def test_equation_9_is_the_mean_of_the_products_of_signs(columns: Columns) -> None:
    x, y = columns
    n = x.size
    products = np.sign(x[:, None] - x[None]) * np.sign(y[:, None] - y[None])
    expected = products.sum() / (n * (n - 1)) if varied(x, y) else math.nan
    assert Correlation(x, y).tau_a == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(st.permutations(range(15)))
def test_without_ties_the_papers_equations_are_the_tie_aware_ones(order: list[int]) -> None:
    both = Correlation(np.arange(15.0), np.array(order, float))
    assert both.srocc_eq8 == pytest.approx(both.srocc, abs=1e-12)
    assert both.tau_a == pytest.approx(both.krocc, abs=1e-12)


def test_a_quarter_of_labels_tied_at_one_caps_every_rank_correlation() -> None:
    # METHOD 1.3, row 2: with 25 % ties at 1 a perfect score reaches .992, .968 and .937 only.
    score = np.arange(1884.0)
    label = np.minimum(score, np.quantile(score, 0.75))
    best = Correlation(score, label)
    assert best.srocc == pytest.approx(0.992, abs=1e-3)
    assert best.krocc == pytest.approx(0.968, abs=1e-3)
    assert best.tau_a == pytest.approx(0.937, abs=1e-3)


@given(pairs_of_columns(values=TIED))
def test_rank_correlations_do_not_see_a_rising_map(columns: Columns) -> None:
    x, y = columns
    for correlation in (srocc, krocc):
        assert correlation(np.exp(x), y**3) == pytest.approx(
            correlation(x, y), abs=1e-12, nan_ok=True
        )


@given(pairs_of_columns(values=TIED), st.floats(0.01, 100), st.floats(-100, 100))
def test_pearson_does_not_see_a_change_of_unit(
    columns: Columns, scale: float, shift: float
) -> None:
    x, y = columns
    assert plcc(scale * x + shift, y) == pytest.approx(plcc(x, y), abs=1e-9, nan_ok=True)


@given(pairs_of_columns())
def test_turning_a_column_upside_down_turns_every_correlation_round(columns: Columns) -> None:
    x, y = columns
    for name in ("plcc", "srocc", "krocc", "tau_a"):
        upright, inverted = (getattr(Correlation(sign * x, y), name) for sign in (1, -1))
        assert inverted == pytest.approx(-upright, abs=1e-12, nan_ok=True)


@given(pairs_of_columns())
def test_every_correlation_is_symmetric_and_at_most_one(columns: Columns) -> None:
    x, y = columns
    for name in ("plcc", "srocc", "krocc", "tau_a", "srocc_eq8"):
        there, back = getattr(Correlation(x, y), name), getattr(Correlation(y, x), name)
        assert there == pytest.approx(back, abs=1e-12, nan_ok=True)
        assert math.isnan(there) or abs(there) <= 1


@given(hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 9)))
def test_inversions_are_the_pairs_in_falling_order(places: np.ndarray) -> None:
    falling = np.triu(places[:, None] > places[None], 1).sum()
    assert inversions(places) == falling


@settings(max_examples=5)
@given(st.sampled_from([1e-300, 1e-12, 1e150]))
def test_very_small_and_very_large_numbers_are_correlated_without_a_warning(unit: float) -> None:
    x, y = np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.0, 3.0, 4.0, 2.0])
    assert plcc(unit * x, y) == pytest.approx(plcc(x, y), abs=1e-12)


def test_kendall_of_two_thousand_scores_is_quick_enough_for_a_bootstrap() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 2000))
    started = time.perf_counter()
    for _ in range(20):
        krocc(x, y)
    # About 1 ms each; the plain table of all pairs takes 50 ms.
    assert (time.perf_counter() - started) / 20 < 0.02
