"""The interval of a score: from the model's own members, made honest on patients it never saw."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ctiqa.card import ScoreInterval
from ctiqa.errors import CorpusError
from ctiqa.measures.conformal import LEVEL, half_width
from ctiqa.measures.correlation import Column

__all__ = ["FEWEST_PATIENTS", "Ends", "around", "fit_interval"]

FEWEST_PATIENTS = 20
"""With fewer, one odd patient decides how wide every interval is."""

# Members of one student agree far better with each other than with the label, and on some images
# by chance. Chosen among 0.005 to 0.1 on calibration patients: the least gave the narrowest
# intervals, which held as many (docs/log.md).
_FLOOR = 0.005


class Ends(NamedTuple):
    """Lower and upper ends of intervals, (n,), in [0, 1]."""

    low: Column
    high: Column


def around(members: npt.NDArray[np.floating], interval: ScoreInterval) -> Ends:
    """Return the intervals of scores, as a model's card wants them.

    Args:
        members: (n, K) what each member says of each image, not clipped.
        interval: of the model's card.

    >>> wanted = ScoreInterval(
    ...     level=0.9, factor=2, floor=0.01, images=0, patients=0, corpus_fingerprint=""
    ... )
    >>> low, high = around(np.array([[0.5, 0.5], [0.9, 1.3]]), wanted)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.48, 0.6], [0.52, 1.0])
    """
    score = np.clip(members.mean(axis=1, dtype=np.float64), 0, 1)
    half = interval.factor * _spread(members, interval.floor)
    return Ends(np.clip(score - half, 0, 1), np.clip(score + half, 0, 1))


def fit_interval(
    members: npt.NDArray[np.floating],
    label: Column,
    patient: npt.NDArray[np.generic],
    *,
    corpus_fingerprint: str,
    level: float = LEVEL,
) -> ScoreInterval:
    """Return the interval that holds the label of a new patient's image as often as ``level``.

    Split-conformal prediction with errors measured in the spread of the members (Lei et al. 2018,
    doi 10.1080/01621459.2017.1307116, section 5.2), every patient weighing the same
    (:func:`ctiqa.measures.conformal.half_width`).

    Args:
        members: (n, K) what each member says of each image, not clipped.
        label: (n,) what is true of it, in [0, 1].
        patient: (n,) whom it shows; of none of them anything was learnt.
        corpus_fingerprint: of the images.
        level: share of the images of new patients that the interval holds.

    Raises:
        CorpusError: if the patients are fewer than 20.
    """
    patients, owner = np.unique(patient, return_inverse=True)
    if patients.size < FEWEST_PATIENTS:
        raise CorpusError(
            f"{patients.size} patients are too few for an honest interval; choose a split with at "
            f"least {FEWEST_PATIENTS} of whom nothing was learnt"
        )
    error = np.abs(label - np.clip(members.mean(axis=1, dtype=np.float64), 0, 1))
    factor = half_width(error / _spread(members, _FLOOR), owner, level=level)
    if not math.isfinite(factor):
        raise CorpusError(
            f"{patients.size} patients are too few for an interval that holds {level:.0%}; "
            "choose a lower level"
        )
    return ScoreInterval(
        level=level,
        factor=factor,
        floor=_FLOOR,
        images=label.size,
        patients=int(patients.size),
        corpus_fingerprint=corpus_fingerprint,
    )


def _spread(members: npt.NDArray[np.floating], floor: float) -> Column:
    spread: Column = np.hypot(members.std(axis=1, dtype=np.float64), floor)
    return spread
