"""Streaks grow as views fall, and are those of a scan with few views."""

from itertools import pairwise

import numpy as np
import pytest

from ctiqa.degrade.sparse_views import SparseViews
from ctiqa.dose.apodisation import RAM_LAK
from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.images.phantom import water_slice
from ctiqa.measures.body import body_mask

VIEWS = (720, 360, 240, 180, 120, 90, 60)


def streaks(ct_slice: CTSlice, views: int, first: int = 0) -> FloatImage:
    operator = SparseViews(views, first).prepare(ct_slice, Scan(), noise_hu=10)
    return operator(np.zeros_like(ct_slice.hu))


def test_the_energy_of_streaks_grows_as_views_fall_and_is_none_at_all_views(
    abdomen: CTSlice,
) -> None:
    body = body_mask(abdomen.hu)
    energy = [streaks(abdomen, views)[body].std() for views in VIEWS]
    assert energy[0] == 0
    assert all(more > 1.1 * less for less, more in pairwise(energy[1:]))


def test_every_view_is_taken_by_one_start_so_that_all_starts_together_make_no_streak(
    abdomen: CTSlice,
) -> None:
    fields = np.stack([streaks(abdomen, 120, first) for first in range(6)])
    assert np.abs(fields.sum(axis=0)).max() < 1e-3 * np.abs(fields).max()
    assert fields.std(axis=(1, 2)) == pytest.approx(fields.std(), rel=0.1)


def test_streaks_leave_the_mean_of_uniform_tissue() -> None:
    water = water_slice(radius_mm=100, size=256, pixel_mm=1.4)
    for views in VIEWS:
        assert abs(streaks(water, views)[96:160, 96:160].mean()) < 0.5


def test_a_scan_of_90_views_has_these_streaks() -> None:
    # Both scans are reconstructed as objects, on a detector padded with zeros (METHOD 2.7).
    water = water_slice(radius_mm=60, size=128, pixel_mm=1.4)
    few, all_ = (ParallelBeam(128, views, 1024) for views in (90, 720))
    scans = [
        beam.reconstruct(beam.project(water.hu + 1000), apodisation=RAM_LAK) for beam in (few, all_)
    ]
    expected = scans[0] - scans[1]
    assert np.abs(streaks(water, 90) - expected).std() < 0.03 * expected.std()
