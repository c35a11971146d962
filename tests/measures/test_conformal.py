"""Intervals hold new patients as often as they say, and coverage counts patients, not images."""

import numpy as np
import pytest
from scipy.stats import binomtest

from ctiqa.measures.conformal import coverage, half_width


def test_a_patient_weighs_the_same_however_many_images_he_has() -> None:
    few = half_width(np.arange(20.0), np.arange(20))
    many = half_width(np.repeat(np.arange(20.0), 7), np.repeat(np.arange(20), 7))
    assert few == many == 18


def test_an_image_of_a_new_patient_is_held_as_often_as_was_asked() -> None:
    """2,000 draws of 25 patients whose images are alike; the mean has an SD of 0.7 %."""
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(26), rng.integers(1, 5, 26))
    held = []
    for _ in range(2000):
        own = rng.standard_normal(26)[owner]
        residual = np.abs(own + 0.3 * rng.standard_normal(owner.size))
        known = owner < 25
        width = half_width(residual[known], owner[known])
        held.append((residual[~known] <= width).mean())
    assert 0.88 < np.mean(held) < 0.94


@pytest.mark.parametrize("right", [0, 9, 10])
def test_the_ends_of_coverage_are_those_of_clopper_and_pearson(right: int) -> None:
    truth = np.where(np.arange(10) < right, 0.5, 2.0)
    found = coverage(np.zeros(10), np.ones(10), truth, np.arange(10))
    theirs = binomtest(right, 10).proportion_ci(0.95, method="exact")
    assert found.share == right / 10
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert found.mean_width == 1


def test_images_of_one_patient_are_one_trial() -> None:
    truth, patient = np.array([0.5] * 30 + [2.0]), np.array(["a"] * 30 + ["b"])
    found = coverage(np.zeros(31), np.ones(31), truth, patient)
    assert (found.share, found.patients) == (0.5, 2)
