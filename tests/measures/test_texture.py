"""Grain and edge of a slice whose noise and blur were made by formula (Rice 1945; Parseval)."""

import numpy as np
import pytest
from scipy import ndimage

from ctiqa.images.ct_slice import FloatImage, Mask
from ctiqa.images.phantom import water_slice
from ctiqa.measures.appearance import Appearance
from ctiqa.measures.body import body_mask
from ctiqa.measures.global_noise import soft_tissue
from ctiqa.measures.sharpness import edge_sigma_mm
from ctiqa.measures.texture import noise_frequency_per_mm, noise_sigma_mm, skin_sigma_mm

PIXEL_MM = 0.7
EVERYWHERE: Mask = np.ones((512, 512), bool)


def white(sd_hu: float = 20.0) -> FloatImage:
    return np.random.default_rng(3).normal(40, sd_hu, (512, 512)).astype(np.float32)


def fbp_noise(sigma_mm: float) -> FloatImage:
    """Noise of spectrum f exp(-(2 pi sigma f)^2): back-projection with a Gaussian kernel."""
    line = np.fft.fftfreq(512, PIXEL_MM)
    frequency = np.hypot(line, line[:, None])
    amplitude = np.sqrt(frequency) * np.exp(-((2 * np.pi * sigma_mm * frequency) ** 2) / 2)
    amplitude[frequency * PIXEL_MM > 0.5] = 0
    field = np.fft.ifft2(np.fft.fft2(white(1)) * amplitude).real
    return np.asarray(field * (15 / field.std()), np.float32)


def blurred_water(sigma_mm: float) -> FloatImage:
    water = water_slice(radius_mm=150, pixel_mm=PIXEL_MM).hu
    return np.asarray(ndimage.gaussian_filter(water, sigma_mm / PIXEL_MM), np.float32)


def test_white_noise_has_the_frequency_of_its_differences() -> None:
    # Var(dn/dx) + Var(dn/dy) = 4 Var(n): sqrt(4) / (2 pi) cycles per pixel.
    expected = 1 / np.pi / PIXEL_MM
    found = noise_frequency_per_mm(white(), EVERYWHERE, pixel_mm=PIXEL_MM)
    assert found == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("sigma_mm", [0.3, 0.45, 0.6, 0.8])
def test_the_kernel_is_read_off_its_noise_within_10_percent(sigma_mm: float) -> None:
    # The calmer half of the blocks is calmer by chance, which reads noise as finer than it is.
    frequency = noise_frequency_per_mm(fbp_noise(sigma_mm), EVERYWHERE, pixel_mm=PIXEL_MM)
    found = noise_sigma_mm(frequency, pixel_mm=PIXEL_MM)
    assert found == pytest.approx(sigma_mm, rel=0.1)


def test_noise_finer_than_that_of_the_ramp_tells_no_blur() -> None:
    frequency = noise_frequency_per_mm(white(), EVERYWHERE, pixel_mm=PIXEL_MM)
    assert noise_sigma_mm(frequency, pixel_mm=PIXEL_MM) == 0
    assert np.isnan(noise_sigma_mm(float("nan"), pixel_mm=PIXEL_MM))
    assert np.isnan(noise_sigma_mm(0.001, pixel_mm=PIXEL_MM))


def test_the_frequency_of_noise_does_not_depend_on_how_much_of_it_there_is() -> None:
    some, much = (
        noise_frequency_per_mm(white(sd_hu), EVERYWHERE, pixel_mm=PIXEL_MM) for sd_hu in (5, 80)
    )
    assert some == pytest.approx(much, rel=1e-3)


def test_vessels_in_a_third_of_the_tissue_do_not_change_the_frequency() -> None:
    noise = white()
    crossed = noise.copy()
    crossed[:, :170:12] += 200
    clean, found = (
        noise_frequency_per_mm(each, EVERYWHERE, pixel_mm=PIXEL_MM) for each in (noise, crossed)
    )
    assert found == pytest.approx(clean, rel=0.02)


def test_too_little_tissue_and_no_noise_have_no_frequency() -> None:
    nothing = ~EVERYWHERE
    silent = np.zeros((512, 512), np.float32)
    assert np.isnan(noise_frequency_per_mm(white(), nothing, pixel_mm=PIXEL_MM))
    assert np.isnan(noise_frequency_per_mm(silent, EVERYWHERE, pixel_mm=PIXEL_MM))


@pytest.mark.parametrize("sigma_mm", [0.5, 0.8, 1.2])
def test_the_skin_is_as_blurred_as_it_was_made_and_as_the_careful_measure_says(
    sigma_mm: float,
) -> None:
    hu = blurred_water(sigma_mm)
    found = skin_sigma_mm(hu, body_mask(hu), pixel_mm=PIXEL_MM)
    # The difference over two pixels is a box of 2 px: 4/12 px^2 of variance, and half of it of the
    # pixel's own width.
    made_mm = np.hypot(sigma_mm, PIXEL_MM * np.sqrt(4 / 12))
    assert found == pytest.approx(made_mm, rel=0.12)
    assert found > edge_sigma_mm(hu, pixel_mm=PIXEL_MM) * 0.95


def test_where_no_skin_is_seen_it_has_no_blur() -> None:
    assert np.isnan(skin_sigma_mm(white(), EVERYWHERE, pixel_mm=PIXEL_MM))
    water = water_slice(radius_mm=150, pixel_mm=PIXEL_MM).hu
    body = body_mask(water)
    assert np.isnan(skin_sigma_mm(water, body, pixel_mm=PIXEL_MM, padding=~body))


def appearance(hu: FloatImage) -> Appearance:
    return Appearance.of(hu, soft_tissue(hu), pixel_mm=PIXEL_MM)


def test_a_linear_kernel_keeps_the_grain_and_a_denoiser_does_not() -> None:
    soft, softer = (appearance(blurred_water(s) + fbp_noise(s)).grain for s in (0.6, 1.0))
    assert soft == pytest.approx(softer, rel=0.15)
    # The same sharp skin with the noise of a far softer kernel is what a denoiser leaves.
    denoised = appearance(blurred_water(0.6) + 0.3 * fbp_noise(1.5)).grain
    assert denoised < 0.75 * soft


def test_metal_counts_in_square_millimetres_and_only_inside_the_body() -> None:
    hu = blurred_water(0.6)
    hu[250:260, 250:260] = 3000
    hu[2:12, 2:12] = 3000
    assert appearance(hu).metal_mm2 == pytest.approx(100 * PIXEL_MM**2)


def test_a_disc_of_water_is_its_own_water_equivalent() -> None:
    seen = appearance(blurred_water(0.6))
    assert seen.water_equivalent_mm == pytest.approx(300, rel=0.01)
    assert (seen.cut_off_mm, seen.region) == (0, "phantom")
