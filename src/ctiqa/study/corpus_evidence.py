"""Evidence drawn from a corpus: its images scored by models and by the labeller itself."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from importlib.metadata import version
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.card import ScoreInterval
from ctiqa.corpus.store import Corpus
from ctiqa.errors import WriteError
from ctiqa.files import write_whole
from ctiqa.images.ct_slice import AIR_HU, CTSlice, FloatImage, Identity
from ctiqa.images.slice_header import fit_window
from ctiqa.measures.correlation import Column
from ctiqa.scoring.interval import around
from ctiqa.scoring.scorer import PixelSides
from ctiqa.study.baselines import SELF_LABEL, self_label
from ctiqa.study.chosen import Chosen
from ctiqa.study.evidence import EvidenceTable, TrainingImages
from ctiqa.study.meters import METERS, meters_column
from ctiqa.study.niqe import NIQE, niqe_column

__all__ = ["Advance", "Bar", "Chosen", "Evidence", "Predict", "fitted", "gather", "outputs"]

Predict: TypeAlias = Callable[[FloatImage, PixelSides], npt.NDArray[np.floating]]
"""Returns the raw outputs, (N, k), of (N, size, size) slices in HU with their pixel sides."""

Advance: TypeAlias = Callable[[int, int], None]
"""Told how many steps are done and how many there are."""

Bar: TypeAlias = Callable[[str], AbstractContextManager[Advance]]
"""Shows the progress of one job, named in words, while its context is open."""

TRAINING_SPLIT = "train"
_BATCH = 8


class Evidence(NamedTuple):
    """A table of evidence, and what the trivial baselines may learn from; None without any."""

    table: EvidenceTable
    train: TrainingImages | None


def gather(
    chosen: Chosen,
    predict: Predict,
    *,
    teachers: Sequence[Predict] = (),
    by_itself: bool,
    niqe: bool = False,
    interval: ScoreInterval | None = None,
    workers: int | None = None,
    bar: Bar = lambda _words: nullcontext(lambda _done, _of: None),
) -> Evidence:
    """Score the chosen images beside their labels, for :func:`ctiqa.study.evaluation.evaluate`.

    A score is the mean of the network's outputs, not clipped: clipping would make ties. Where
    degraded images are judged, the best combination of meters is a rival, too.

    Args:
        chosen: which images.
        predict: the model.
        teachers: further models; their mean and the first of them become rivals.
        by_itself: whether the labeller labels every image by itself, as a rival.
        niqe: whether the distance from routine-dose training slices is a rival, too; it is left
            out where there are no training slices, or too few.
        interval: of the model's card.
        workers: processes for these; every core by default.
        bar: shows how far each part of the work has come.
    """
    rivals = {}
    if teachers:
        columns = [
            outputs(chosen, each, bar("scoring by a teacher")).mean(axis=1) for each in teachers
        ]
        rivals[f"mean of {len(teachers)} teachers"] = np.mean(columns, axis=0)
        rivals["single teacher"] = columns[0]
    if by_itself:
        rivals[SELF_LABEL] = _column(_self_labels(chosen, workers), bar("labelling by itself"))
    corpus, trained = chosen.corpus, _trained(chosen)
    if niqe and trained:
        with bar("patch statistics") as advance:
            column = niqe_column(
                corpus,
                chosen.label,
                evaluated=chosen.indices,
                trained=trained,
                workers=workers,
                advance=advance,
            )
        rivals |= {} if column is None else {NIQE: column}
    if chosen.with_degraded and trained:
        with bar("meters") as advance:
            column = meters_column(chosen, trained, workers=workers, advance=advance)
        rivals |= {} if column is None else {METERS: column}
    members = outputs(chosen, predict, bar("scoring"))
    known = chosen.known()
    table = EvidenceTable(
        score=members.mean(axis=1),
        reference=known.reference,
        patient=chosen.patients,
        dose=known.dose,
        noise_hu=known.noise_hu,
        slice_id=chosen.slice_ids,
        kind=chosen.kinds if chosen.with_degraded else None,
        rivals=rivals,
        interval=None if interval is None else around(members, interval),
    )
    return Evidence(table, replace(chosen, indices=trained).known() if trained else None)


def fitted(predict: Predict, size: int) -> Predict:
    """Return a model that is shown slices as scoring shows them: their middle, or air round them.

    >>> shape_of = lambda hu, _: np.array(hu.shape)
    >>> fitted(shape_of, 40)(np.zeros((2, 64, 64), np.float32), [0.7, 0.7]).tolist()
    [2, 40, 40]
    """

    def shown(hu: FloatImage, pixel_mm: PixelSides) -> npt.NDArray[np.floating]:
        source, target = fit_window(hu.shape[-1], size)
        seen = np.full((len(hu), size, size), AIR_HU, np.float32)
        seen[:, target, target] = hu[:, source, source]
        return predict(seen, pixel_mm)

    return shown


def outputs(
    chosen: Chosen, predict: Predict, bar: AbstractContextManager[Advance]
) -> npt.NDArray[np.float64]:
    """Return what a model says of the chosen images, (n, K), in their order."""
    return _column(_outputs(chosen, predict), bar)


def _trained(chosen: Chosen) -> list[int]:
    """Return the training slices; none where some of them are evaluated themselves."""
    slices = enumerate(chosen.corpus.slices)
    trained = [at for at, one in slices if one.facts.split == TRAINING_SPLIT]
    return [] if set(chosen.indices).intersection(trained) else trained


_Steps: TypeAlias = Iterator[tuple[npt.NDArray[np.float64], int, int]]
"""What is found of some images, how many steps are done, and of how many."""


def _column(steps: _Steps, bar: AbstractContextManager[Advance]) -> npt.NDArray[np.float64]:
    columns = []
    with bar as advance:
        for values, done, of in steps:
            columns.append(values)
            advance(done, of)
    return np.concatenate(columns)


def _outputs(chosen: Chosen, predict: Predict) -> _Steps:
    places = chosen.places
    for start in range(0, len(places), _BATCH):
        batch = places[start : start + _BATCH]
        sides = [chosen.corpus.pixel_mm(index) for index, _ in batch]
        said = predict(np.stack([chosen.corpus.image(*place) for place in batch]), sides)
        yield said.astype(np.float64), start + len(batch), len(places)


def _self_labels(chosen: Chosen, workers: int | None) -> _Steps:
    corpus, indices = chosen.corpus, chosen.indices
    alone = (replace(corpus, slices=(corpus.slices[index],)) for index in indices)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context) as pool:
        for done, values in enumerate(pool.map(_self_labels_of_one, alone), 1):
            yield values, done, len(indices)


def _self_labels_of_one(corpus: Corpus) -> Column:
    """Return the labels of one slice by itself, kept in the corpus, for they take long to make."""
    facts = corpus.slices[0].facts
    kept = corpus.folder / "self-labels" / f"{facts.part}-{version('ctiqa')}.json"
    if kept.exists():
        return np.array(json.loads(kept.read_text("utf-8")))
    images = (corpus.image(0, dose) for dose in range(len(corpus.settings.image_doses)))
    made = (CTSlice(hu, facts.pixel_mm, Identity(facts.path)) for hu in images)
    labels = [self_label(ct_slice) for ct_slice in made]
    with suppress(WriteError):  # nothing is lost where a corpus cannot be written to
        write_whole(kept, json.dumps(labels).encode())
    return np.array(labels)
