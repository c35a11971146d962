"""Rising maps find what they were made of, and never fall."""

import numpy as np
import pytest

from ctiqa.measures.monotone import AdditiveMap, Logistic


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


def test_a_sum_of_rising_maps_finds_the_sum_that_made_the_data() -> None:
    readings = np.random.default_rng(0).uniform(-1, 1, (800, 2))
    reference = 0.4 + readings[:, 0] ** 3 + np.tanh(3 * readings[:, 1])
    fitted = AdditiveMap.fit(readings, reference)
    assert np.abs(fitted(readings) - reference).max() < 0.1
    assert fitted.base == pytest.approx(reference.mean())


def test_a_meter_that_is_silent_adds_nothing() -> None:
    readings = np.random.default_rng(1).uniform(0, 1, (200, 2))
    fitted = AdditiveMap.fit(readings, readings.sum(axis=1))
    half = readings.copy()
    half[:, 1] = np.nan
    alone = fitted(readings) - fitted.maps[1](readings[:, 1])
    np.testing.assert_allclose(fitted(half), alone)


def test_a_sum_of_rising_maps_falls_with_none_of_its_meters() -> None:
    readings = np.random.default_rng(2).uniform(0, 1, (300, 2))
    fitted = AdditiveMap.fit(readings, readings[:, 0] - readings[:, 1])
    steps = np.linspace(0, 1, 50)
    for at in range(2):
        row = np.full((50, 2), 0.5)
        row[:, at] = steps
        assert (np.diff(fitted(row)) >= 0).all()
