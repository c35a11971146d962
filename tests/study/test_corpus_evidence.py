"""How a corpus becomes a table of evidence."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from ctiqa.corpus.label import IDEAL, ROUTINE, LabelRecipe
from ctiqa.corpus.part import CorpusSettings
from ctiqa.corpus.store import Corpus, CorpusSlice, SliceFacts
from ctiqa.errors import CorpusError
from ctiqa.scoring.scorer import PixelSides
from ctiqa.study.baselines import SELF_LABEL
from ctiqa.study.chosen import Chosen
from ctiqa.study.corpus_evidence import gather

SIZE = 96
DOSES = (1.0, 0.5, 0.25)


def facts(part: str, split: str, patient: str, path: str) -> SliceFacts:
    known = {"part": part, "split": split, "patient": patient, "path": path}
    names = SliceFacts.__dataclass_fields__
    unknown = {name: "" for name in names if name not in known}
    return SliceFacts(**(unknown | known | {"pixel_mm": 0.5}))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Return water discs at three doses: two of a test patient, one each of two others."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "parts").mkdir()
    rng = np.random.default_rng(0)
    rows, columns = np.indices((SIZE, SIZE)) - SIZE / 2
    disc = np.where(np.hypot(rows, columns) < 40, 40, -1000)
    slices = []
    for part, split, patient, path in [
        ("p0", "test", "a", "test/a/0.dcm"),
        ("p1", "train", "b", "train/b/0.dcm"),
        ("p2", "test", "a", "test/a/1.dcm"),
        ("p3", "test", "c", "wide/c/0.dcm"),
    ]:
        noise_hu = 4 / np.sqrt(np.array(DOSES))
        images = [disc + sd * rng.normal(size=disc.shape) for sd in noise_hu]
        np.save(folder / "parts" / f"{part}.npy", np.stack(images).astype(np.int16))
        ideal = np.array([[[30 - sd / 2, 0.9], [40 - sd / 2, 0.95]] for sd in (*noise_hu, 40)])
        routine = ideal[: len(DOSES)] + np.array([3, 0.02])
        slices.append(CorpusSlice(facts(part, split, patient, path), ideal, routine, noise_hu))
    settings = CorpusSettings(image_doses=DOSES, label_doses=(*DOSES, 0.1))
    return Corpus(folder, settings, tuple(slices))


def predict(hu: np.ndarray, pixel_mm: PixelSides) -> np.ndarray:
    """Return two outputs whose mean is minus the spread of the image's middle."""
    assert np.shape(pixel_mm) == (len(hu),)
    middle = hu[:, 30:66, 30:66].std(axis=(1, 2))
    return np.stack([-middle - 1, -middle + 1], axis=1)


def test_the_table_holds_every_slice_at_every_image_dose(corpus: Corpus) -> None:
    chosen = Chosen.of(corpus, IDEAL, split="test")
    table, train = gather(chosen, predict, by_itself=False)
    assert table.dose is not None
    assert table.slice_id is not None
    assert table.noise_hu is not None
    assert table.dose.tolist() == [*DOSES] * 3
    assert table.slice_id.tolist() == ["p0"] * 3 + ["p2"] * 3 + ["p3"] * 3
    assert table.patients == ["a", "c"]
    assert table.noise_hu[:3].tolist() == corpus.slices[0].noise_hu.tolist()
    assert train is not None
    assert train.reference.tolist() == corpus.image_labels(1, IDEAL).tolist()


def test_a_score_is_the_mean_of_the_outputs_for_its_own_image(corpus: Corpus) -> None:
    told: list[tuple[str, int, int]] = []

    @contextmanager
    def bar(words: str) -> Iterator[Callable[[int, int], None]]:
        yield lambda done, of: told.append((words, done, of))

    table, _ = gather(Chosen.of(corpus, IDEAL, split="test"), predict, by_itself=False, bar=bar)
    expected = [-corpus.image(i, d)[30:66, 30:66].std() for i in (0, 2, 3) for d in range(3)]
    assert table.score == pytest.approx(expected, abs=1e-4)
    assert told == [("scoring", 8, 9), ("scoring", 9, 9)]


@pytest.mark.parametrize("label", [IDEAL, ROUTINE])
def test_the_reference_is_the_label_that_was_asked_for(corpus: Corpus, label: LabelRecipe) -> None:
    table, _ = gather(Chosen.of(corpus, label, split="test"), predict, by_itself=False)
    expected = [corpus.image_labels(index, label) for index in (0, 2, 3)]
    assert table.reference.tolist() == np.concatenate(expected).tolist()


def test_only_one_folder_of_a_split_may_be_chosen(corpus: Corpus) -> None:
    assert Chosen.of(corpus, IDEAL, split="test", only="wide/").indices == [3]
    with pytest.raises(CorpusError, match="no slice of split 'test' whose path starts with 'x/'"):
        Chosen.of(corpus, IDEAL, split="test", only="x/")
    with pytest.raises(CorpusError, match="no slice of split 'absent'"):
        Chosen.of(corpus, IDEAL, split="absent")


def test_the_baselines_never_learn_from_the_evaluated_slices(corpus: Corpus) -> None:
    assert gather(Chosen.of(corpus, IDEAL, split="train"), predict, by_itself=False).train is None


def test_teachers_stand_beside_the_student_as_their_mean_and_one_of_them(corpus: Corpus) -> None:
    def shifted(by: float) -> Callable[[np.ndarray, PixelSides], np.ndarray]:
        return lambda hu, pixel_mm: predict(hu, pixel_mm) + by

    chosen = Chosen.of(corpus, IDEAL, split="test")
    teachers = [shifted(1), shifted(3)]
    table, _ = gather(chosen, predict, teachers=teachers, by_itself=False)
    assert table.rivals["mean of 2 teachers"] == pytest.approx(table.score + 2)
    assert table.rivals["single teacher"] == pytest.approx(table.score + 1)


def test_the_labeller_itself_is_a_rival_that_falls_with_dose(corpus: Corpus) -> None:
    pytest.importorskip("skimage")
    chosen = Chosen.of(corpus, IDEAL, split="test", only="wide/")
    table, _ = gather(chosen, predict, by_itself=True, workers=1)
    labels = table.rivals[SELF_LABEL]
    assert labels.shape == (3,)
    assert (np.diff(labels) < 0).all()
    # They are kept, and the second time read.
    (kept,) = (corpus.folder / "self-labels").iterdir()
    assert json.loads(kept.read_text()) == labels.tolist()
    kept.write_text("[0.3, 0.2, 0.1]")
    again, _ = gather(chosen, predict, by_itself=True, workers=1)
    assert again.rivals[SELF_LABEL].tolist() == [0.3, 0.2, 0.1]
