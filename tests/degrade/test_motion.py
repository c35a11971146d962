"""Motion shifts what is scanned while it lasts."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from ctiqa.degrade.motion import Motion
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage, Identity
from ctiqa.images.phantom import water_slice
from ctiqa.measures.body import body_mask

FOR_EVER = 1e6


def moved(ct_slice: CTSlice, motion: Motion) -> FloatImage:
    return motion.prepare(ct_slice, Scan(), noise_hu=10)(ct_slice.hu)


def test_motion_of_a_fraction_of_a_mm_changes_next_to_nothing(abdomen: CTSlice) -> None:
    change = moved(abdomen, Motion(1e-4, 0.7, 0.5, 0.5)) - abdomen.hu
    assert np.abs(change).max() < 0.1


@pytest.mark.parametrize(("direction", "down", "right"), [(0.0, 0, 3), (np.pi / 2, 3, 0)])
def test_motion_that_lasts_for_ever_is_a_shift(direction: float, down: int, right: int) -> None:
    water = water_slice(radius_mm=70, size=256, pixel_mm=1.0)
    smooth = ndimage.gaussian_filter(water.hu, 2)
    ct_slice = CTSlice(smooth, 1.0, Identity("disc"))
    shifted = np.roll(smooth, (down, right), (0, 1))
    after = moved(ct_slice, Motion(3.0, direction, 0.5, FOR_EVER))
    assert np.abs(after - shifted).max() < 5
    assert np.abs(smooth - shifted).max() > 300


def test_the_farther_the_worse(abdomen: CTSlice) -> None:
    body = body_mask(abdomen.hu)
    change = [
        (moved(abdomen, Motion(shift_mm, 0.7, 0.5, 0.4)) - abdomen.hu)[body].std()
        for shift_mm in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    assert change[0] == 0
    assert all(more > 1.3 * less for less, more in pairwise(change[1:]))


def test_motion_is_gone_outside_its_span() -> None:
    turn = np.linspace(0, 1, 101)
    away = Motion(1.0, 0.0, 0.4, 0.2)._away(turn)
    assert away.max() == pytest.approx(1)
    assert turn[away.argmax()] == pytest.approx(0.4)
    assert (away[np.abs(turn - 0.4) > 0.1] < 1e-9).all()
    assert np.abs(np.diff(away)).max() < 0.2  # smooth in time


def test_motion_leaves_the_mean_of_uniform_tissue() -> None:
    water = water_slice(radius_mm=100, size=256, pixel_mm=1.4)
    change = moved(water, Motion(3.0, 0.7, 0.5, 0.4)) - water.hu
    assert abs(change[96:160, 96:160].mean()) < 1
