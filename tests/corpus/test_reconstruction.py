"""Another reconstruction of a scan: other pixels and another kernel, the same patient and dose."""

import numpy as np
import pytest

from ctiqa.corpus.reconstruction import Reconstructed, Reconstruction, drawn, reconstructed
from ctiqa.dose.apodisation import Apodisation
from ctiqa.dose.simulate import Scan, calibrate, noise_parts
from ctiqa.images.ct_slice import CTSlice, Identity
from ctiqa.images.phantom import water_slice
from ctiqa.measures.body import body_mask

SAME = Reconstruction(pixel_factor=1.0, kernel_slope=0.0)


def noisy(side: int = 256, seed: int = 0) -> CTSlice:
    hu = 20 * np.random.default_rng(seed).standard_normal((side, side))
    return CTSlice(hu.astype(np.float32), 0.7, Identity("noise"))


def test_the_same_pixel_and_kernel_return_the_slice() -> None:
    ct_slice = noisy()
    again = reconstructed(ct_slice, SAME)
    assert np.abs(again.hu - ct_slice.hu).max() < 0.02
    assert again.pixel_mm == ct_slice.pixel_mm
    assert again.padding is None


@pytest.mark.parametrize("slope", [-10.0, -3.0, 4.0])
def test_a_kernel_changes_white_noise_by_its_own_response(slope: float) -> None:
    # The variance of filtered white noise is the mean of the squared response.
    ct_slice = noisy()
    middle = (slice(32, -32), slice(32, -32))
    changed = reconstructed(ct_slice, Reconstruction(1.0, slope)).hu[middle].std()
    f = np.fft.fftfreq(256)
    response = np.exp(slope * np.minimum(f[:, None] ** 2 + f[None, :] ** 2, 0.25))
    expected = ct_slice.hu[middle].std() * np.sqrt((response**2).mean())
    assert changed == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("factor", [0.85, 1.3, 1.6])
def test_a_disc_keeps_its_size_and_its_value_in_other_pixels(factor: float) -> None:
    disc = water_slice(radius_mm=60, size=256, pixel_mm=0.7)
    other = reconstructed(disc, Reconstruction(factor, -4.0))
    assert other.pixel_mm == pytest.approx(0.7 * factor)
    area_mm2 = body_mask(other.hu).sum() * other.pixel_mm**2
    assert area_mm2 == pytest.approx(np.pi * 60**2, rel=0.02)
    rows, columns = np.nonzero(body_mask(other.hu))
    assert [rows.mean(), columns.mean()] == pytest.approx([127.5, 127.5], abs=0.1)
    assert other.hu[120:136, 120:136].mean() == pytest.approx(0, abs=0.1)


def test_what_the_scan_did_not_see_is_padding_and_air() -> None:
    wider = reconstructed(noisy(), Reconstruction(1.5, 0.0))
    assert wider.padding is not None
    assert wider.padding[0].all()
    assert not wider.padding[128, 128]
    assert (wider.hu[wider.padding] == -1000).all()
    assert wider.padding.mean() == pytest.approx(1 - 1 / 1.5**2, abs=0.02)


def test_nothing_enters_on_the_far_side() -> None:
    hu = np.full((64, 64), -1000, np.float32)
    hu[:, :8] = 1000
    smooth = reconstructed(CTSlice(hu, 0.7, Identity("edge")), Reconstruction(1.0, -10.0))
    assert np.abs(smooth.hu[:, -16:] + 1000).max() < 1


@pytest.mark.parametrize(
    "other", [Reconstruction(1.0, -6.0), Reconstruction(1.0, 3.0), Reconstruction(1.25, -4.0)]
)
def test_the_quanta_of_a_scan_do_not_depend_on_its_reconstruction(other: Reconstruction) -> None:
    # Quanta belong to the scan, kernel and pixels to the reconstruction: calibrated on either, a
    # water disc must tell the same quanta.
    water = water_slice(radius_mm=110, size=256, pixel_mm=1.0)
    scan = Scan(3e5, Apodisation("fitted", -6.0, 0.0), 0.0)
    fields = noise_parts(water, scan=scan, rng=np.random.default_rng(0), quantum=12, electronic=0)
    slices = [water.with_hu(water.hu + field) for field in fields]
    own = np.median([one.quanta for one in calibrate(slices, electronic=0)])
    anew = np.median([one.quanta for one in calibrate(Reconstructed(slices, other), electronic=0)])
    assert own == pytest.approx(3e5, rel=0.1)
    assert anew == pytest.approx(own, rel=0.25)


def test_draws_repeat_and_stay_within_their_range() -> None:
    draws = [drawn(np.random.default_rng(seed)) for seed in range(200)]
    assert draws[7] == drawn(np.random.default_rng(7))
    factors = np.array([one.pixel_factor for one in draws])
    slopes = np.array([one.kernel_slope for one in draws])
    assert 0.85 <= factors.min() < 0.9
    assert 1.5 < factors.max() <= 1.6
    assert -10 <= slopes.min() < -9
    assert 3 < slopes.max() <= 4
