"""The best that meters do together: what it learns, and what it keeps."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ctiqa.corpus.degraded_images import read_degraded
from ctiqa.corpus.label import IDEAL, PARTS
from ctiqa.corpus.store import Corpus
from ctiqa.study import meters
from ctiqa.study.chosen import Chosen
from ctiqa.study.meters import meters_column

IN_PARTS = replace(IDEAL, parts=PARTS)


@pytest.fixture
def corpus(degraded_corpus: Corpus) -> Corpus:
    return degraded_corpus


def told(monkeypatch: pytest.MonkeyPatch, *, silent: bool = False) -> None:
    """Let the meters tell the label itself, in two of them, or nothing in the last."""

    def readings(corpus: Corpus, at: int, place: int) -> list[float]:
        label = float(corpus.image_labels(at, IN_PARTS)[place][0])
        missing = float("nan")
        return [2 * label, label**3 if place else missing, 0.0, missing if silent else 1.0]

    monkeypatch.setattr(meters, "_readings", readings)


def test_meters_that_know_the_label_tell_it(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch)
    chosen = Chosen.of(corpus, IN_PARTS, split="test")
    column = meters_column(chosen, corpus.where("train"))
    assert column is not None
    assert np.corrcoef(column, chosen.known().reference)[0, 1] > 0.95


def test_readings_are_kept_in_the_corpus(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch)
    chosen, trained = Chosen.of(corpus, IN_PARTS, split="test"), corpus.where("train")
    first = meters_column(chosen, trained)
    monkeypatch.setattr(meters, "_readings", lambda *_: pytest.fail("measured twice"))
    second = meters_column(chosen, trained)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first, second)


def test_readings_of_a_corpus_degraded_anew_are_taken_anew(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch)
    (at,) = Chosen.of(corpus, IN_PARTS, split="test").indices[:1]
    first = meters._kept(corpus, at)
    facts = corpus.folder / "degraded" / f"{corpus.slices[at].facts.part}.json"
    held = json.loads(facts.read_text())
    for row in held["degraded"]:
        row["score"] /= 2
    facts.write_text(json.dumps(held))
    read_degraded.cache_clear()
    assert (meters._kept(corpus, at)[-1] < first[-1])[:2].all()


def test_nothing_is_told_where_a_meter_never_reads(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, silent=True)
    chosen = Chosen.of(corpus, IN_PARTS, split="test")
    assert meters_column(chosen, corpus.where("train")) is None


def test_an_image_without_a_patient_is_read_as_far_as_it_can_be(corpus: Corpus) -> None:
    noise, texture, edge, streaks = meters._readings(corpus, 0, 0)
    assert np.isnan(edge)
    assert streaks <= 0
    assert np.isnan(noise) == np.isnan(texture)
