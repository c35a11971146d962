"""Laws of a label in parts, on a synthetic chest; benchmarks/label_proof.py asks real CT."""

import numpy as np
import pytest

from ctiqa.corpus.label import IDEAL, ideal_fidelity
from ctiqa.corpus.labeller import STREAKS, Labeller, Quality
from ctiqa.degrade.blur import Blur
from ctiqa.degrade.degradation import Degradation
from ctiqa.degrade.motion import Motion
from ctiqa.degrade.smoothing import Smoothing
from ctiqa.degrade.sparse_views import SparseViews
from ctiqa.dose.simulate import Scan, noise_parts
from ctiqa.images.ct_slice import CTSlice
from ctiqa.images.phantom import chest_slice

SCAN = Scan(quanta=2e5)


@pytest.fixture(scope="module")
def ct_slice() -> CTSlice:
    truth = chest_slice(level=0.6, size=256, pixel_mm=1.4)
    rng = np.random.default_rng(0)
    quantum, electronic = noise_parts(truth, scan=SCAN, rng=rng, quantum=1, electronic=1)
    return truth.with_hu(truth.hu + quantum + electronic)


@pytest.fixture(scope="module")
def labeller(ct_slice: CTSlice) -> Labeller:
    return Labeller.of(ct_slice, SCAN, sigma_mm=0.7, rng=np.random.default_rng(1))


def quality(labeller: Labeller, dose: float, degradation: Degradation) -> Quality:
    noise_hu = labeller.noise_hu(dose)
    degrade = degradation.prepare(labeller.ct_slice, labeller.scan, noise_hu=noise_hu)
    return labeller.quality(dose, degrade, streaks=degradation.kind in STREAKS)


def test_undegraded_the_noise_part_is_the_ideal_label(ct_slice: CTSlice) -> None:
    doses = (1.0, 0.5, 0.25)
    fidelity = ideal_fidelity(ct_slice, scan=SCAN, doses=doses, rng=np.random.default_rng(3))
    made = Labeller.of(ct_slice, SCAN, sigma_mm=0.7, rng=np.random.default_rng(3))
    for dose, measured in zip(doses, fidelity, strict=True):
        assert made.quality(dose).noise == pytest.approx(IDEAL.quality(measured), abs=1e-6)


def test_the_score_is_fidelity_times_the_share_of_detail_squared(labeller: Labeller) -> None:
    blurred = quality(labeller, 0.5, Blur(0.8))
    assert blurred.score == pytest.approx(blurred.noise * blurred.sharpness**2)
    assert blurred.streaks == 1.0


def test_the_score_falls_with_dose(labeller: Labeller) -> None:
    scores = [labeller.quality(dose).score for dose in (1, 0.75, 0.5, 0.25, 0.1)]
    assert scores == sorted(scores, reverse=True)


def test_the_score_falls_with_blur_though_noise_falls_too(labeller: Labeller) -> None:
    scores = [labeller.quality(1.0).score]
    scores += [quality(labeller, 1.0, Blur(sigma)).score for sigma in (0.35, 0.7, 1.05, 1.4)]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("denoiser", ["total_variation", "non_local_means", "bilateral"])
@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_a_denoiser_raises_fidelity_and_never_the_score(
    denoiser: str, strength: float, labeller: Labeller
) -> None:
    before, after = labeller.quality(1.0), quality(labeller, 1.0, Smoothing(denoiser, strength))
    assert after.score < before.score
    assert after.sharpness < before.sharpness


def test_streaks_lower_their_own_part_and_leave_noise_and_sharpness(labeller: Labeller) -> None:
    before = labeller.quality(0.5)
    for degradation in (SparseViews(60), Motion(3.0, 0.0, 0.2, 0.5)):
        after = quality(labeller, 0.5, degradation)
        assert after.streaks < 0.95
        assert after.score < before.score
        assert after.noise == before.noise
        assert after.sharpness == pytest.approx(before.sharpness, abs=0.01)


def test_a_softer_series_scores_lower(ct_slice: CTSlice) -> None:
    sharp, soft = (
        Labeller.of(ct_slice, SCAN, sigma_mm=sigma_mm, rng=np.random.default_rng(1)).quality(1.0)
        for sigma_mm in (0.5, 0.9)
    )
    assert sharp.noise == soft.noise
    assert sharp.score > soft.score


def test_the_same_seed_labels_alike_and_another_nearly(
    ct_slice: CTSlice, labeller: Labeller
) -> None:
    again, other = (
        Labeller.of(ct_slice, SCAN, sigma_mm=0.7, rng=np.random.default_rng(seed))
        for seed in (1, 2)
    )
    degradation = Smoothing("total_variation", 1.0)
    first = quality(labeller, 0.5, degradation)
    assert quality(again, 0.5, degradation) == first
    assert quality(other, 0.5, degradation).score == pytest.approx(first.score, abs=0.05)
