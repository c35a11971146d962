"""The window on the ramp: by name, and read off the noise of a series."""

from collections.abc import Callable

import numpy as np
import pytest

from ctiqa.dose.apodisation import HANN, RAM_LAK, SHEPP_LOGAN, Apodisation, fit_apodisation
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.global_noise import soft_tissue

EDGE_ENHANCING = Apodisation("edge-enhancing", slope=8, bend=-20)
DrawWater = Callable[..., CTSlice]
Scanned = Callable[..., CTSlice]


def fitted_to(
    window: Apodisation, draw_water: DrawWater, scanned: Scanned, *, slices: int = 3
) -> Apodisation:
    water = draw_water(radius_mm=(150, 120))
    noisy = [scanned(water, Scan(3e5, window), seed=seed).hu for seed in range(slices)]
    return fit_apodisation((hu, soft_tissue(water.hu)) for hu in noisy)


def test_the_named_windows_have_their_textbook_values() -> None:
    f = np.array([0.0, 0.25, 0.5])
    assert RAM_LAK(f) == pytest.approx([1, 1, 1])
    assert HANN(f) == pytest.approx([1, 0.5, 0])
    assert SHEPP_LOGAN(f) == pytest.approx([1, np.sin(np.pi / 4) / (np.pi / 4), 2 / np.pi])


@pytest.mark.parametrize(
    ("window", "tolerance"),
    [(HANN, 0.12), (SHEPP_LOGAN, 0.06), (RAM_LAK, 0.06), (EDGE_ENHANCING, 0.06)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_fit_recovers_the_window_that_made_the_noise(
    window: Apodisation, tolerance: float, draw_water: DrawWater, scanned: Scanned
) -> None:
    # Only the shape can be seen; the height is the quanta's. Hann is no exponential of f^2 and f^4.
    fit = fitted_to(window, draw_water, scanned)
    f = np.linspace(0.12, 0.4, 15)
    middle = np.array([0.2])
    ratio = (fit(f) / fit(middle)) / (window(f) / window(middle))
    assert np.abs(ratio - 1).max() < tolerance


def test_an_edge_enhancing_kernel_is_seen_to_rise_above_the_ramp(
    draw_water: DrawWater, scanned: Scanned
) -> None:
    fit = fitted_to(EDGE_ENHANCING, draw_water, scanned)
    assert fit(np.array([0.35]))[0] > 1.3
    assert fit.slope > 0


def test_structure_outside_the_tissue_does_not_change_the_fit(
    draw_water: DrawWater, scanned: Scanned
) -> None:
    water = draw_water(radius_mm=(150, 120))
    noisy = scanned(water, Scan(3e5, SHEPP_LOGAN)).hu
    tissue = soft_tissue(water.hu)
    busy = np.where(tissue, noisy, 700 * np.random.default_rng(0).standard_normal(noisy.shape))
    assert tissue.any()
    plain = fit_apodisation([(noisy, tissue)])
    mixed = fit_apodisation([(busy.astype(np.float32), tissue)])
    f = np.linspace(0.12, 0.4, 15)
    assert mixed(f) / plain(f) == pytest.approx(np.ones(15), abs=0.1)


def test_too_few_flat_patches_give_the_hann_window(draw_water: DrawWater, scanned: Scanned) -> None:
    assert fit_apodisation([]) == HANN
    small = scanned(draw_water(radius_mm=(40, 40)), Scan(3e5, SHEPP_LOGAN))
    assert fit_apodisation([(small.hu, soft_tissue(small.hu))]) == HANN


def test_tissue_without_noise_gives_the_hann_window(draw_water: DrawWater) -> None:
    water = draw_water(radius_mm=(150, 120))
    assert fit_apodisation([(water.hu, soft_tissue(water.hu))]) == HANN
