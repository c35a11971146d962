"""What a quality map is told to be worth, for maps of which it is known."""

from dataclasses import replace

import numpy as np
import pytest

from ctiqa.corpus.label import IDEAL, PARTS
from ctiqa.corpus.loss_map import CELLS
from ctiqa.corpus.store import Corpus
from ctiqa.images.ct_slice import FloatImage
from ctiqa.study.chosen import Chosen
from ctiqa.study.map_evidence import map_agreement

IN_PARTS = replace(IDEAL, parts=PARTS)


@pytest.fixture
def chosen(degraded_corpus: Corpus) -> Chosen:
    return Chosen.of(degraded_corpus, IN_PARTS, split="test")


class Knowing:
    """Tells the label itself of each image in turn, turned over where ``wrong`` says so."""

    def __init__(self, chosen: Chosen, *, wrong: bool = False) -> None:
        self.labels = [chosen.corpus.degraded(at).loss_map(place) for at, place in chosen.places]
        self.sign = -1 if wrong else 1

    def __call__(self, hu: FloatImage, pixel_mm: float) -> FloatImage:
        assert (hu.ndim, pixel_mm > 0) == (2, True)
        return self.sign * np.nan_to_num(self.labels.pop(0))


def test_a_map_that_is_the_label_agrees_wholly(chosen: Chosen) -> None:
    found = map_agreement(chosen, Knowing(chosen))
    assert found is not None
    assert (found.images, found.share_good) == (len(chosen.places), 1)
    assert (found.median, found.lowest_twentieth) == (pytest.approx(1), pytest.approx(1))
    assert found.per_kind == {"": pytest.approx(1), "blur": pytest.approx(1)}
    assert list(found.per_patient) == sorted(set(chosen.patients.tolist()))


def test_a_map_that_runs_against_the_label_is_found_out(chosen: Chosen) -> None:
    found = map_agreement(chosen, Knowing(chosen, wrong=True))
    assert found is not None
    assert found.median == pytest.approx(-1)
    assert found.share_good == 0


def test_a_map_that_says_the_same_everywhere_orders_nothing(chosen: Chosen) -> None:
    assert map_agreement(chosen, lambda _hu, _side: np.zeros((CELLS, CELLS), np.float32)) is None
