"""Quadratic weighted kappa is what the table of grades gives."""

import numpy as np
import pytest

from ctiqa.measures.kappa import quadratic_kappa


def by_the_table(first: np.ndarray, second: np.ndarray, grades: int) -> float:
    """Return kappa by the definition: 1 - sum w O / sum w E over all pairs of grades."""
    seen = np.zeros((grades, grades))
    np.add.at(seen, (first, second), 1)
    chance = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / seen.sum()
    weight = np.subtract.outer(np.arange(grades), np.arange(grades)) ** 2
    return float(1 - (weight * seen).sum() / (weight * chance).sum())


def test_it_is_the_kappa_of_the_table_of_grades() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, 5, 200)
    second = np.clip(first + rng.integers(-1, 2, 200), 0, 4)
    assert quadratic_kappa(first, second) == pytest.approx(by_the_table(first, second, 5))


def test_mean_scores_count_as_the_nearest_whole_grade() -> None:
    assert quadratic_kappa([0.4, 1.2, 2.5], [0, 1, 3]) == 1


def test_chance_is_worth_nothing_and_one_grade_only_has_no_kappa() -> None:
    rng = np.random.default_rng(0)
    assert abs(quadratic_kappa(rng.integers(0, 5, 20000), rng.integers(0, 5, 20000))) < 0.03
    assert np.isnan(quadratic_kappa([2, 2], [2, 2]))
