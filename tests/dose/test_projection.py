"""The gridding core against finufft, scikit-image and the formulas of METHOD 2.2 and 2.5."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import fft

from ctiqa.dose.apodisation import HANN, RAM_LAK, SHEPP_LOGAN, Apodisation
from ctiqa.dose.projection import MU_WATER_PER_MM, ParallelBeam
from ctiqa.dose.simulate import Scan, noise_parts
from ctiqa.images.ct_slice import CTSlice

finufft = pytest.importorskip("finufft")
transform = pytest.importorskip("skimage.transform")

Floats = npt.NDArray[np.float64]
BEAM = ParallelBeam(size=128, views=90, channels=192)


def disc(size: int, radius: float, centre: float) -> npt.NDArray[np.float32]:
    line = np.arange(size) - centre
    distance = np.hypot(line[:, None], line[None, :])
    return (1 / (1 + np.exp((distance - radius) / 2))).astype(np.float32)


def polar_points(beam: ParallelBeam) -> tuple[Floats, Floats, npt.NDArray[np.complex128]]:
    """Return row and column frequency of every polar point, and the shift to the detector."""
    frequency = np.arange(beam.channels // 2 + 1) / beam.channels
    angle = np.pi * np.arange(beam.views)[:, None] / beam.views
    row, column = frequency * np.sin(angle), frequency * np.cos(angle)
    shift = np.exp(-2j * np.pi * (0.5 * (row + column) + frequency * beam.channels / 2))
    return 2 * np.pi * row.ravel(), 2 * np.pi * column.ravel(), shift


def test_a_projection_is_the_fourier_slice_that_finufft_computes() -> None:
    image = np.random.default_rng(0).normal(size=(128, 128)).astype(np.float32)
    row, column, shift = polar_points(BEAM)
    polar = finufft.nufft2d2(row, column, image.astype(complex), isign=-1, eps=1e-12)
    exact = fft.irfft(polar.reshape(shift.shape) * shift, n=BEAM.channels, axis=1)
    error = np.linalg.norm(BEAM.project(image) - exact) / np.linalg.norm(exact)
    assert error < 1e-3  # METHOD 2.7: 8e-4 at kernel width 4


def test_a_back_projection_is_the_adjoint_that_finufft_computes() -> None:
    noise = np.random.default_rng(1).normal(size=(90, 192)).astype(np.float32)
    row, column, shift = polar_points(BEAM)
    ramp = np.arange(97) / 192 * np.pi / (90 * 192)
    ramp[1:-1] *= 2
    polar = (fft.rfft(noise.astype(float), axis=1) * ramp * shift.conj()).ravel()
    exact = finufft.nufft2d1(row, column, polar, (128, 128), isign=1, eps=1e-12).real
    ours = BEAM.reconstruct(noise, apodisation=RAM_LAK)
    assert np.linalg.norm(ours - exact) / np.linalg.norm(exact) < 1e-3  # METHOD 2.7: 6e-4


def test_projection_and_back_projection_are_adjoint() -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(size=(128, 128)).astype(np.float32)
    noise = rng.normal(size=(90, 192)).astype(np.float32)
    ramp = np.pi / 90 * np.arange(97) / 192
    filtered = fft.irfft(fft.rfft(noise.astype(float), axis=1) * ramp, n=192, axis=1)
    forth = np.vdot(BEAM.project(image), filtered)
    back = np.vdot(image, BEAM.reconstruct(noise, apodisation=RAM_LAK))
    assert back == pytest.approx(forth, rel=1e-4)


@pytest.mark.filterwarnings("ignore:Radon transform")  # the soft edge has no exact end
def test_a_disc_projects_within_0_3_percent_of_scikit_image() -> None:
    # scikit-image turns about pixel size/2, we about the centre, half a pixel before.
    theirs = transform.radon(disc(256, 80, 128), np.arange(0, 180, 2.0), circle=True).T
    beam = ParallelBeam(size=256, views=90, channels=384)
    ours = beam.project(disc(256, 80, 127.5))[:, 64:320]
    assert abs(ours - theirs).max() < 0.003 * theirs.max()


def test_a_noise_field_is_the_one_that_scikit_image_reconstructs() -> None:
    beam = ParallelBeam(size=256, views=360, channels=384)
    noise = np.random.default_rng(3).normal(size=(360, 384)).astype(np.float32)
    angle = np.pi * np.arange(360)[:, None] / 360
    half_pixel = 0.5 * (np.cos(angle) + np.sin(angle))
    phase = np.exp(2j * np.pi * np.arange(193) / 384 * half_pixel)
    shifted = fft.irfft(fft.rfft(noise.astype(float), axis=1) * phase, n=384, axis=1)
    theirs = transform.iradon(
        shifted.T,
        theta=-np.degrees(angle[:, 0]),
        filter_name="hann",
        output_size=256,
        interpolation="cubic",
    )
    ours = beam.reconstruct(noise, apodisation=HANN)
    row, column = np.indices((256, 256)) - 128
    inside = np.hypot(row, column) < 120
    assert np.corrcoef(ours[inside], theirs[inside])[0, 1] > 0.995
    assert ours[inside].std() == pytest.approx(theirs[inside].std(), rel=0.03)


def test_rays_through_a_water_disc_are_its_chords(draw_water: Callable[..., CTSlice]) -> None:
    # METHOD 2.5, 1: radius 150 mm, longest line integral 300 x 0.0193 = 5.79.
    water = draw_water(radius_mm=(150, 150), size=256, pixel_mm=1.4)
    rays = ParallelBeam.of_size(256).line_integrals(water.hu, pixel_mm=1.4)
    assert rays.max() == pytest.approx(5.79, rel=0.003)
    position = (np.arange(384) - 192) * 1.4
    chord = 2 * MU_WATER_PER_MM * np.sqrt(np.maximum(150**2 - position**2, 0))
    assert np.abs(rays - chord)[:, np.abs(position) < 120].max() < 0.003 * 5.79


def test_a_disc_comes_back_with_its_attenuation(draw_water: Callable[..., CTSlice]) -> None:
    # METHOD 2.5, 1. An object needs a detector padded with zeros; noise does not.
    water = draw_water(radius_mm=(150, 150), size=128, pixel_mm=2.8)
    padded = ParallelBeam(size=128, views=180, channels=4096)
    rays = padded.line_integrals(water.hu, pixel_mm=2.8)
    attenuation = padded.reconstruct(rays, apodisation=HANN) / 2.8
    line = (np.arange(128) - 63.5) * 2.8
    inside = np.hypot(line[:, None], line[None, :]) < 135
    assert attenuation[inside].mean() == pytest.approx(0.01930, rel=0.002)


def equation_4_hu(window: Apodisation, *, variance: float, pixel_mm: float, views: int) -> float:
    """Return the noise in HU that equation 4 gives without interpolation (A = 1)."""
    f = np.linspace(0, 0.5, 5001)
    integral = np.trapezoid(2 * (f * window(f)) ** 2, f)
    sd_per_mm = np.sqrt(np.pi**2 / views * variance * integral) / pixel_mm
    return float(sd_per_mm * 1000 / MU_WATER_PER_MM)


WINDOWS = pytest.mark.parametrize("window", [HANN, SHEPP_LOGAN, RAM_LAK], ids=lambda w: w.name)


@WINDOWS
def test_noise_of_one_variance_has_the_sd_of_equation_4(window: Apodisation) -> None:
    beam = ParallelBeam.of_size(256)
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((beam.views, beam.channels), dtype=np.float32)
    field = beam.noise_field(noise, pixel_mm=0.7, apodisation=window)
    expected = equation_4_hu(window, variance=1, pixel_mm=0.7, views=beam.views)
    assert field.std() == pytest.approx(expected, rel=0.01)


@WINDOWS
def test_noise_at_the_centre_of_water_follows_equation_4(
    window: Apodisation, draw_water: Callable[..., CTSlice]
) -> None:
    # METHOD 2.5, 3: within 10 % for hann, 15 % for the ramp; 200 mm of water at 1e5 quanta.
    water = draw_water(radius_mm=(100, 100), size=256, pixel_mm=1.4)
    rng = np.random.default_rng(5)
    fields = noise_parts(water, scan=Scan(1e5, window), rng=rng, quantum=8, electronic=0)
    middle = fields[:, 112:144, 112:144]
    variance = np.exp(200 * MU_WATER_PER_MM) / 1e5
    expected = equation_4_hu(window, variance=variance, pixel_mm=1.4, views=720)
    assert middle.std() == pytest.approx(expected, rel=0.06)


def noise_power_hu2_mm2(fields: npt.NDArray[np.float32], pixel_mm: float) -> tuple[Floats, Floats]:
    """Return the radial frequencies per mm and the noise power spectrum there."""
    side = fields.shape[-1]
    centred = fields - fields.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(fft.fft2(centred.astype(float))) ** 2).mean(axis=0) * pixel_mm**2 / side**2
    line = fft.fftfreq(side, pixel_mm)
    radius = np.hypot(line[:, None], line[None, :]).ravel()
    ring = (radius * 40).astype(int)
    count = np.bincount(ring)
    return np.bincount(ring, radius) / count, np.bincount(ring, power.ravel()) / count


@WINDOWS
def test_the_noise_power_spectrum_is_the_ramp_times_the_window_squared(
    window: Apodisation,
) -> None:
    # METHOD 2.5, 4: unit HU^2 mm^2; its integral is the variance of equation 4 (Parseval).
    beam, pixel_mm = ParallelBeam.of_size(128), 0.7
    rng = np.random.default_rng(6)
    noise = rng.standard_normal((24, beam.views, beam.channels), dtype=np.float32)
    fields = np.stack([beam.noise_field(n, pixel_mm=pixel_mm, apodisation=window) for n in noise])
    frequency, power = noise_power_hu2_mm2(fields, pixel_mm)
    scale = np.pi / beam.views * pixel_mm * (1000 / MU_WATER_PER_MM) ** 2
    expected = scale * frequency * window(frequency * pixel_mm) ** 2
    used = (frequency > 0.1) & (frequency < 0.6)
    assert np.abs(power - expected)[used].max() < 0.08 * expected[used].max()
    rings = np.trapezoid(2 * np.pi * frequency * power, frequency)
    assert rings == pytest.approx(fields.var(), rel=0.05)


def test_a_sharper_window_moves_the_peak_of_the_noise_up() -> None:
    # METHOD 2.5, 4: the power under 0.05 per mm stays under 0.25 of the peak (hann: 0.45).
    beam = ParallelBeam.of_size(128)
    rng = np.random.default_rng(7)
    noise = rng.standard_normal((16, beam.views, beam.channels), dtype=np.float32)
    peaks = []
    for window, most in ((HANN, 0.45), (SHEPP_LOGAN, 0.25), (RAM_LAK, 0.25)):
        fields = np.stack([beam.noise_field(n, pixel_mm=0.7, apodisation=window) for n in noise])
        frequency, power = noise_power_hu2_mm2(fields, 0.7)
        peaks.append(frequency[power.argmax()])
        assert power[frequency < 0.05].mean() < most * power.max()
    assert peaks == sorted(peaks)
    assert peaks[0] < 0.3  # hann: f cos^4(pi f) peaks at 0.153 per pixel, 0.22 per mm


def test_a_detector_shorter_than_the_diagonal_is_refused() -> None:
    with pytest.raises(ValueError, match="do not cover"):
        ParallelBeam(size=512, channels=700)
    with pytest.raises(ValueError, match="do not cover"):
        ParallelBeam(size=512, channels=769)
