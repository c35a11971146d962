"""Resolution at the patient's edges is what the slice was blurred by, whatever its noise."""

import math

import numpy as np
import pytest
from scipy import ndimage

from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.phantom import chest_slice, ct_noise, water_slice
from ctiqa.measures.sharpness import edge_sigma_mm, f50_per_mm


def disc(sigma_mm: float, *, pixel_mm: float, noise_hu: float = 0.0) -> FloatImage:
    water = water_slice(radius_mm=100, pixel_mm=pixel_mm).hu
    noise = ct_noise(sd_hu=noise_hu, rng=np.random.default_rng(0), pixel_mm=pixel_mm)
    blurred: FloatImage = ndimage.gaussian_filter(water, sigma_mm / pixel_mm) + noise
    return blurred


@pytest.mark.parametrize("noise_hu", [0.0, 10.0, 30.0])
@pytest.mark.parametrize("pixel_mm", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("sigma_mm", [0.3, 0.5, 0.8, 1.2])
def test_the_blur_of_a_disc_is_found_within_7_percent(
    sigma_mm: float, pixel_mm: float, noise_hu: float
) -> None:
    hu = disc(sigma_mm, pixel_mm=pixel_mm, noise_hu=noise_hu)
    # The edge of the phantom is sampled by area, a box of one pixel.
    expected = math.hypot(sigma_mm, pixel_mm / math.sqrt(12))
    assert edge_sigma_mm(hu, pixel_mm=pixel_mm) == pytest.approx(expected, rel=0.07)


def test_blur_of_a_chest_adds_in_squares() -> None:
    hu = chest_slice(level=0.5).hu
    before = edge_sigma_mm(hu, pixel_mm=0.75)
    after = edge_sigma_mm(ndimage.gaussian_filter(hu, 1.0), pixel_mm=0.75)
    assert after == pytest.approx(math.hypot(before, 0.75), rel=0.1)


def test_skin_that_leans_along_the_table_does_not_count_as_blur() -> None:
    sharp, leaning = disc(0.5, pixel_mm=0.7), disc(1.5, pixel_mm=0.7)
    place = np.indices(sharp.shape) - 255.5
    angle = np.arctan2(place[0], place[1])
    mixed = np.where(np.abs(angle) < np.pi * 0.4, leaning, sharp)  # 40 % of the outline
    found = edge_sigma_mm(mixed, pixel_mm=0.7)
    assert found == pytest.approx(edge_sigma_mm(sharp, pixel_mm=0.7), rel=0.01)


def test_turning_the_slice_changes_nothing() -> None:
    hu = chest_slice(level=0.5).hu
    turned = edge_sigma_mm(np.rot90(hu).copy(), pixel_mm=0.75)
    assert turned == pytest.approx(edge_sigma_mm(hu, pixel_mm=0.75), rel=0.03)


def test_without_a_clean_edge_nothing_is_claimed() -> None:
    air = np.full((256, 256), -1000, np.float32)
    full = np.full((256, 256), 40, np.float32)
    for hu in (air, full):
        assert math.isnan(edge_sigma_mm(hu, pixel_mm=0.7))


def test_pixels_too_coarse_for_an_edge_show_none() -> None:
    hu = chest_slice(level=0.5, pixel_mm=6.0, size=64).hu
    assert math.isnan(edge_sigma_mm(hu, pixel_mm=6.0))


def test_a_gaussian_halves_the_contrast_at_its_f50() -> None:
    frequency = f50_per_mm(0.7)
    assert math.exp(-2 * (math.pi * 0.7 * frequency) ** 2) == pytest.approx(0.5)
