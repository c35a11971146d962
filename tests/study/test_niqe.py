"""The classical distance rises with noise and with blur, and does not know left from right."""

import numpy as np
import pytest
from scipy import ndimage

from ctiqa.corpus.label import IDEAL, ROUTINE
from ctiqa.corpus.part import CorpusSettings
from ctiqa.corpus.store import Corpus, CorpusSlice, SliceFacts
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.phantom import abdomen_slice, ct_noise
from ctiqa.images.window import SOFT_TISSUE
from ctiqa.measures.scene_statistics import patch_features
from ctiqa.study.chosen import Chosen
from ctiqa.study.corpus_evidence import gather
from ctiqa.study.niqe import NIQE, Naturalness, niqe_column

DOSES = (1.0, 0.25)
ROUTINE_HU = 12.0


def noisy(level: float, sd_hu: float, seed: int) -> FloatImage:
    noise = ct_noise(sd_hu=sd_hu, rng=np.random.default_rng(seed))
    return abdomen_slice(level=level, seed=seed % 4).hu + noise


@pytest.fixture(scope="module")
def natural() -> Naturalness:
    """Return the Gaussian of twelve routine slices of four phantoms."""
    slices = [noisy(0.2 + 0.05 * number, ROUTINE_HU, number) for number in range(12)]
    return Naturalness.fit(np.concatenate([patch_features(hu, SOFT_TISSUE) for hu in slices]))


def distance(natural: Naturalness, hu: FloatImage) -> float:
    return natural.distance(patch_features(np.ascontiguousarray(hu), SOFT_TISSUE))


@pytest.mark.parametrize("seed", [40, 41, 42])
def test_more_noise_is_further_away(natural: Naturalness, seed: int) -> None:
    apart = [distance(natural, noisy(0.45, times * ROUTINE_HU, seed)) for times in (1, 1.5, 2, 3)]
    assert apart == sorted(apart)


@pytest.mark.parametrize("seed", [40, 41, 42])
def test_more_blur_is_further_away(natural: Naturalness, seed: int) -> None:
    sharp = noisy(0.45, ROUTINE_HU, seed)
    apart = [distance(natural, sharp)]
    apart += [distance(natural, ndimage.gaussian_filter(sharp, sd)) for sd in (0.7, 1, 1.5)]
    assert apart == sorted(apart)


def test_flips_and_quarter_turns_change_nothing(natural: Naturalness) -> None:
    hu = noisy(0.45, 2 * ROUTINE_HU, 40)
    straight = distance(natural, hu)
    for turned in (hu[::-1], hu[:, ::-1], hu.T, np.rot90(hu)):
        assert distance(natural, turned) == pytest.approx(straight, rel=1e-3)


def test_the_same_patches_are_nowhere_else() -> None:
    features = np.random.default_rng(0).uniform(1, 2, (200, 36))
    natural = Naturalness.fit(features)
    # The Gaussian of the eight orientations, held against itself.
    assert natural.distance(np.concatenate([features] * 2)) < 1
    assert np.isnan(natural.distance(features[:0]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Return abdomens of three training patients and one for testing, at two doses."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "parts").mkdir()
    slices = []
    for number in range(8):
        split = "test" if number > 5 else "train"
        levels = [noisy(0.3 + 0.05 * number, ROUTINE_HU / dose**0.5, number) for dose in DOSES]
        np.save(folder / "parts" / f"p{number}.npy", np.stack(levels).round().astype(np.int16))
        labels = np.array([[[30 - 4 / d, 0.9], [40 - 4 / d, 0.95]] for d in DOSES])
        blank = dict.fromkeys(SliceFacts.__dataclass_fields__, "")
        known = {"part": f"p{number}", "split": split, "patient": f"{number // 2}", "path": "x"}
        facts = SliceFacts(**(blank | known | {"pixel_mm": 0.75}))  # type: ignore[arg-type]
        noise_hu = ROUTINE_HU / np.sqrt(np.array(DOSES))
        slices.append(CorpusSlice(facts, labels, labels, noise_hu))
    settings = CorpusSettings(image_doses=DOSES, label_doses=DOSES)
    return Corpus(folder, settings, tuple(slices))


def test_it_is_a_rival_of_the_model_that_falls_with_dose(corpus: Corpus) -> None:
    chosen = Chosen.of(corpus, IDEAL, split="test")
    table, _ = gather(chosen, lambda hu, _: hu[:, :1, 0], by_itself=False, niqe=True, workers=1)
    column = table.rivals[NIQE]
    assert column.shape == (4,)
    assert (column[::2] > column[1::2]).all()


def test_it_is_the_same_again_from_what_the_corpus_keeps(corpus: Corpus) -> None:
    first, again = (
        niqe_column(corpus, IDEAL, evaluated=[6, 7], trained=range(6), workers=1) for _ in range(2)
    )
    assert first is not None
    assert again is not None
    assert first.tolist() == again.tolist()
    kept = list((corpus.folder / "patch-statistics").iterdir())
    assert len(kept) == 8
    assert niqe_column(corpus, ROUTINE, evaluated=[6], trained=range(6), workers=1) is not None


def test_it_is_left_out_where_training_shows_too_little(corpus: Corpus) -> None:
    assert niqe_column(corpus, IDEAL, evaluated=[6], trained=[], workers=1) is None
    seen = Chosen.of(corpus, IDEAL, split="train")
    table, _ = gather(seen, lambda hu, _: hu[:, :1, 0], by_itself=False, niqe=True, workers=1)
    assert NIQE not in table.rivals
