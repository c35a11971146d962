"""The spectrum keeps the variance, finds known frequencies and agrees with pylinac."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import fft

from ctiqa.dose.apodisation import HANN, RAM_LAK, SHEPP_LOGAN, Apodisation
from ctiqa.dose.projection import ParallelBeam
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.series import read
from ctiqa.measures.global_noise import soft_tissue
from ctiqa.measures.spectrum import NoiseSpectrum, tissue_patches

PIXEL_MM = 0.7


def white(sd_hu: float, *, patches: int = 200, side: int = 24, seed: int = 0) -> FloatImage:
    rng = np.random.default_rng(seed)
    return np.float32(sd_hu) * rng.standard_normal((patches, side, side), dtype=np.float32)


def scanned(window: Apodisation, *, sd_hu: float = 15, seed: int = 0) -> FloatImage:
    """Return (512, 512) noise as filtered back-projection makes it, of the SD asked for."""
    beam = ParallelBeam.of_size(512)
    rng = np.random.default_rng(seed)
    rays = rng.standard_normal((beam.views, beam.channels), dtype=np.float32)
    field = beam.reconstruct(rays, apodisation=window)
    return field * np.float32(sd_hu / field[100:412, 100:412].std())


def tiles(field: FloatImage, side: int = 24) -> FloatImage:
    inner = field[64:448, 64:448].reshape(384 // side, side, 384 // side, side)
    return inner.swapaxes(1, 2).reshape(-1, side, side)


@pytest.mark.parametrize("sd_hu", [3, 20, 80])
@pytest.mark.parametrize("side", [24, 32, 64])
def test_the_integral_of_white_noise_is_its_variance(sd_hu: float, side: int) -> None:
    patches = white(sd_hu, patches=250_000 // side**2, side=side)
    spectrum = NoiseSpectrum.of(patches, pixel_mm=PIXEL_MM)
    assert spectrum.variance_hu2 == pytest.approx(patches.var(dtype=np.float64), rel=0.01)


@pytest.mark.parametrize("window", [RAM_LAK, SHEPP_LOGAN, HANN], ids=lambda window: window.name)
def test_the_integral_of_scanner_noise_is_its_variance(window: Apodisation) -> None:
    # The trend takes little of coloured noise, and gives its full share back: 1 % of 24 x 24.
    patches = tiles(scanned(window))
    spectrum = NoiseSpectrum.of(patches, pixel_mm=PIXEL_MM)
    assert spectrum.variance_hu2 == pytest.approx(patches.var(dtype=np.float64), rel=0.015)


def test_white_noise_is_flat_at_its_variance_times_the_area_of_a_pixel() -> None:
    spectrum = NoiseSpectrum.of(white(10, patches=2000), pixel_mm=PIXEL_MM)
    assert spectrum.radial[2:] == pytest.approx(100 * PIXEL_MM**2, rel=0.05)
    assert spectrum.frequency_per_mm[-1] == pytest.approx(0.5 / PIXEL_MM, rel=0.05)


@pytest.mark.parametrize("window", [RAM_LAK, SHEPP_LOGAN, HANN], ids=lambda window: window.name)
def test_scanner_noise_has_the_shape_f_times_the_window_squared(window: Apodisation) -> None:
    # docs/physics.md, equation 4.
    spectrum = NoiseSpectrum.of(tiles(scanned(window)), pixel_mm=PIXEL_MM)
    f = spectrum.frequency_per_mm * PIXEL_MM
    shape = f * window(f) ** 2
    used = (f > 0.1) & (f < 0.4)
    scale = (spectrum.radial[used] @ shape[used]) / (shape[used] @ shape[used])
    difference = spectrum.radial[used] - scale * shape[used]
    assert np.abs(difference).max() < 0.08 * (scale * shape[used]).max()


def test_the_peak_and_the_mean_rise_from_a_smooth_to_a_sharp_kernel() -> None:
    spectra = [
        NoiseSpectrum.of(tiles(scanned(window)), pixel_mm=PIXEL_MM)
        for window in (HANN, SHEPP_LOGAN, RAM_LAK)
    ]
    peaks = [each.peak_per_mm for each in spectra]
    means = [each.mean_per_mm for each in spectra]
    assert peaks == sorted(peaks)
    assert means == sorted(means)
    # f (1 + cos 2 pi f)^2 is highest where f tan(pi f) = 1 / (4 pi): at 0.153 per pixel.
    assert peaks[0] == pytest.approx(0.153 / PIXEL_MM, abs=0.015)


@pytest.mark.parametrize("peak_per_px", [0.15, 0.25, 0.35])
def test_the_peak_of_a_ring_of_frequencies_is_found(peak_per_px: float) -> None:
    line = fft.fftfreq(512)
    radius = np.hypot(line[:, None], line[None, :])
    ring = np.exp(-0.5 * ((radius - peak_per_px) / 0.05) ** 2)
    noise = fft.ifft2(fft.fft2(np.random.default_rng(0).standard_normal((512, 512))) * ring).real
    spectrum = NoiseSpectrum.of(tiles(noise.astype(np.float32)), pixel_mm=PIXEL_MM)
    # A quarter of the step between two rings.
    assert spectrum.peak_per_mm == pytest.approx(peak_per_px / PIXEL_MM, abs=0.015)


def test_frequencies_are_counted_per_mm_and_power_in_mm_squared() -> None:
    patches = white(10)
    fine, coarse = (NoiseSpectrum.of(patches, pixel_mm=pixel) for pixel in (0.5, 1.0))
    assert coarse.frequency_per_mm == pytest.approx(fine.frequency_per_mm / 2)
    assert coarse.radial == pytest.approx(4 * fine.radial)
    assert coarse.variance_hu2 == pytest.approx(fine.variance_hu2)


def test_a_slope_and_a_bowl_leave_no_trace() -> None:
    line = np.linspace(-1, 1, 24)
    x, y = np.meshgrid(line, line)
    trend = (40 + 30 * x - 10 * y + 12 * x * y + 25 * y * y).astype(np.float32)
    patches = white(10)
    plain, sloping = (
        NoiseSpectrum.of(each, pixel_mm=PIXEL_MM) for each in (patches, patches + trend)
    )
    assert sloping.radial == pytest.approx(plain.radial, rel=1e-3)


def test_anatomy_at_low_frequencies_moves_the_peak_little() -> None:
    rng = np.random.default_rng(1)
    structure = np.float32(60) * rng.standard_normal((512, 512), dtype=np.float32)
    line = fft.fftfreq(512)
    slow = np.exp(-0.5 * (np.hypot(line[:, None], line[None, :]) / 0.03) ** 2)
    structure = fft.ifft2(fft.fft2(structure) * slow).real.astype(np.float32)
    noise = scanned(SHEPP_LOGAN)
    clean, busy = (
        NoiseSpectrum.of(tiles(each), pixel_mm=PIXEL_MM) for each in (noise, noise + structure)
    )
    assert busy.radial[0] > 1.5 * clean.radial[0]
    assert busy.peak_per_mm == pytest.approx(clean.peak_per_mm, rel=0.03)
    assert busy.mean_per_mm == pytest.approx(clean.mean_per_mm, rel=0.05)


def test_pooling_slices_is_pooling_their_patches() -> None:
    patches = white(10, patches=50)
    parts = [NoiseSpectrum.of(part, pixel_mm=0.7) for part in (patches[:10], patches[10:])]
    pooled = NoiseSpectrum.pooled([*parts, NoiseSpectrum.of(patches, pixel_mm=0.9)])
    assert pooled is not None
    assert pooled.patches == 50
    assert pooled.power == pytest.approx(NoiseSpectrum.of(patches, pixel_mm=0.7).power)
    assert NoiseSpectrum.pooled([]) is None


def test_nothing_is_found_in_what_was_drawn_without_noise() -> None:
    spectrum = NoiseSpectrum.of(np.zeros((3, 24, 24), np.float32), pixel_mm=PIXEL_MM)
    assert spectrum.variance_hu2 == 0
    assert np.isnan([spectrum.peak_per_mm, spectrum.mean_per_mm]).all()


def test_patches_lie_in_tissue_and_keep_clear_of_vessels() -> None:
    hu = 50 + scanned(HANN)
    tissue = np.zeros(hu.shape, bool)
    tissue[128:384, 128:384] = True
    everywhere = tissue_patches(hu, tissue)
    assert len(everywhere) > 300
    hu[200:206, 128:384] += 200
    fewer = tissue_patches(hu, tissue)
    assert 0 < len(fewer) < len(everywhere)
    assert fewer.max() < 150
    assert tissue_patches(hu, np.zeros_like(tissue)).shape == (0, 24, 24)


def test_the_spectrum_agrees_with_pylinac() -> None:
    golden = Path(__file__).parents[1] / "golden" / "pylinac_spectrum.py"
    theirs = json.loads(golden.with_suffix(".json").read_text("utf-8"))
    made = runpy.run_path(str(golden))
    ours = NoiseSpectrum.of(made["patches"](), pixel_mm=made["PIXEL_MM"])
    centred, power = np.fft.fftshift(ours.power), np.array(theirs["power_2d"])
    # pylinac takes only the mean away, which is felt in the lowest frequencies alone.
    line = np.arange(-12, 12)
    clear = np.hypot(line[:, None], line[None, :]) > 2
    assert centred[clear].sum() == pytest.approx(power[clear].sum(), rel=0.015)
    assert np.corrcoef(centred[clear], power[clear])[0, 1] > 0.995
    # Its rings begin at whole steps of frequency, ours half a step before.
    rings = np.hypot(line[:, None], line[None, :]).astype(int)
    radial = [centred[rings == ring].mean() for ring in range(3, 12)]
    assert radial == pytest.approx(np.array(theirs["power_1d"])[3:12], rel=0.015)


def test_the_sharp_kernel_of_the_same_raw_data_has_the_higher_frequencies(real_ct: Path) -> None:
    found = []
    for folder in ("test/Lung_Dx-A0001", "kernel-pair/Lung_Dx-A0001-L"):
        series = read(real_ct / folder).series[0]
        spectra = []
        for ct_slice in (series[index] for index in range(0, len(series), 6)):
            patches = tissue_patches(ct_slice.hu, soft_tissue(ct_slice.hu))
            if len(patches):
                spectra.append(NoiseSpectrum.of(patches, pixel_mm=ct_slice.pixel_mm))
        pooled = NoiseSpectrum.pooled(spectra)
        assert pooled is not None
        found.append((pooled.peak_per_mm, pooled.mean_per_mm))
    (soft_peak, soft_mean), (sharp_peak, sharp_mean) = found
    assert sharp_peak > 1.5 * soft_peak
    assert sharp_mean > 1.2 * soft_mean
