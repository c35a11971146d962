"""Denoisers take noise out of flat tissue, in proportion to it, and leave its mean."""

import sys

import numpy as np
import pytest

from ctiqa.degrade.smoothing import SMOOTHERS, Smoothing
from ctiqa.dose.simulate import Scan
from ctiqa.errors import RecipeError
from ctiqa.images.ct_slice import CTSlice, FloatImage, Identity
from ctiqa.images.phantom import ct_noise

NOISE_HU = 15.0
STRENGTHS = {
    "total_variation": (0.2, 0.6, 1.8),
    "bilateral": (0.4, 0.9, 3.0),
    "non_local_means": (0.5, 0.8, 1.2),
    "wavelet": (0.5, 1.2, 2.5),
    "median": (0.4, 1.0, 2.0),
}

every_smoother = pytest.mark.parametrize("kind", sorted(SMOOTHERS))


@pytest.fixture
def water() -> CTSlice:
    noise = ct_noise(sd_hu=NOISE_HU, rng=np.random.default_rng(0), size=160)
    return CTSlice(noise + 40, 0.75, Identity("water"))


def smoothed(ct_slice: CTSlice, smoothing: Smoothing, *, noise_hu: float = NOISE_HU) -> FloatImage:
    return smoothing.prepare(ct_slice, Scan(), noise_hu=noise_hu)(ct_slice.hu)


@every_smoother
def test_the_stronger_the_less_noise_is_left_and_the_mean_stays(kind: str, water: CTSlice) -> None:
    images = [smoothed(water, Smoothing(kind, strength)) for strength in STRENGTHS[kind]]
    left = [image.std() / water.hu.std() for image in images]
    assert 0.97 > left[0] > left[1] + 0.05 > left[2] + 0.1
    assert left[2] < 0.45
    assert [image.mean() for image in images] == pytest.approx([water.hu.mean()] * 3, abs=0.5)


@every_smoother
def test_twice_the_noise_is_smoothed_twice_as_much(kind: str, water: CTSlice) -> None:
    smoothing = Smoothing(kind, STRENGTHS[kind][1])
    once = smoothed(water, smoothing)
    twice = smoothed(water.with_hu(2 * water.hu), smoothing, noise_hu=2 * NOISE_HU)
    assert twice == pytest.approx(2 * once, abs=0.1)


@every_smoother
def test_half_a_share_takes_half_as_much_out(kind: str, water: CTSlice) -> None:
    strength = STRENGTHS[kind][2]
    whole = smoothed(water, Smoothing(kind, strength)) - water.hu
    half = smoothed(water, Smoothing(kind, strength, share=0.5)) - water.hu
    assert half == pytest.approx(whole / 2, abs=1e-3)


@every_smoother
def test_an_edge_of_the_body_stays_where_it_is(kind: str, water: CTSlice) -> None:
    hu = water.hu.copy()
    hu[:, :80] -= 1000
    after = smoothed(water.with_hu(hu), Smoothing(kind, STRENGTHS[kind][1]))
    assert after[:, :77].mean() == pytest.approx(hu[:, :77].mean(), abs=2)
    assert after[:, 83:].mean() == pytest.approx(hu[:, 83:].mean(), abs=2)


def test_a_median_between_two_sizes_lies_between_them(water: CTSlice) -> None:
    small, between, large = (
        smoothed(water, Smoothing("median", strength)) for strength in (1.0, 1.5, 2.0)
    )
    assert between == pytest.approx((small + large) / 2, abs=1e-3)


@pytest.mark.parametrize("noise_hu", [float("nan"), -1.0])
def test_a_denoiser_is_told_the_noise(noise_hu: float, water: CTSlice) -> None:
    with pytest.raises(ValueError, match="needs the noise of the slice"):
        smoothed(water, Smoothing("wavelet", 1.0), noise_hu=noise_hu)


@pytest.mark.parametrize("kind", ["bilateral", "non_local_means", "total_variation"])
def test_without_scikit_image_a_sentence_says_what_to_install(
    kind: str, water: CTSlice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(RecipeError, match=rf"{kind} needs skimage.*pip install 'ctiqa\[train\]'"):
        smoothed(water, Smoothing(kind, 1.0))


def test_an_unknown_smoother_is_refused() -> None:
    with pytest.raises(ValueError, match=r"is one of total_variation, .*, not 'soap'"):
        Smoothing("soap", 1.0)
