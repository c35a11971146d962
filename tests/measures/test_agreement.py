"""Laws of the figures of agreement and of their intervals."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiqa.measures.agreement import (
    agreement,
    bootstrap,
    mae,
    mse,
    opm,
    percentile_interval,
    signed_opm,
    within_dose,
)

CORRELATIONS = ("plcc", "srocc", "krocc", "srocc_eq8", "tau_a", "opm", "signed_opm")
Rows = list[tuple[int, int]]
ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30)


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(rows, float).T
    return x / 9, y / 9


def study(
    seed: int = 0, patients: int = 5, slices: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, references, patients and doses of a study whose patients differ."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 4 * slices)
    dose = np.tile([1.0, 0.75, 0.5, 0.25], patients * slices)
    reference = np.sqrt(dose) / 2 + 0.2 * rng.normal(size=patients)[patient]
    score = reference + 0.05 * rng.normal(size=dose.size)
    return score, reference, patient, dose


@pytest.mark.parametrize(
    ("parts", "printed"),
    [
        ((0.9505, 0.9609, 0.8325), 2.7439),  # Table 2, row 5
        ((0.9519, 0.9376, 0.7789), 2.6684),  # Table 2, row 1
        ((0.9916, 0.9683, 0.8471), 2.8070),  # the paper's best
    ],
)
def test_the_papers_opm_is_the_sum_of_its_three_correlations(
    parts: tuple[float, ...], printed: float
) -> None:
    assert sum(parts) == pytest.approx(printed, abs=1e-4)


@given(ROWS)
def test_opm_lies_between_0_and_3_and_is_the_sum_of_absolute_values(rows: Rows) -> None:
    figures = agreement(*columns(rows))
    parts = figures.plcc, figures.srocc, figures.krocc
    if any(math.isnan(part) for part in parts):
        assert math.isnan(figures.opm)
        return
    assert figures.opm == sum(abs(part) for part in parts)
    assert figures.signed_opm == sum(parts)
    assert 0 <= abs(figures.signed_opm) <= figures.opm <= 3


@given(ROWS)
def test_an_inverted_score_keeps_its_opm_and_loses_its_signed_opm(rows: Rows) -> None:
    x, y = columns(rows)
    assert opm(-x, y) == pytest.approx(opm(x, y), abs=1e-12, nan_ok=True)
    assert signed_opm(-x, y) == pytest.approx(-signed_opm(x, y), abs=1e-12, nan_ok=True)


@given(ROWS)
def test_the_square_of_mae_never_exceeds_mse(rows: Rows) -> None:
    x, y = columns(rows)
    assert mae(x, y) ** 2 <= mse(x, y) + 1e-15


@given(ROWS)
def test_no_predictor_beats_the_bound_that_its_pearson_correlation_sets(rows: Rows) -> None:
    # METHOD 0, finding 5: MSE >= Var(y) (1 - PLCC^2).
    x, y = columns(rows)
    figures = agreement(x, y)
    if not math.isnan(figures.plcc):
        assert figures.mse >= np.var(y) * (1 - figures.plcc**2) - 1e-12


def test_the_figures_are_those_of_pandas() -> None:
    score, reference, _, _ = study()
    figures = agreement(score, reference)
    frame = pd.DataFrame({"score": score, "reference": reference})
    for name, method in {"plcc": "pearson", "srocc": "spearman", "krocc": "kendall"}.items():
        expected = frame["score"].corr(frame["reference"], method=method)
        assert getattr(figures, name) == pytest.approx(expected, abs=1e-12)
    error = frame["score"] - frame["reference"]
    assert figures.mae == pytest.approx(error.abs().mean(), abs=1e-12)
    assert figures.mse == pytest.approx((error**2).mean(), abs=1e-12)
    assert figures.krcc == figures.krocc


@given(st.integers(1, 6), st.floats(-1e3, 1e3))
def test_nothing_correlates_with_a_constant_and_no_warning_is_given(
    n: int, constant: float
) -> None:
    figures = agreement(np.full(n, constant), np.arange(n))
    assert all(math.isnan(getattr(figures, name)) for name in CORRELATIONS)
    assert math.isfinite(figures.mae)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("figure", [agreement, opm, signed_opm, mae, mse])
def test_a_number_that_is_not_finite_is_refused(figure: Callable[..., object], bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        figure([0.1, bad, 0.3], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="finite"):
        figure([0.1, 0.2, 0.3], [bad, 0.2, 0.3])


@pytest.mark.parametrize(("score", "reference"), [([], []), ([1, 2], [1]), ([[1]], [[1]])])
def test_columns_that_do_not_match_are_refused(
    score: list[object], reference: list[object]
) -> None:
    with pytest.raises(ValueError, match="one length"):
        agreement(score, reference)


def test_spearman_within_dose_is_pandas_spearman_of_each_group() -> None:
    score, reference, _, dose = study()
    frame = pd.DataFrame({"score": score, "reference": reference, "dose": dose})
    expected = {
        level: group["score"].corr(group["reference"], method="spearman")
        for level, group in frame.groupby("dose")
    }
    assert list(within_dose(score, reference, dose)) == [1.0, 0.75, 0.5, 0.25]
    assert within_dose(score, reference, dose) == pytest.approx(expected, abs=1e-12)


def test_dose_alone_is_worth_nothing_within_a_dose() -> None:
    _, reference, _, dose = study()
    assert all(math.isnan(value) for value in within_dose(dose, reference, dose).values())


def test_one_patient_gives_intervals_of_no_width_and_says_they_mean_nothing() -> None:
    score, reference, _, _ = study()
    sampled = bootstrap(
        score, reference, ["a"] * score.size, n_boot=50, rng=np.random.default_rng(0)
    )
    assert not sampled.meaningful
    for name, (low, high) in sampled.intervals().items():
        assert low == high == getattr(agreement(score, reference), name)


@pytest.mark.parametrize(("patients", "meaningful"), [(2, False), (3, True)])
def test_an_interval_means_something_from_three_patients_on(
    patients: int, meaningful: bool
) -> None:
    score, reference, patient, _ = study(patients=patients)
    sampled = bootstrap(score, reference, patient, n_boot=5, rng=np.random.default_rng(0))
    assert sampled.patients == patients
    assert sampled.meaningful is meaningful


def test_a_resample_takes_all_rows_of_a_patient_or_none() -> None:
    score, reference, patient, _ = study(patients=2)
    draws = bootstrap(score, reference, patient, n_boot=40, rng=np.random.default_rng(1)).draws
    # Of two patients there are three resamples: each of them twice, or both.
    alone = [agreement(score[patient == one], reference[patient == one]).mae for one in (0, 1)]
    both = agreement(score, reference).mae
    assert sorted({round(draw.mae, 12) for draw in draws}) == pytest.approx(sorted([*alone, both]))


def test_equal_generators_resample_two_columns_alike() -> None:
    score, reference, patient, _ = study()
    first, second = (
        bootstrap(column, reference, patient, n_boot=100, rng=np.random.default_rng(7))
        for column in (score, score + 0.5)
    )
    assert np.allclose(first.figure("plcc"), second.figure("plcc"), atol=1e-12)
    assert (
        first.draws
        == bootstrap(score, reference, patient, n_boot=100, rng=np.random.default_rng(7)).draws
    )


def test_the_names_of_the_patients_do_not_matter_but_their_order() -> None:
    score, reference, patient, _ = study()
    named = np.array(["p" + str(number) for number in patient])
    draws = [
        bootstrap(score, reference, who, n_boot=20, rng=np.random.default_rng(0)).draws
        for who in (patient, named)
    ]
    assert draws[0] == draws[1]


def test_the_interval_over_patients_is_the_percentile_interval_of_a_plain_loop() -> None:
    score, reference, patient, _ = study()
    frame = pd.DataFrame({"score": score, "reference": reference})
    groups = [frame[patient == number] for number in range(5)]
    rng = np.random.default_rng(11)
    drawn = rng.integers(5, size=(60, 5))
    expected = [
        resample["score"].corr(resample["reference"], method="kendall")
        for resample in (pd.concat([groups[index] for index in draw]) for draw in drawn)
    ]
    sampled = bootstrap(score, reference, patient, n_boot=60, rng=np.random.default_rng(11))
    assert sampled.figure("krocc") == pytest.approx(expected, abs=1e-12)
    assert sampled.intervals()["krocc"] == pytest.approx(np.quantile(expected, [0.025, 0.975]))


def test_patients_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 patients are named for 3 scores"):
        bootstrap([1, 2, 3], [1, 2, 3], ["a", "b"], n_boot=5, rng=np.random.default_rng(0))


def test_an_interval_leaves_out_what_is_not_defined() -> None:
    assert percentile_interval([math.nan, 1.0, 1.0]) == (1.0, 1.0)
    assert all(math.isnan(end) for end in percentile_interval([math.nan]))
