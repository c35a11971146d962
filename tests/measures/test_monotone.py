"""Rising maps find what they were made of, and never fall."""

import numpy as np
import pytest

from ctiqa.measures.monotone import Logistic


def graded(curve: Logistic, *, count: int = 300, spread: float = 0.0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    reading = rng.uniform(0, 1, count)
    return reading, curve(reading) + spread * rng.standard_normal(count)


def test_a_logistic_finds_the_four_parameters_that_made_the_data() -> None:
    curve = Logistic(low=0.5, high=3.5, mid=0.6, width=0.1)
    found = Logistic.fit(*graded(curve))
    assert [found.low, found.high, found.mid, found.width] == pytest.approx(
        [0.5, 3.5, 0.6, 0.1], abs=1e-3
    )


def test_a_logistic_follows_nearly_straight_data() -> None:
    reading = np.linspace(0, 1, 50)
    assert Logistic.fit(reading, 4 * reading)(reading) == pytest.approx(4 * reading, abs=0.08)


def test_a_logistic_does_not_depend_on_the_unit_of_its_readings() -> None:
    reading, reference = graded(Logistic(0.5, 3.5, 0.6, 0.1), spread=0.3)
    here = Logistic.fit(reading, reference)(reading)
    there = Logistic.fit(1000 * reading - 300, reference)(1000 * reading - 300)
    assert here == pytest.approx(there, abs=1e-4)


def test_a_logistic_never_falls_even_if_its_data_do() -> None:
    reading = np.linspace(0, 1, 50)
    assert (np.diff(Logistic.fit(reading, 4 - 4 * reading)(reading)) >= 0).all()
