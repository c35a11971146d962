"""PSNR and SSIM against scikit-image, with the conventions of METHOD 1.3, rows 11 and 12."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ctiqa.images.ct_slice import FloatImage, Mask
from ctiqa.images.series import read
from ctiqa.images.window import LUNG, SOFT_TISSUE, Window
from ctiqa.measures.body import body_mask
from ctiqa.measures.fidelity import Reference, psnr_db, ssim

metrics = pytest.importorskip("skimage.metrics")


@pytest.fixture
def pair() -> tuple[FloatImage, FloatImage]:
    """Return a textured image in [0, 1] and a noisy copy."""
    rng = np.random.default_rng(0)
    line = np.linspace(0, 6 * np.pi, 200)
    texture = 0.5 + 0.3 * np.outer(np.sin(line), np.cos(1.7 * line[:150]))
    noisy = texture + 0.1 * rng.standard_normal(texture.shape)
    return texture.astype(np.float32), np.clip(noisy, 0, 1).astype(np.float32)


def theirs(
    image: FloatImage, reference: FloatImage, *, data_range: float, region: Mask | None = None
) -> tuple[float, float]:
    """Return PSNR and SSIM as scikit-image has them in double precision."""
    a, b = image.astype(float), reference.astype(float)
    _, similarity = metrics.structural_similarity(a, b, data_range=data_range, full=True)
    inner = np.zeros(a.shape, bool)
    inner[3:-3, 3:-3] = True
    where = inner if region is None else inner & region
    counted = slice(None) if region is None else region
    psnr = metrics.peak_signal_noise_ratio(b[counted], a[counted], data_range=data_range)
    return float(psnr), float(similarity[where].mean())


@pytest.mark.parametrize("data_range", [1.0, 0.25])
def test_both_equal_scikit_image_to_a_millionth(
    data_range: float, pair: tuple[FloatImage, FloatImage]
) -> None:
    reference, image = pair
    psnr, similarity = theirs(image, reference, data_range=data_range)
    assert psnr_db(image, reference, data_range=data_range) == pytest.approx(psnr, abs=1e-5)
    assert ssim(image, reference, data_range=data_range) == pytest.approx(similarity, abs=1e-6)


def test_the_mean_over_a_region_equals_that_of_scikit_images_map(
    pair: tuple[FloatImage, FloatImage],
) -> None:
    reference, image = pair
    region = np.zeros(reference.shape, bool)
    region[40:110, 2:90] = True
    psnr, similarity = theirs(image, reference, data_range=1, region=region)
    against = Reference(reference, 1, region)
    assert against.psnr_db(image) == pytest.approx(psnr, abs=1e-5)
    assert against.ssim(image) == pytest.approx(similarity, abs=1e-6)
    assert against.ssim(image) != pytest.approx(ssim(image, reference, data_range=1), abs=1e-3)


@pytest.mark.parametrize("window", [SOFT_TISSUE, LUNG])
def test_a_real_slice_is_compared_as_scikit_image_compares_it(
    window: Window, real_ct: Path
) -> None:
    series = read(real_ct / "test" / "LungFCP-01-0001").series[0]
    hu = series[20].hu
    noise = 15 * np.random.default_rng(1).standard_normal(hu.shape)
    reference, image = window.apply(hu), window.apply(hu + noise.astype(np.float32))
    body = body_mask(hu)
    psnr, similarity = theirs(image, reference, data_range=1, region=body)
    assert psnr_db(image, reference, data_range=1, region=body) == pytest.approx(psnr, abs=1e-4)
    assert ssim(image, reference, data_range=1, region=body) == pytest.approx(similarity, abs=1e-5)


def test_an_identical_image_has_infinite_psnr_and_ssim_1(
    pair: tuple[FloatImage, FloatImage],
) -> None:
    reference, _ = pair
    assert psnr_db(reference, reference, data_range=1) == float("inf")
    assert ssim(reference, reference, data_range=1) == pytest.approx(1, abs=1e-7)


def test_a_known_error_has_the_psnr_of_its_formula() -> None:
    flat: npt.NDArray[np.float32] = np.zeros((32, 32), np.float32)
    assert psnr_db(flat + 4, flat, data_range=400) == pytest.approx(40)
    assert psnr_db(flat + 4, flat, data_range=4000) == pytest.approx(60)


def test_one_reference_serves_many_images(pair: tuple[FloatImage, FloatImage]) -> None:
    reference, image = pair
    against = Reference(reference, 1)
    first = against.ssim(image)
    assert against.ssim(reference) > first
    assert against.ssim(image) == first == ssim(image, reference, data_range=1)


def test_more_noise_lowers_both(pair: tuple[FloatImage, FloatImage]) -> None:
    reference, image = pair
    worse = reference + 2 * (image - reference)
    assert psnr_db(worse, reference, data_range=1) < psnr_db(image, reference, data_range=1)
    assert ssim(worse, reference, data_range=1) < ssim(image, reference, data_range=1)
