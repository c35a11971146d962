"""What training is served: the stored images, or fresh noise at a fresh dose."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ctiqa.corpus.examples import Batch, FixedExamples, FreshExamples, _FreshDraw
from ctiqa.corpus.held import hold
from ctiqa.corpus.label import IDEAL, ROUTINE
from ctiqa.corpus.store import Corpus


def sizes(batches: Iterable[Batch]) -> list[int]:
    return [len(batch.q) for batch in batches]


def joined(batches: Iterable[Batch]) -> tuple[bytes, list[float]]:
    """Return the pixels of all batches as bytes, and the labels."""
    held = list(batches)
    pixels = b"".join(batch.hu.numpy().tobytes() for batch in held)
    return pixels, [q for batch in held for q in batch.q.tolist()]


def fresh(corpus: Corpus, **changes: object) -> FreshExamples:
    plain = FreshExamples(corpus, range(4), IDEAL, passes=3)
    return replace(plain, **changes)


def test_fixed_examples_serve_every_dose_of_every_slice_once(corpus: Corpus) -> None:
    examples = FixedExamples(corpus, [0, 2], IDEAL)
    assert len(examples) == 8
    (batch,) = examples.in_order(batch=8)
    assert batch.hu.dtype == batch.q.dtype == torch.float32
    assert batch.hu.shape == (8, 512, 512)
    labels = [*corpus.image_labels(0, IDEAL), *corpus.image_labels(2, IDEAL)]
    assert batch.q.tolist() == pytest.approx(labels)
    assert np.array_equal(batch.hu[5].numpy(), corpus.image(2, 1))


def test_the_middle_of_the_same_examples_is_served_where_no_more_is_looked_at(
    corpus: Corpus,
) -> None:
    whole = FixedExamples(corpus, [0, 2], IDEAL)
    for examples in (replace(whole, size=100), hold(replace(whole, size=100), torch.device("cpu"))):
        pairs = zip(
            examples.epoch(1, seed=5, batch=3), whole.epoch(1, seed=5, batch=3), strict=True
        )
        for batch, full in pairs:
            assert torch.equal(batch.hu, full.hu[:, 206:306, 206:306])
            assert torch.equal(batch.q, full.q)


def test_one_epoch_of_fixed_examples_is_a_permutation_of_them(corpus: Corpus) -> None:
    examples = FixedExamples(corpus, range(4), ROUTINE)
    _, labels = joined(examples.epoch(0, seed=0, batch=5))
    _, in_order = joined(examples.in_order(batch=5))
    assert labels != in_order
    assert sorted(labels) == sorted(in_order)


def test_chosen_pairs_are_served_alone(corpus: Corpus) -> None:
    examples = FixedExamples(corpus, range(4), IDEAL, chosen=[(3, 2), (0, 0)])
    (batch,) = examples.in_order(batch=4)
    assert np.array_equal(batch.hu[0].numpy(), corpus.image(3, 2))
    assert np.array_equal(batch.hu[1].numpy(), corpus.image(0, 0))


def test_turning_keeps_every_value_of_a_slice(corpus: Corpus) -> None:
    # METHOD 1.3, row 21: flips and quarter turns only, nothing is interpolated.
    examples = FixedExamples(corpus, [0], IDEAL, chosen=[(0, 0)] * 64)
    source = corpus.image(0, 0)
    (batch,) = examples.epoch(0, seed=0, batch=64)
    values = np.sort(source, axis=None)
    seen = {image.numpy().tobytes() for image in batch.hu}
    assert all(np.array_equal(np.sort(image.numpy(), axis=None), values) for image in batch.hu)
    assert len(seen) == 8
    (upright,) = replace(examples, turned=False).epoch(0, seed=0, batch=64)
    assert {image.numpy().tobytes() for image in upright.hu} == {source.tobytes()}


def test_an_epoch_of_fresh_examples_repeats_to_the_byte_and_the_next_differs(
    corpus: Corpus,
) -> None:
    examples = fresh(corpus)
    first = joined(examples.epoch(0, seed=7, batch=4))
    assert joined(examples.epoch(0, seed=7, batch=4)) == first
    assert joined(examples.epoch(0, seed=7, batch=5)) == first  # batches cut it, no more
    assert joined(examples.epoch(1, seed=7, batch=4))[0] != first[0]
    assert joined(examples.epoch(0, seed=8, batch=4))[0] != first[0]


def test_ranks_share_an_epoch_without_overlap(corpus: Corpus) -> None:
    for examples in (fresh(corpus), FixedExamples(corpus, range(4), IDEAL)):
        _, whole = joined(examples.epoch(2, seed=0, batch=3))
        shares = [
            joined(examples.epoch(2, seed=0, batch=3, rank=rank, world=2))[1] for rank in (0, 1)
        ]
        assert shares[0] == whole[0::2]
        assert shares[1] == whole[1::2]


def test_batches_are_full_but_for_the_last(corpus: Corpus) -> None:
    assert sizes(fresh(corpus).epoch(0, seed=0, batch=5)) == [5, 5, 2]


def test_full_dose_serves_the_slice_itself_with_its_label(corpus: Corpus) -> None:
    examples = fresh(corpus, routine_share=1.0, indices=[1], passes=1)
    (batch,) = examples.epoch(0, seed=0, batch=1)
    values = np.sort(corpus.image(1, 0), axis=None)
    assert np.array_equal(np.sort(batch.hu.numpy(), axis=None), values)
    assert batch.q[0] == pytest.approx(corpus.image_labels(1, IDEAL)[0])


@pytest.mark.parametrize("dose", [0.75, 0.25])
def test_the_mixture_of_two_fields_has_the_variance_of_one(dose: float, corpus: Corpus) -> None:
    # cos^2 + sin^2 = 1, and over the angles the product of two fields averages out.
    source = corpus.image(0, 0)
    body = source > -200
    fields = corpus.fields(0).astype(np.float32)[:, body]
    quantum, electronic = fields[:4].var(axis=1).mean(), fields[4:].var(axis=1).mean()
    expected = quantum * (1 / dose - 1) + electronic * (1 / dose**2 - 1)
    examples = fresh(corpus)
    ratios = [
        (examples._example(_FreshDraw(0, dose, 0, seed)).hu - source)[body].var() / expected
        for seed in range(64)
    ]
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)
    assert np.std(ratios) < 0.05


def test_labels_are_interpolated_in_the_logarithm_of_the_dose(corpus: Corpus) -> None:
    examples = fresh(corpus)
    stored = corpus.labels(2, IDEAL)

    def label(dose: float) -> float:
        return examples._example(_FreshDraw(2, dose, 0, 0)).label

    known = corpus.settings.label_doses
    assert [label(dose) for dose in known] == pytest.approx(stored.tolist())
    middle = label(float(np.sqrt(known[2] * known[3])))
    assert middle == pytest.approx((stored[2] + stored[3]) / 2)


def test_doses_are_spread_evenly_in_their_logarithm_beside_the_full_ones(corpus: Corpus) -> None:
    examples = fresh(corpus, indices=[2], passes=200, routine_share=0.2)
    _, labels = joined(examples.epoch(0, seed=9, batch=50))
    stored, known = corpus.labels(2, IDEAL), np.log(corpus.settings.label_doses)
    full = np.isclose(labels, corpus.image_labels(2, IDEAL)[0])
    assert full.mean() == pytest.approx(0.2, abs=0.08)
    # The label falls with dose, so it tells the dose.
    position = np.interp(np.array(labels)[~full], stored[::-1], known[::-1]) / np.log(0.15)
    assert position.min() > 0
    assert position.max() < 1.001
    assert np.histogram(position, 4, (0, 1))[0] / 160 == pytest.approx(np.full(4, 0.25), abs=0.1)


@pytest.mark.parametrize("dose", [1.5, 4.0, 8.0])
def test_above_dose_1_a_slice_has_so_much_less_noise_than_it_had(
    dose: float, corpus: Corpus
) -> None:
    middle = (slice(192, 320), slice(192, 320))
    clean = corpus.clean(0)
    assert clean is not None
    examples = fresh(corpus, highest_dose=8.0)
    noise = [
        float((examples._labelled(_FreshDraw(0, dose, 0, seed))[0] - clean)[middle].std())
        for seed in range(6)
    ]
    fields = corpus.fields(0).astype(float)[:, *middle]
    quantum, read_out = fields[:4].var(), fields[4:].var()
    expected = np.sqrt(quantum / dose + read_out / dose**2)
    assert np.sqrt(np.mean(np.square(noise))) == pytest.approx(expected, rel=0.1)


def test_labels_reach_above_dose_1(corpus: Corpus) -> None:
    doses, labels = corpus.settings.label_doses, corpus.labels(0, IDEAL)
    assert doses[:4] == (8.0, 4.0, 2.0, 1.0)
    assert (np.diff(labels) < 0).all()
    assert labels[0] < 1


def test_each_image_comes_with_the_side_of_its_pixel(corpus: Corpus) -> None:
    slices = list(corpus.slices)
    slices[1] = replace(slices[1], facts=replace(slices[1].facts, pixel_mm=0.5))
    other = replace(corpus, slices=tuple(slices))
    fixed = FixedExamples(other, [1, 2], IDEAL)
    doses = len(corpus.settings.image_doses)
    (batch,) = fixed.in_order(batch=2 * doses)
    expected = doses * [0.5] + doses * [corpus.pixel_mm(2)]
    assert batch.pixel_mm.tolist() == pytest.approx(expected)
    (batch,) = FreshExamples(other, [1], IDEAL).epoch(0, seed=0, batch=1)
    assert batch.pixel_mm.tolist() == [0.5]


def test_two_examples_of_one_slice_have_different_noise(corpus: Corpus) -> None:
    examples = fresh(corpus, indices=[0], passes=2, routine_share=0.0)
    (batch,) = examples.epoch(0, seed=1, batch=2)
    assert not torch.equal(batch.hu[0], batch.hu[1])
