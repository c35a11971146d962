"""Phantoms have the sizes and values they claim, and their DICOM reads back as a series."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from ctiqa.images.phantom import (
    abdomen_slice,
    chest_slice,
    ct_noise,
    shoulder_slice,
    water_slice,
    write_phantom_series,
)
from ctiqa.images.series import read


@pytest.mark.parametrize("radius_mm", [50, 100, 150])
def test_a_disc_of_water_has_the_area_of_a_disc(radius_mm: float) -> None:
    disc = water_slice(radius_mm=radius_mm)
    area_mm2 = float((disc.hu / 1000 + 1).sum()) * 0.7**2
    assert area_mm2 == pytest.approx(np.pi * radius_mm**2, rel=2e-4)
    assert disc.hu[256, 256] == 0
    assert disc.hu[0, 0] == -1000


def test_the_longest_ray_through_the_shoulders_is_eight() -> None:
    """Row 6 of the physics tests: 344 mm of water and two bones, 0.0193 per mm of water."""
    shoulders = shoulder_slice()
    middle = (shoulders.hu[256] / 1000 + 1).sum() * shoulders.pixel_mm * 0.0193
    assert middle == pytest.approx(8.0, abs=0.03)


@pytest.mark.parametrize("draw", [chest_slice, abdomen_slice])
def test_a_patient_is_drawn_by_its_seed(draw: object) -> None:
    assert callable(draw)
    first, again, other = (draw(level=0.4, seed=seed, size=128, pixel_mm=3) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.hu, again.hu)
    assert np.abs(first.hu - other.hu).max() > 100


def test_a_chest_holds_lungs_soft_tissue_and_bone() -> None:
    hu = chest_slice(level=0.5).hu
    body = hu > -950
    assert 0.2 < ((hu > -900) & (hu < -800)).sum() / body.sum() < 0.5
    assert 0.2 < ((hu > 20) & (hu < 90)).sum() / body.sum() < 0.6
    assert 0.01 < (hu > 180).sum() / body.sum() < 0.1


def test_neighbouring_levels_are_alike_and_far_ones_are_not() -> None:
    near, far = chest_slice(level=0.5).hu, chest_slice(level=0.9).hu
    here = chest_slice(level=0.48).hu
    assert np.abs(here - near).mean() < 0.5 * np.abs(here - far).mean()


def test_the_noise_has_its_size_at_the_centre_and_no_mean() -> None:
    noise = ct_noise(sd_hu=20, rng=np.random.default_rng(0))
    assert noise[206:306, 206:306].std() == pytest.approx(20, rel=0.05)
    assert noise[:50, :50].std() < 15
    assert abs(noise.mean()) < 0.1


def test_the_noise_is_coloured_as_back_projection_colours_it() -> None:
    """The spectrum of a Hann kernel rises to its peak at 0.12 per pixel and falls to nothing."""
    noise = ct_noise(sd_hu=20, rng=np.random.default_rng(0))
    power = np.abs(np.fft.fft2(noise)) ** 2
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512))
    low, peak, high = (
        power[(frequency > start) & (frequency < start + 0.02)].mean() for start in (0, 0.11, 0.45)
    )
    assert low < 0.35 * peak
    assert high < 0.05 * peak


@pytest.mark.parametrize("kind", ["chest", "abdomen"])
def test_a_phantom_series_reads_back_in_order(tmp_path: Path, kind: str) -> None:
    written = write_phantom_series(tmp_path, slices=3, kind=kind, size=128, pixel_mm=3)
    reading = read(tmp_path, size=None)
    (series,) = reading.series
    assert not reading.refusals
    assert not series.notes
    assert [header.identity.path for header in reversed(series.headers)] == [
        path.name for path in written
    ]
    assert series.headers[0].acquisition.body_part == kind.upper()
    assert pydicom.dcmread(written[0]).PatientName == "PHANTOM^CTIQA"


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_phantom_series(tmp_path / name, slices=1, size=64, pixel_mm=6)
    first, second = ((tmp_path / name / "0000.dcm").read_bytes() for name in ("one", "two"))
    assert first == second
