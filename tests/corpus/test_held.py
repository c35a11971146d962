"""What a device holds is what the disk holds, in the same order, turned the same way."""

from dataclasses import replace

import pytest
import torch

from ctiqa.corpus.examples import Batch, FixedExamples
from ctiqa.corpus.held import hold
from ctiqa.corpus.label import ROUTINE
from ctiqa.corpus.store import Corpus

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def examples(corpus: Corpus) -> FixedExamples:
    return FixedExamples(corpus, range(4), ROUTINE)


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.hu, other.hu) and torch.equal(one.q, other.q)


@pytest.mark.parametrize(("rank", "world"), [(0, 1), (1, 3)])
def test_an_epoch_from_the_device_is_that_from_the_disk_to_the_bit(
    examples: FixedExamples, rank: int, world: int
) -> None:
    served = [
        list(source.epoch(3, seed=1, batch=5, rank=rank, world=world))
        for source in (hold(examples, CPU), examples)
    ]
    assert all(same(*pair) for pair in zip(*served, strict=True))


def test_in_order_every_image_comes_once_and_upright(examples: FixedExamples) -> None:
    held = hold(examples, CPU)
    assert len(held) == len(examples) == 16
    served = [list(source.in_order(batch=6)) for source in (held, examples)]
    assert all(same(*pair) for pair in zip(*served, strict=True))


def test_examples_that_are_not_to_be_turned_stay_upright(examples: FixedExamples) -> None:
    upright = replace(examples, turned=False)
    pairs = zip(
        hold(upright, CPU).epoch(0, seed=0, batch=4),
        upright.epoch(0, seed=0, batch=4),
        strict=True,
    )
    assert all(same(*pair) for pair in pairs)


def test_images_are_held_in_two_bytes_a_pixel(examples: FixedExamples) -> None:
    held = hold(examples, CPU)
    assert held.hu.dtype == torch.int16
    assert held.hu.shape == (16, 512, 512)
