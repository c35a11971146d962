"""Starved rays are noisy, biased where nothing arrives, and quiet where quanta are many."""

import numpy as np
import pytest

from ctiqa.degrade.starvation import Starvation, _chords_px, _places_px, _starved_noise
from ctiqa.dose.apodisation import HANN
from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.quanta import log_variance
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.images.phantom import water_slice
from ctiqa.measures.body import body_mask

SCAN = Scan(3e5, HANN)


def field(ct_slice: CTSlice, starvation: Starvation, scan: Scan = SCAN) -> FloatImage:
    operator = starvation.prepare(ct_slice, scan, noise_hu=10)
    return operator(np.zeros_like(ct_slice.hu))


def test_the_denser_the_insert_the_stronger_the_streaks(abdomen: CTSlice) -> None:
    body = body_mask(abdomen.hu)
    energy = [
        field(abdomen, Starvation(2, 8.0, per_mm, seed=3))[body].std()
        for per_mm in (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
    ]
    assert energy[0] == 0
    assert energy == sorted(energy)
    assert energy[-1] > 10 * energy[1] > 0


def test_four_times_the_quanta_halve_the_noise_where_none_run_out(abdomen: CTSlice) -> None:
    body = body_mask(abdomen.hu)
    few, many = (
        field(abdomen, Starvation(2, 8.0, 0.03, seed=3), Scan(quanta, HANN, 0))[body].std()
        for quanta in (1e6, 4e6)
    )
    assert few / many == pytest.approx(2, rel=0.1)


def test_the_noise_is_what_the_longer_way_adds() -> None:
    rays = np.full(200_000, 3.0, np.float32)
    longer = np.full_like(rays, 1.5)
    noise = _starved_noise(rays, longer, SCAN, np.random.default_rng(0))
    before, after = (log_variance(one, quanta=3e5)[0] for one in (rays, rays + longer))
    assert noise.var() == pytest.approx(after - before, rel=0.02)
    assert abs(noise.mean()) < 0.02 * noise.std()


def test_a_ray_that_loses_all_its_quanta_reads_as_one_count() -> None:
    # Of 0.05 quanta one is read: the ray seems shorter by log 20, the bias of dark bands.
    rays = np.full(2_000, np.log(3e5 / 0.05), np.float32)
    scan = Scan(3e5, HANN, 0)
    noise = _starved_noise(rays - 5, np.full_like(rays, 5), scan, np.random.default_rng(0))
    assert np.median(noise) == pytest.approx(-np.log(20), rel=0.02)


def test_the_field_is_none_inside_the_inserts_and_outside_the_view(abdomen: CTSlice) -> None:
    starvation = Starvation(3, 10.0, 0.1, seed=5)
    streaks = field(abdomen, starvation)
    places = _places_px(abdomen, 3, np.random.default_rng(5))
    row, column = np.indices((256, 256)) - 127.5
    for down, right in places:
        inside = np.hypot(row - down, column - right) < 10 / abdomen.pixel_mm
        assert inside.sum() > 100
        assert not streaks[inside].any()
        assert body_mask(abdomen.hu)[inside].mean() > 0.5
    assert not streaks[abdomen.padding].any()


def test_the_rays_of_an_insert_are_those_of_the_disc_that_it_is() -> None:
    # Painted as water at that place and projected, as the beam projects everything.
    beam = ParallelBeam.of_size(128)
    disc = np.zeros((128, 128), np.float32)
    row, column = np.indices((128, 128)) - 63.5
    share = np.clip(12.5 - np.hypot(row - 20, column + 9), 0, 1)
    disc += share.astype(np.float32)
    chords = _chords_px(beam, np.array([[20.0, -9.0]]), 12.0)
    assert np.abs(beam.project(disc) - chords).mean() < 0.02 * chords.mean() + 0.05
    assert (chords > 0).sum(axis=1) == pytest.approx(24, abs=1)


def test_noise_leaves_the_mean_of_uniform_tissue_while_quanta_last() -> None:
    water = water_slice(radius_mm=100, size=256, pixel_mm=1.4)
    means = [
        field(water, Starvation(2, 8.0, 0.05, seed=seed))[body_mask(water.hu)].mean()
        for seed in range(4)
    ]
    assert abs(np.mean(means)) < 0.3
