"""What a degraded corpus holds, that it repeats, and what training is served of it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctiqa.corpus.degraded import degrade_corpus
from ctiqa.corpus.degraded_images import read_degraded
from ctiqa.corpus.examples import FixedExamples, FreshExamples
from ctiqa.corpus.label import IDEAL, PARTS, ROUTINE
from ctiqa.corpus.mixture import Mixture, read_mixture
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError, RecipeError

MIXTURE = Mixture(
    each=3,
    each_held_back=4,
    lowest_dose=0.2,
    highest_dose=4.0,
    routine_share=0.5,
    exponent=2.0,
    seed=0,
    unseen=("median",),
    weights={"blur": 1.0, "sparse_views": 1.0, "median": 1.0},
)
IN_PARTS = replace(IDEAL, parts=PARTS)


@pytest.fixture(scope="module")
def degraded(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("degraded") / "corpus"
    shutil.copytree(corpus.folder, folder)
    copy = Corpus.open(folder)
    degrade_corpus(copy, MIXTURE, workers=1)
    return copy


def test_the_mixture_that_is_shipped_can_be_read(pytestconfig: pytest.Config) -> None:
    mixture = read_mixture(pytestconfig.rootpath / "recipes" / "mixtures" / "standard.toml")
    assert mixture.unseen == ("wavelet",)
    assert mixture.weights["wavelet"] > 0


def test_a_kind_that_is_to_stay_unseen_is_drawn_for_no_training_slice() -> None:
    seen, unseen = (
        {
            drawn.degradation.kind
            for number in range(40)
            for drawn in MIXTURE.drawn(f"{number:08x}", train=train)
        }
        for train in (True, False)
    )
    assert seen == {"blur", "sparse_views"}
    assert unseen == {"blur", "sparse_views", "median"}


def test_training_slices_are_degraded_at_higher_doses_as_well_and_no_others() -> None:
    trained, held = (
        np.array(
            [
                drawn.dose
                for number in range(200)
                for drawn in MIXTURE.drawn(f"{number:08x}", train=train)
            ]
        )
        for train in (True, False)
    )
    assert (trained.min() >= 0.2, trained.max() <= 4) == (True, True)
    # Half of the images are at dose 1, the others even in the logarithm of 0.2 to 4.
    assert np.mean(trained > 1) == pytest.approx(0.5 * np.log(4) / np.log(20), abs=0.05)
    assert (held.min() >= 0.2, held.max()) == (True, 1.0)


def test_an_image_at_a_higher_dose_is_quieter_than_the_slice(degraded: Corpus) -> None:
    first = len(degraded.settings.image_doses)
    quiet = [
        (at, first + place)
        for at in degraded.where("train")
        for place, (dose, record) in enumerate(
            zip(degraded.degraded(at).doses, degraded.degraded(at).records, strict=True)
        )
        if dose > 1.5 and record["kind"] == "blur"
    ]
    assert quiet
    for at, place in quiet:
        label, routine = degraded.image_labels(at, IN_PARTS)[[place, 0]]
        assert label[1] > routine[1]
        sharp = np.diff(degraded.image(at, place), axis=0).std()
        assert sharp < np.diff(degraded.image(at, 0), axis=0).std()


def test_draws_belong_to_the_slice_and_the_seed() -> None:
    first = MIXTURE.drawn("00ab12cd", train=True)
    assert MIXTURE.drawn("00ab12cd", train=True) == first
    assert MIXTURE.drawn("00ab12ce", train=True) != first
    assert replace(MIXTURE, seed=1).drawn("00ab12cd", train=True) != first


def test_every_slice_has_its_degraded_images_with_labels_in_parts(degraded: Corpus) -> None:
    doses = len(degraded.settings.image_doses)
    for index, one in enumerate(degraded.slices):
        count = 3 if one.facts.split == "train" else 4
        labels = degraded.image_labels(index, IN_PARTS)
        assert labels.shape == (doses + count, 4)
        assert ((labels >= 0) & (labels <= (1, 1, 1.15, 1))).all()
        held = degraded.degraded(index)
        assert [record["kind"] for record in held.records] == [
            drawn.degradation.kind
            for drawn in MIXTURE.drawn(one.facts.part, train=one.facts.split == "train")
        ]
        assert degraded.image(index, doses + count - 1).shape == (512, 512)


def test_the_noise_part_of_an_undegraded_image_is_the_ideal_label(degraded: Corpus) -> None:
    noise = replace(IDEAL, parts=("score", "noise"))
    # Two draws of the same noise level.
    measured, before = degraded.labels(0, noise)[:, 1], degraded.labels(0, IDEAL)
    np.testing.assert_allclose(measured, before, atol=0.02)


def test_a_second_run_makes_the_same_bytes_and_goes_on_where_one_was_killed(
    degraded: Corpus,
) -> None:
    part = degraded.slices[1].facts.part
    files = [degraded.folder / "degraded" / f"{part}{suffix}" for suffix in (".json", ".npy")]
    before = [path.read_bytes() for path in files]
    untouched = degraded.folder / "degraded" / f"{degraded.slices[0].facts.part}.json"
    stamp = untouched.stat().st_mtime_ns
    files[0].unlink()
    degrade_corpus(degraded, MIXTURE, workers=1)
    assert [path.read_bytes() for path in files] == before
    assert untouched.stat().st_mtime_ns == stamp


def test_another_mixture_is_refused(degraded: Corpus) -> None:
    with pytest.raises(CorpusError, match="made by another mixture"):
        degrade_corpus(degraded, replace(MIXTURE, seed=7), workers=1)


def test_the_fingerprint_knows_the_degraded_images_where_they_are_asked_for(
    degraded: Corpus, corpus: Corpus, tmp_path: Path
) -> None:
    everyone = range(len(degraded.slices))
    known = degraded.fingerprint(everyone, degraded=True)
    assert degraded.fingerprint(everyone) == corpus.fingerprint(everyone) != known
    copy = replace(degraded, folder=tmp_path / "corpus")
    shutil.copytree(degraded.folder, copy.folder)
    assert copy.fingerprint(everyone, degraded=True) == known
    facts = copy.folder / "degraded" / f"{copy.slices[1].facts.part}.json"
    changed = json.loads(facts.read_text()) | {"sigma_mm": 0.7}
    facts.write_text(json.dumps(changed))
    read_degraded.cache_clear()
    assert copy.fingerprint(everyone, degraded=True) != known


def test_labels_in_parts_of_a_corpus_without_them_are_refused(corpus: Corpus) -> None:
    with pytest.raises(CorpusError, match="make them by 'ctiqa degrade'"):
        corpus.labels(0, IN_PARTS)


def test_labels_in_parts_weigh_fidelity_in_one_way_alone(degraded: Corpus) -> None:
    with pytest.raises(RecipeError, match="made with reference = ideal"):
        degraded.labels(0, replace(ROUTINE, parts=PARTS))


def test_fixed_examples_serve_degraded_images_as_further_places(degraded: Corpus) -> None:
    doses = len(degraded.settings.image_doses)
    examples = FixedExamples(degraded, (), IN_PARTS, chosen=[(0, 0), (0, doses + 1)])
    (batch,) = examples.in_order(batch=2)
    assert batch.q.shape == (2, 4)
    assert np.array_equal(batch.hu[1].numpy(), degraded.image(0, doses + 1))
    expected = degraded.degraded(0).labels[1]
    np.testing.assert_allclose(batch.q[1].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_fresh_examples_are_degraded_as_often_as_asked(share: float, degraded: Corpus) -> None:
    examples = FreshExamples(degraded, [0], IN_PARTS, passes=8, degraded_share=share)
    (batch,) = examples.epoch(0, seed=0, batch=8)
    assert batch.q.shape == (8, 4)
    stored = {tuple(np.float32(row)) for row in degraded.degraded(0).labels}
    assert all((tuple(q.numpy()) in stored) == bool(share) for q in batch.q)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lacks the table"),
        ("[mixture]\neach = 1\n[weights]\nblur = 1", "is missing"),
        ("[mixture", "cannot be read as a mixture"),
    ],
)
def test_a_file_that_is_no_mixture_is_refused_in_words(
    text: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "mixture.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=words):
        read_mixture(path)


@pytest.mark.parametrize(
    "change",
    [
        {"each": 0},
        {"weights": {"fog": 1.0}},
        {"weights": {"median": 1.0}},
        {"lowest_dose": 0.0},
        {"highest_dose": 0.5},
        {"unseen": ("fog",)},
        {"weights": {"blur": -1.0}},
    ],
)
def test_an_impossible_mixture_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="mixture"):
        replace(MIXTURE, **change)


def test_records_are_plain_json(degraded: Corpus) -> None:
    path = degraded.folder / "degraded" / f"{degraded.slices[0].facts.part}.json"
    held = json.loads(path.read_text())
    assert {"sigma_mm", "undegraded", "degraded"} == set(held)
