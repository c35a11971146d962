"""A Gaussian blur does what theory says to noise and to edges."""

import numpy as np
import pytest

from ctiqa.degrade.blur import Blur
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage, Identity
from ctiqa.images.phantom import water_slice

MIDDLE = (slice(32, -32), slice(32, -32))


def blurred(ct_slice: CTSlice, sigma_mm: float) -> FloatImage:
    return Blur(sigma_mm).prepare(ct_slice, Scan(), noise_hu=20)(ct_slice.hu)


@pytest.mark.parametrize("sigma_mm", [0.2, 0.4, 0.8, 1.5])
def test_white_noise_falls_by_the_root_mean_square_of_the_response(
    sigma_mm: float, white: CTSlice
) -> None:
    f = np.fft.fftfreq(512)
    response = np.exp(-2 * (np.pi * sigma_mm / white.pixel_mm * f) ** 2)
    expected = np.mean(response**2)  # of each direction, so the root of the product is the mean
    after = blurred(white, sigma_mm)[MIDDLE].std() / white.hu[MIDDLE].std()
    assert after == pytest.approx(expected, rel=0.02)


def test_a_wide_blur_leaves_one_over_two_root_pi_sigma_of_white_noise(white: CTSlice) -> None:
    after = blurred(white, 1.6)[MIDDLE].std()
    assert after == pytest.approx(20 / (2 * np.sqrt(np.pi) * 2), rel=0.04)


@pytest.mark.parametrize("sigma_mm", [0.3, 0.7, 1.5])
def test_a_point_spreads_by_sigma_in_mm_whatever_the_pixel(sigma_mm: float) -> None:
    for pixel_mm in (0.5, 0.8):
        distance_mm = (np.arange(129) - 64) * pixel_mm
        line = np.exp(-0.5 * distance_mm**2)  # a point as a scanner shows it, 1 mm wide
        point = CTSlice(np.outer(line, 1000 * line).astype(np.float32), pixel_mm, Identity("point"))
        spread = blurred(point, sigma_mm)
        variance = (spread.sum(axis=0) * distance_mm**2).sum() / spread.sum()
        assert variance == pytest.approx(1 + sigma_mm**2, rel=0.01)


def test_the_mean_of_water_stays() -> None:
    water = water_slice(radius_mm=60, size=256, pixel_mm=0.7)
    assert abs(blurred(water, 1.5)[96:160, 96:160]).max() < 0.01
