"""The streak index: 0 for a spectrum that is even, and risen by views that are missing."""

import numpy as np
import pytest

from ctiqa.degrade.sparse_views import SparseViews
from ctiqa.dose.simulate import Scan, lower_dose
from ctiqa.images.ct_slice import CTSlice
from ctiqa.images.phantom import chest_slice
from ctiqa.measures.streaks import streak_index

SCAN = Scan(quanta=2e5)


@pytest.fixture(scope="module")
def noisy() -> CTSlice:
    chest = chest_slice(level=0.5, size=512, pixel_mm=0.7)
    return lower_dose(chest, dose_fraction=0.5, scan=SCAN, rng=np.random.default_rng(0))


def test_a_slice_without_texture_has_none() -> None:
    assert streak_index(np.zeros((64, 64), np.float32)) == 0


def test_round_noise_has_what_chance_leaves_in_a_sector() -> None:
    side = 256
    noise = np.random.default_rng(0).normal(0, 10, (side, side)).astype(np.float32)
    # The logarithm of a mean of n exponential powers has SD 1 / sqrt(n).
    band = np.pi * (0.45**2 - 0.1**2) / 2 * side**2 / 180
    assert streak_index(noise) == pytest.approx(band**-0.5, rel=0.5)


def test_few_views_raise_it(noisy: CTSlice) -> None:
    whole = streak_index(noisy.hu)
    for views, times in ((120, 2), (60, 6)):
        degrade = SparseViews(views).prepare(noisy, SCAN, noise_hu=20)
        assert streak_index(degrade(noisy.hu)) > times * whole


def test_it_does_not_depend_on_the_strength_of_the_noise() -> None:
    noise = np.random.default_rng(1).normal(0, 5, (128, 128)).astype(np.float32)
    assert streak_index(3 * noise) == pytest.approx(streak_index(noise), rel=1e-5)
