"""d' has its closed form in white noise, and rises with the root of the dose."""

import numpy as np
import pytest

from ctiqa.dose.apodisation import HANN
from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.quanta import log_variance
from ctiqa.images.phantom import water_slice
from ctiqa.measures.detectability import TASKS, Task, detectability
from ctiqa.measures.spectrum import NoiseSpectrum

LARGE, SMALL = TASKS
PIXEL_MM = 0.7


def white(sd_hu: float, *, pixel_mm: float = 0.7) -> NoiseSpectrum:
    power = np.full((64, 64), sd_hu**2 * pixel_mm**2)
    return NoiseSpectrum(power, pixel_mm, patches=1)


def in_water(dose: float, *, seed: int = 0) -> NoiseSpectrum:
    """Return the spectrum of quantum noise in a disc of water at a dose."""
    water = water_slice(radius_mm=130, pixel_mm=PIXEL_MM).hu
    beam = ParallelBeam.of_size(512)
    rays = beam.line_integrals(water, pixel_mm=PIXEL_MM)
    spread = np.sqrt(log_variance(rays, quanta=3e5 * dose, electronic=0))
    rng = np.random.default_rng(seed)
    noise = beam.noise_field(
        spread * rng.standard_normal(spread.shape, dtype=np.float32),
        pixel_mm=PIXEL_MM,
        apodisation=HANN,
    )
    patches = noise[160:352, 160:352].reshape(8, 24, 8, 24).swapaxes(1, 2).reshape(-1, 24, 24)
    return NoiseSpectrum.of(patches, pixel_mm=PIXEL_MM)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("sd_hu", [10, 25])
def test_in_white_noise_it_is_contrast_over_noise_times_the_root_of_the_pixels(
    task: Task, sd_hu: float
) -> None:
    # Parseval: the integral of |W|^2 is the contrast squared times the disc's area.
    pixels = np.pi * task.diameter_mm**2 / 4 / PIXEL_MM**2
    expected = task.contrast_hu / sd_hu * np.sqrt(pixels)
    assert detectability(task, white(sd_hu), blur_sigma_mm=0) == pytest.approx(expected, rel=0.03)


def test_it_rises_with_the_root_of_the_dose_under_pure_quantum_noise() -> None:
    doses = np.array([0.1, 0.25, 0.5, 1])
    for task in TASKS:
        found = [
            detectability(task, in_water(dose, seed=index), blur_sigma_mm=0.6)
            for index, dose in enumerate(doses)
        ]
        slope = np.polyfit(np.log(doses), np.log(found), 1)[0]
        assert slope == pytest.approx(0.5, abs=0.05), task.name


def test_blur_without_less_noise_lowers_it_and_hurts_the_small_disc_more() -> None:
    lost = []
    for task in (LARGE, SMALL):
        sharp, soft = (detectability(task, white(10), blur_sigma_mm=sigma) for sigma in (0.3, 1.5))
        lost.append(soft / sharp)
    assert lost[1] < lost[0] < 1


def test_it_is_proportional_to_the_contrast() -> None:
    faint, clear = (Task("disc", 8, contrast) for contrast in (10, 30))
    ratio = detectability(clear, white(10), blur_sigma_mm=0.5) / detectability(
        faint, white(10), blur_sigma_mm=0.5
    )
    assert ratio == pytest.approx(3)


def test_noise_at_the_frequencies_of_the_disc_hides_it_most() -> None:
    line = np.abs(np.fft.fftfreq(64))
    radius = np.hypot(line[:, None], line[None, :])
    low, high = (
        NoiseSpectrum(np.exp(-0.5 * ((radius - peak) / 0.05) ** 2), PIXEL_MM, 1)
        for peak in (0.12, 0.4)
    )
    same_variance = np.sqrt(low.variance_hu2 / high.variance_hu2)
    hidden = detectability(LARGE, low, blur_sigma_mm=0.5)
    assert detectability(LARGE, high, blur_sigma_mm=0.5) / same_variance > 2 * hidden


def test_without_noise_or_without_a_blur_there_is_no_figure() -> None:
    assert np.isnan(detectability(LARGE, white(0), blur_sigma_mm=0.5))
    assert np.isnan(detectability(LARGE, white(10), blur_sigma_mm=float("nan")))


def test_the_tasks_are_the_named_ones() -> None:
    assert [(task.diameter_mm, task.contrast_hu) for task in TASKS] == [(10, 20), (5, 100)]
