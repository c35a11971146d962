"""The noise meter reads known noise, and does not lose the tissue when noise is high."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctiqa.dose.apodisation import HANN, RAM_LAK, Apodisation
from ctiqa.dose.projection import ParallelBeam
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.phantom import chest_slice
from ctiqa.images.series import read
from ctiqa.measures.global_noise import (
    NOISE_VARIANTS,
    NoiseVariant,
    global_noise_hu,
    local_sd,
    modal_sd,
    soft_tissue,
)


def disc_hu(*, radius: float = 100, inside: float = 50, size: int = 256) -> FloatImage:
    line = np.arange(size) - (size - 1) / 2
    distance = np.hypot(line[:, None], line[None, :])
    return np.where(distance < radius, inside, -1000).astype(np.float32)


def white(sd_hu: float, *, size: int = 256, seed: int = 0) -> FloatImage:
    rng = np.random.default_rng(seed)
    return np.float32(sd_hu) * rng.standard_normal((size, size), dtype=np.float32)


def ct_like(sd_hu: float, window: Apodisation, *, size: int = 256, seed: int = 0) -> FloatImage:
    """Return noise with the spectrum of filtered back-projection and the SD asked for."""
    beam = ParallelBeam.of_size(size)
    rng = np.random.default_rng(seed)
    rays = rng.standard_normal((beam.views, beam.channels), dtype=np.float32)
    field = beam.reconstruct(rays, apodisation=window)
    return field * np.float32(sd_hu / field.std())


@pytest.mark.parametrize("sd_hu", [5, 10, 20, 50, 100])
def test_known_noise_is_read_from_5_to_100_hu(sd_hu: float) -> None:
    assert global_noise_hu(disc_hu() + white(sd_hu)) == pytest.approx(sd_hu, rel=0.03)


@pytest.mark.parametrize("sd_hu", [5, 20, 100])
def test_the_noise_of_a_sharp_kernel_is_read_as_well(sd_hu: float) -> None:
    noisy = disc_hu() + ct_like(sd_hu, RAM_LAK)
    assert global_noise_hu(noisy) == pytest.approx(sd_hu, rel=0.05)


def test_the_reading_is_proportional_to_the_noise() -> None:
    # Smooth noise hides part of its power from a 7 x 7 window; the same part at every level.
    field = ct_like(1, HANN)
    tissue = soft_tissue(disc_hu())
    readings = [modal_sd(disc_hu() + np.float32(sd) * field, tissue) / sd for sd in (5, 20, 80)]
    assert readings == pytest.approx([readings[0]] * 3, rel=0.01)
    assert 0.7 < readings[0] < 1


def test_the_meter_still_finds_tissue_at_quarter_dose_with_a_sharp_kernel() -> None:
    # METHOD 2.7: a mask of single pixels between 0 and 100 HU and its erosion are empty there.
    chest = chest_slice(level=0.5, size=256, pixel_mm=1.5).hu
    quarter = chest + ct_like(90, RAM_LAK, seed=2)
    in_limits = (quarter > 0) & (quarter < 100)
    whole = np.lib.stride_tricks.sliding_window_view(in_limits, (7, 7)).all(axis=(2, 3))
    assert not whole.any()
    assert global_noise_hu(quarter) == pytest.approx(90, rel=0.08)


def test_doubling_the_noise_of_a_real_slice_doubles_the_reading(real_ct: Path) -> None:
    series = read(real_ct / "test" / "Lung_Dx-A0001").series[0]
    hu = series[24].hu
    tissue = soft_tissue(hu)
    own_hu = modal_sd(hu, tissue)
    field = ct_like(1, HANN, size=512)
    field *= np.float32(np.sqrt(3) * own_hu / modal_sd(field, tissue))
    assert global_noise_hu(hu + field) / own_hu == pytest.approx(2, rel=0.06)


def test_vessels_and_edges_do_not_raise_the_reading() -> None:
    quiet = disc_hu() + white(15)
    busy = quiet.copy()
    line = np.arange(256) - 127.5
    for row, column in ((-40, -40), (-40, 30), (20, -50), (45, 45), (10, 10)):
        busy[np.hypot(line[:, None] - row, line[None, :] - column) < 6] += 160
    assert global_noise_hu(busy) == pytest.approx(global_noise_hu(quiet), rel=0.03)


def test_turning_a_slice_does_not_change_its_noise() -> None:
    noisy = disc_hu() + white(12)
    turned = [global_noise_hu(np.ascontiguousarray(np.rot90(noisy, k))) for k in range(4)]
    turned.append(global_noise_hu(np.ascontiguousarray(noisy[:, ::-1])))
    assert turned == pytest.approx([turned[0]] * 5, rel=1e-3)


def test_a_slice_without_soft_tissue_has_no_reading() -> None:
    assert np.isnan(global_noise_hu(np.full((256, 256), -1000, np.float32)))
    assert np.isnan(global_noise_hu(np.full((256, 256), 400, np.float32) + white(10)))
    assert np.isnan(global_noise_hu(disc_hu(radius=8) + white(10)))


def test_noiseless_tissue_reads_zero() -> None:
    assert global_noise_hu(np.full((128, 128), 50, np.float32)) == 0


def test_an_odd_matrix_is_measured_too() -> None:
    odd = (disc_hu() + white(20))[:251, :247]
    assert soft_tissue(odd).shape == odd.shape
    assert global_noise_hu(odd) == pytest.approx(20, rel=0.04)


def test_the_local_sd_is_the_sample_sd_of_its_window() -> None:
    noisy = disc_hu() + white(30)
    window = noisy[125:132, 101:108].astype(float)
    assert local_sd(noisy)[128, 104] == pytest.approx(window.std(ddof=1), rel=1e-3)


each_variant = pytest.mark.parametrize("variant", NOISE_VARIANTS, ids=lambda variant: variant.name)


@each_variant
@pytest.mark.parametrize("sd_hu", [5, 12])
def test_every_published_variant_reads_known_noise_in_water_and_in_air(
    variant: NoiseVariant, sd_hu: float
) -> None:
    # The mean over tissue holds the rim of the disc as well, which the mode does not see.
    high = 1.25 if variant.name.endswith("tissue_mean") else 1.06
    assert 0.94 < variant(disc_hu(radius=90) + white(sd_hu)) / sd_hu < high


def test_the_variants_have_names_of_their_own_and_a_source() -> None:
    assert len({variant.name for variant in NOISE_VARIANTS}) == len(NOISE_VARIANTS)
    assert all(variant.doi.startswith("10.") for variant in NOISE_VARIANTS)


def by_name(name: str) -> NoiseVariant:
    return next(variant for variant in NOISE_VARIANTS if variant.name == name)


def test_a_mean_is_raised_by_edges_and_a_mode_is_not() -> None:
    chest = chest_slice(level=0.5, size=256, pixel_mm=1.5).hu + white(10)
    mode, mean = (by_name(f"malkus2017_tissue_{each}")(chest) for each in ("mode", "mean"))
    assert mode == pytest.approx(10, rel=0.2)
    assert mean > 1.5 * mode


def test_leaving_steep_places_out_lowers_the_mean() -> None:
    chest = chest_slice(level=0.5, size=256, pixel_mm=1.5).hu + white(10)
    variant = by_name("malkus2017_tissue_mean")
    assert variant(chest) < replace(variant, steepest_hu_per_px=None)(chest)


@pytest.mark.parametrize("statistic", ["mode", "mean"])
def test_air_that_was_clipped_has_no_noise_to_read(statistic: str) -> None:
    clipped = np.maximum(disc_hu(radius=90) + white(10), -1000)
    assert np.isnan(by_name(f"malkus2017_air_{statistic}")(clipped))


def test_air_that_the_scanner_did_not_reconstruct_does_not_count() -> None:
    noisy = disc_hu(radius=70) + white(10)
    line = np.arange(256) - 127.5
    noisy[np.hypot(line[:, None], line[None, :]) > 115] = -1000
    assert by_name("malkus2017_air_mean")(noisy) == pytest.approx(10, rel=0.05)


def test_the_table_is_no_air() -> None:
    noisy = disc_hu(radius=70) + white(10)
    noisy[215:235, 30:226] += 300
    assert by_name("malkus2017_air_mean")(noisy) == pytest.approx(10, rel=0.05)


@each_variant
def test_a_variant_without_its_region_has_no_reading(variant: NoiseVariant) -> None:
    assert np.isnan(variant(np.full((64, 64), 400, np.float32)))
