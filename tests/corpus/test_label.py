"""Equation 1 and the two references of METHOD 3.1."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ctiqa.corpus.label import (
    IDEAL,
    ROUTINE,
    LabelRecipe,
    ideal_fidelity,
    noise_free,
    routine_fidelity,
)
from ctiqa.dose.apodisation import HANN
from ctiqa.dose.simulate import Scan, lower_dose, noise_parts
from ctiqa.errors import RecipeError
from ctiqa.images.ct_slice import CTSlice
from ctiqa.images.phantom import abdomen_slice, water_slice
from ctiqa.measures.global_noise import soft_tissue

DOSES = (1.0, 0.75, 0.5, 0.25, 0.1)
SCAN = Scan(3e5, HANN)


@pytest.fixture(scope="module")
def truth() -> CTSlice:
    return abdomen_slice(level=0.5, size=256, pixel_mm=1.5)


def scanned(truth: CTSlice, scan: Scan, *, seed: int = 0) -> CTSlice:
    rng = np.random.default_rng([seed, 5])
    parts = noise_parts(truth, scan=scan, rng=rng, quantum=1, electronic=1)
    return truth.with_hu(truth.hu + parts.sum(axis=0))


def ideal(ct_slice: CTSlice, scan: Scan = SCAN, *, seed: int = 0) -> list[float]:
    rng = np.random.default_rng(seed)
    measured = ideal_fidelity(ct_slice, scan=scan, doses=DOSES, rng=rng)
    return [IDEAL.quality(one) for one in measured]


def test_q_is_the_weighted_mean_of_normalised_psnr_and_ssim() -> None:
    # Equation 1 of the paper with the limits of METHOD 1.3, row 11: (35 - 20) / 30 = 0.5.
    recipe = LabelRecipe("routine", ("w350",), ((20, 50),), weight_psnr=0.4, weight_ssim=0.6)
    assert recipe.quality({"w350": (35.0, 0.9)}) == pytest.approx(0.4 * 0.5 + 0.6 * 0.9)
    assert recipe.quality({"w350": (10.0, 0.9)}) == pytest.approx(0.6 * 0.9)
    assert recipe.quality({"w350": (70.0, 0.9)}) == pytest.approx(0.4 + 0.6 * 0.9)


def test_windows_are_averaged_each_with_its_own_limits() -> None:
    # METHOD 3.1: 8 to 40 dB in W350, 20 to 52 dB in W1500.
    measured = {"w350": (24.0, 0.5), "w1500": (36.0, 0.9)}
    assert IDEAL.quality(measured) == pytest.approx(0.5 * (0.5 + 0.7))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reference": "perfect"}, "'routine' or 'ideal'"),
        ({"windows": ("w99",)}, "label.windows names"),
        ({"windows": (), "psnr_limits_db": ()}, "label.windows names"),
        ({"psnr_limits_db": ((8, 40),)}, "one pair of limits for each window"),
        ({"psnr_limits_db": ((8, 40), (52, 20))}, "low below high"),
    ],
)
def test_an_impossible_recipe_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        replace(IDEAL, **change)


def test_the_routine_slice_itself_has_q_1(truth: CTSlice) -> None:
    # METHOD 1.3, row 10: exactly 1, never infinite.
    routine = scanned(truth, SCAN)
    (measured,) = routine_fidelity(routine, [routine.hu])
    assert ROUTINE.quality(measured) == 1


def test_the_routine_label_falls_with_dose(truth: CTSlice) -> None:
    routine = scanned(truth, SCAN)
    images = [
        lower_dose(routine, dose_fraction=dose, scan=SCAN, rng=np.random.default_rng(seed)).hu
        for seed, dose in enumerate(DOSES)
    ]
    q = [ROUTINE.quality(one) for one in routine_fidelity(routine, images)]
    assert q == sorted(q, reverse=True)
    assert q[0] == 1 > q[1]


def test_the_ideal_label_is_finite_at_full_dose_and_falls_with_dose(truth: CTSlice) -> None:
    q = ideal(scanned(truth, SCAN))
    assert q == sorted(q, reverse=True)
    assert 0.5 < q[0] < 0.98
    assert q[0] - q[3] > 0.1


def test_the_ideal_label_repeats_from_draw_to_draw(
    truth: CTSlice, record_property: Callable[[str, object], None]
) -> None:
    # The ceiling of what a network can learn; METHOD 4, I7 asks for an SD of 0.02.
    routine = scanned(truth, SCAN)
    draws = np.array([ideal(routine, seed=seed) for seed in range(6)])
    record_property("sd_of_the_ideal_label_at_each_dose", draws.std(axis=0).round(4).tolist())
    assert draws.std(axis=0).max() < 0.01


def test_the_ideal_label_means_the_same_on_two_scanners(truth: CTSlice) -> None:
    # One patient scanned with fourfold quanta: its quarter dose is the other's full dose. The
    # routine label calls both full doses perfect, the ideal one sees how noisy they are.
    rich = Scan(4 * SCAN.quanta, HANN)
    q_rich, q_poor = ideal(scanned(truth, rich), rich), ideal(scanned(truth, SCAN))
    assert q_rich[3] == pytest.approx(q_poor[0], abs=0.03)
    assert q_rich[0] - q_poor[0] > 0.1


def test_more_air_around_the_body_does_not_raise_the_label(truth: CTSlice) -> None:
    routine = scanned(truth, SCAN)
    wide = np.full((384, 384), -1000, np.float32)
    wide[64:320, 64:320] = routine.hu
    in_air = CTSlice(hu=wide, pixel_mm=routine.pixel_mm, identity=routine.identity)
    assert ideal(in_air) == pytest.approx(ideal(routine), abs=0.015)


def test_the_noise_free_slice_has_lost_its_noise_and_kept_its_edges(truth: CTSlice) -> None:
    routine = scanned(truth, SCAN)
    clean = noise_free(routine, SCAN)
    tissue = soft_tissue(truth.hu)
    before, after = (np.std((hu - truth.hu)[tissue]) for hu in (routine.hu, clean))
    assert after < 0.65 * before
    skin = np.abs(np.gradient(truth.hu)[1]) > 200
    assert np.abs(clean - truth.hu)[skin].mean() < 1.5 * np.abs(routine.hu - truth.hu)[skin].mean()


@pytest.mark.parametrize("hu", [-1000, -800], ids=["air", "lung"])
def test_a_slice_without_soft_tissue_takes_its_noise_from_its_quanta(hu: float) -> None:
    # Nothing shows the noise there; the label must not be NaN all the same.
    disc = water_slice(radius_mm=120, size=128, pixel_mm=3.0)
    routine = scanned(disc.with_hu(np.where(disc.hu > -500, np.float32(hu), disc.hu)), SCAN)
    q = ideal(routine)
    assert np.isfinite(q).all()
    assert q == sorted(q, reverse=True)
