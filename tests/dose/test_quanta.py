"""Equations 1 and 2 of METHOD 2.2, and the quanta read off a slice's own noise."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiqa.dose.apodisation import HANN, SHEPP_LOGAN, Apodisation
from ctiqa.dose.quanta import (
    FALLBACK_QUANTA,
    added_log_variance,
    log_variance,
    quanta_of_slice,
    smooth_along_table,
)
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice

DrawWater = Callable[..., CTSlice]
Scanned = Callable[..., CTSlice]


def test_the_log_variance_is_that_of_counted_quanta() -> None:
    # Equation 1 is a delta method; at 500 counts it is good to a percent.
    quanta, path, electronic = 1e4, 3.0, 400.0
    rng = np.random.default_rng(0)
    expected = quanta * np.exp(-path)
    counts = rng.poisson(expected, 200_000) + np.sqrt(electronic) * rng.standard_normal(200_000)
    formula = log_variance(np.float32([path]), quanta=quanta, electronic=electronic)[0]
    assert np.log(counts).var() == pytest.approx(formula, rel=0.02)


@settings(deadline=None)
@given(
    path=st.floats(0, 10),
    dose=st.floats(0.05, 1),
    quanta=st.floats(1e4, 5e6),
    electronic=st.floats(0, 100),
)
def test_what_is_added_and_what_was_there_make_the_variance_of_the_lower_dose(
    path: float, dose: float, quanta: float, electronic: float
) -> None:
    # Equation 2 is the difference of equation 1 at the two doses.
    rays = np.array([path], np.float32)
    before = log_variance(rays, quanta=quanta, electronic=electronic)
    added = added_log_variance(rays, dose_fraction=dose, quanta=quanta, electronic=electronic)
    after = log_variance(rays, quanta=quanta * dose, electronic=electronic)
    assert before + added == pytest.approx(after, rel=1e-4)


def test_the_added_variance_is_equation_2_as_printed() -> None:
    path, dose, quanta, electronic = 4.0, 0.2, 1e5, 20.0
    inverse = np.exp(path) / quanta
    printed = (1 - dose) / dose * inverse * (1 + (1 + dose) / dose * electronic * inverse)
    ours = added_log_variance(
        np.float32([path]), dose_fraction=dose, quanta=quanta, electronic=electronic
    )
    assert ours[0] == pytest.approx(printed, rel=1e-5)


def test_full_dose_adds_nothing_at_all() -> None:
    rays = np.linspace(0, 12, 50, dtype=np.float32)
    assert not added_log_variance(rays, dose_fraction=1, quanta=1e4, electronic=100).any()


@pytest.mark.parametrize("window", [HANN, SHEPP_LOGAN], ids=lambda w: w.name)
@pytest.mark.parametrize("quanta", [1e5, 1e6])
def test_known_quanta_are_recovered_within_5_percent(
    quanta: float, window: Apodisation, draw_water: DrawWater, scanned: Scanned
) -> None:
    water = draw_water(radius_mm=(150, 120))
    found = [
        recovered(scanned(water, Scan(quanta, window), seed=seed), window, seed=seed)
        for seed in range(16)
    ]
    assert np.exp(np.mean(np.log(found))) == pytest.approx(quanta, rel=0.05)


def recovered(
    ct_slice: CTSlice, window: Apodisation, *, seed: int = 0, electronic: float = 10
) -> float:
    return quanta_of_slice(
        ct_slice.hu,
        pixel_mm=ct_slice.pixel_mm,
        apodisation=window,
        rng=np.random.default_rng([seed, 1]),
        electronic=electronic,
    )


def test_quanta_are_recovered_where_electronic_noise_outweighs_them(
    draw_water: DrawWater, scanned: Scanned
) -> None:
    water, electronic = draw_water(radius_mm=(130, 130)), 2000.0
    scan = Scan(1e5, SHEPP_LOGAN, electronic)
    found = [
        recovered(scanned(water, scan, seed=seed), SHEPP_LOGAN, seed=seed, electronic=electronic)
        for seed in range(16)
    ]
    blind = recovered(scanned(water, scan), SHEPP_LOGAN, electronic=0)
    assert np.exp(np.mean(np.log(found))) == pytest.approx(1e5, rel=0.05)
    assert blind < 0.7e5


def test_the_same_generator_finds_the_same_quanta(draw_water: DrawWater, scanned: Scanned) -> None:
    noisy = scanned(draw_water(), Scan(3e5, HANN))
    assert recovered(noisy, HANN, seed=4) == recovered(noisy, HANN, seed=4)


def test_a_slice_without_tissue_or_noise_cannot_tell_its_quanta(draw_water: DrawWater) -> None:
    air = draw_water().with_hu(np.full((256, 256), -1000, np.float32))
    assert np.isnan(recovered(air, HANN))
    assert np.isnan(recovered(draw_water().with_hu(np.zeros((256, 256), np.float32)), HANN))


def test_implausible_quanta_are_held_between_1e4_and_5e6(
    draw_water: DrawWater, scanned: Scanned
) -> None:
    # METHOD 2.2: guard of the calibration.
    water = draw_water(radius_mm=(60, 60), pixel_mm=0.7)
    assert recovered(scanned(water, Scan(1e3, HANN)), HANN) == 1e4
    assert recovered(scanned(water, Scan(1e8, HANN)), HANN) == 5e6


def test_equal_quanta_stay_equal_and_gaps_are_filled() -> None:
    smooth = smooth_along_table([np.nan, 2e5, np.nan, 2e5, np.nan], [0, 5, 10, 900, 2000])
    assert smooth == pytest.approx([2e5] * 5)


def test_smoothing_halves_the_scatter_but_keeps_the_modulation() -> None:
    z_mm = np.arange(0, 600, 5.0)
    modulated = 3e5 * 2 ** np.sin(z_mm / 90)
    rng = np.random.default_rng(0)
    measured = modulated * np.exp(0.1 * rng.standard_normal(z_mm.size))
    smooth = smooth_along_table(measured.tolist(), z_mm.tolist())
    error = np.log(smooth / modulated)[6:-6]
    assert error.std() < 0.05
    assert smooth.max() / smooth.min() > 3


def test_slices_far_apart_keep_their_own_quanta() -> None:
    assert smooth_along_table([1e5, 4e5], [0, 100]) == pytest.approx([1e5, 4e5], rel=1e-3)


def test_a_gap_takes_the_nearest_quanta_however_far_they_are() -> None:
    smooth = smooth_along_table([1e5, np.nan, 4e5], [0, 900, 1000])
    assert smooth[1] == pytest.approx(4e5, rel=1e-3)


def test_a_series_that_cannot_tell_gets_the_routine_quanta() -> None:
    assert smooth_along_table([np.nan, np.nan], [0, 5]).tolist() == [FALLBACK_QUANTA] * 2
