"""What degradations do to a slice, and what they leave alone."""

import json
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from ctiqa.degrade.blur import Blur
from ctiqa.degrade.kernel import EdgeEnhancement
from ctiqa.degrade.kinds import KINDS, draw, from_record, to_record
from ctiqa.degrade.rays import Motion, SparseViews, Starvation
from ctiqa.degrade.smoothing import DENOISERS, Smoothing, matched
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.images.phantom import chest_slice, ct_noise, shoulder_slice, water_slice

SCAN = Scan(quanta=1e5)
NOISE_HU = 20.0


def applied(degradation: object, ct_slice: CTSlice, hu: FloatImage | None = None) -> FloatImage:
    made = degradation.prepare(ct_slice, SCAN, noise_hu=NOISE_HU)  # type: ignore[attr-defined]
    return made(ct_slice.hu if hu is None else hu)


@pytest.fixture(scope="module")
def chest() -> CTSlice:
    truth = chest_slice(level=0.5, size=256, pixel_mm=1.5)
    rng = np.random.default_rng(0)
    return truth.with_hu(truth.hu + ct_noise(sd_hu=NOISE_HU, rng=rng, pixel_mm=1.5, size=256))


@pytest.fixture(scope="module")
def white() -> FloatImage:
    return np.random.default_rng(1).normal(0, NOISE_HU, (256, 256)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_that_went_through_json_degrades_to_the_same_bytes(
    kind: str, chest: CTSlice
) -> None:
    drawn = draw(kind, np.random.default_rng(3))
    again = from_record(json.loads(json.dumps(to_record(kind, drawn))))
    assert again == drawn
    first, second = applied(drawn, chest), applied(again, chest)
    assert first.tobytes() == second.tobytes()
    assert first.dtype == np.float32
    assert not np.array_equal(first, chest.hu)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_differ(kind: str) -> None:
    rng = np.random.default_rng(0)
    assert len({str(draw(kind, rng)) for _ in range(12)}) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_map_of_a_slice_is_the_same_for_all_its_images(kind: str, chest: CTSlice) -> None:
    made = draw(kind, np.random.default_rng(5)).prepare(chest, SCAN, noise_hu=NOISE_HU)
    before = chest.hu.copy()
    assert np.array_equal(made(chest.hu), made(chest.hu))
    assert np.array_equal(chest.hu, before)


@pytest.mark.parametrize("sigma_px", [0.7, 1.0, 2.0])
def test_blur_lowers_white_noise_as_theory_says(sigma_px: float, white: FloatImage) -> None:
    water = water_slice(radius_mm=80, size=256, pixel_mm=1.5)
    frequency = np.fft.fftfreq(4096)
    response = np.exp(-2 * (np.pi * frequency * sigma_px) ** 2)
    expected = NOISE_HU * float(
        np.mean(response**2)
    )  # both axes: the mean is squared, its root not
    blurred = applied(Blur(sigma_px * 1.5), water, white)
    assert float(blurred.std()) == pytest.approx(expected, rel=0.05)


def test_edge_enhancement_lifts_its_peak_by_its_gain_and_leaves_the_mean() -> None:
    water = water_slice(radius_mm=80, size=256, pixel_mm=1.0)
    columns = np.arange(256)
    wave = np.tile(np.cos(2 * np.pi * 0.25 * columns), (256, 1)).astype(np.float32)
    sharp = applied(EdgeEnhancement(gain=0.8, peak_per_mm=0.25), water, wave)
    inside = slice(64, 192)
    assert float(np.ptp(sharp[inside, inside])) == pytest.approx(1.8 * 2, rel=0.01)
    flat = np.full((256, 256), 40, np.float32)
    np.testing.assert_allclose(applied(EdgeEnhancement(1.5, 0.4), water, flat), 40, atol=1e-3)


def test_streaks_grow_as_views_become_fewer_and_all_views_change_nothing(chest: CTSlice) -> None:
    energy = [
        float(np.std(applied(SparseViews(views), chest) - chest.hu))
        for views in (720, 360, 240, 180, 120, 90, 60)
    ]
    assert energy[0] == 0
    assert all(fewer > more for more, fewer in pairwise(energy))


def test_few_views_of_an_object_are_its_reconstruction_from_few_views() -> None:
    # The streaks of a small dense disc run through it, and a ring as wide as the disc is spared.
    water = water_slice(radius_mm=10, size=256, pixel_mm=1.0)
    field = applied(SparseViews(60), water) - water.hu
    distance = np.hypot(*(np.mgrid[:256, :256] - 127.5))
    near, far = field[distance < 12].std(), field[(distance > 60) & (distance < 120)].std()
    assert far > 5 * near


def test_starved_rays_run_from_insert_to_insert() -> None:
    shoulder = shoulder_slice(size=256, pixel_mm=1.4)
    inserts = ((0.5, 0.2, 8.0, 8.0), (0.5, 0.8, 8.0, 8.0))
    field = applied(Starvation(inserts, seed=1), shoulder) - shoulder.hu
    between, beside = field[124:132, 100:156].std(), field[60:80, 100:156].std()
    assert between > 5 * beside


def test_without_an_insert_no_ray_starves(chest: CTSlice) -> None:
    np.testing.assert_array_equal(applied(Starvation((), seed=1), chest), chest.hu)


def test_a_patient_who_moves_by_nothing_is_still(chest: CTSlice) -> None:
    np.testing.assert_array_equal(applied(Motion(0.0, 0.0, 0.2, 0.5), chest), chest.hu)


def test_a_longer_way_makes_stronger_streaks(chest: CTSlice) -> None:
    energy = [
        float(np.std(applied(Motion(mm, mm, 0.2, 0.5), chest) - chest.hu)) for mm in (0.5, 1, 2, 4)
    ]
    assert energy == sorted(energy)


@pytest.mark.parametrize(
    "degradation",
    [SparseViews(60), Motion(3.0, 1.0, 0.2, 0.4), Starvation(((0.5, 0.4, 6.0, 8.0),), 0)],
)
def test_streaks_leave_the_mean_of_the_body_and_all_padding(
    degradation: object, chest: CTSlice
) -> None:
    rows, columns = np.mgrid[:256, :256]
    padding = np.hypot(rows - 127.5, columns - 127.5) > 125
    padded = CTSlice(chest.hu, chest.pixel_mm, chest.identity, padding=padding)
    field = applied(degradation, padded) - padded.hu
    assert not field[padding].any()
    body = ndimage.binary_erosion(chest.hu > -400, iterations=4)
    assert abs(float(field[body].mean())) < 3


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_a_denoiser_lowers_noise_and_keeps_the_mean(denoiser: str, white: FloatImage) -> None:
    _, least, greatest = DENOISERS[denoiser]
    smooth = [
        Smoothing(denoiser, strength).applied(white, noise_hu=NOISE_HU)
        for strength in (least, greatest)
    ]
    weak, strong = (float(image.std()) for image in smooth)
    assert strong <= weak < float(white.std())
    assert strong < 0.75 * float(white.std())
    assert all(abs(float(image.mean() - white.mean())) < 0.5 for image in smooth)


@pytest.mark.parametrize("denoiser", DENOISERS)
def test_half_a_blend_takes_half_away(denoiser: str, white: FloatImage) -> None:
    whole, half = (
        Smoothing(denoiser, 1.0, blend).applied(white, noise_hu=NOISE_HU) for blend in (1.0, 0.5)
    )
    np.testing.assert_allclose(half - white, 0.5 * (whole - white), atol=1e-3)


@pytest.mark.parametrize("denoiser", ["total_variation", "bilateral", "non_local_means"])
@pytest.mark.parametrize("residual_sd_hu", [4.0, 8.0])
def test_a_strength_is_found_for_a_wanted_residual(
    denoiser: str, residual_sd_hu: float, white: FloatImage
) -> None:
    found = matched(denoiser, white, residual_sd_hu=residual_sd_hu, noise_hu=NOISE_HU)
    taken = float(np.std(found.applied(white, noise_hu=NOISE_HU) - white))
    assert taken == pytest.approx(residual_sd_hu, rel=0.15)
