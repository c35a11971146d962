"""Fit what a model's score means on readers' scale, judged on patients that were left out."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.errors import TableError
from ctiqa.measures.agreement import agreement, bootstrap, percentile_interval
from ctiqa.measures.conformal import LEVEL, half_width
from ctiqa.measures.correlation import Column, srocc
from ctiqa.measures.kappa import quadratic_kappa
from ctiqa.measures.monotone import Logistic, MonotoneMap
from ctiqa.scoring.calibration import Calibration, Curve

__all__ = ["FEWEST_IMAGES", "FEWEST_PATIENTS", "Graded", "Kind", "calibrate"]

FEWEST_IMAGES = 50
FEWEST_PATIENTS = 10
"""With fewer a calibration says little of the next patient; only force makes one."""

_MOST_FOLDS = 10

Kind: TypeAlias = Literal["logistic", "isotonic"]

Predict: TypeAlias = Callable[[Column], Column]
Fit: TypeAlias = Callable[[Column, Column], Predict]


@dataclass(frozen=True, slots=True, eq=False)
class Graded:
    """Images that a model scored and readers graded, one row for each.

    Args:
        score: (n,) what the model says, finite.
        reference: (n,) mean grade of the readers, finite.
        patient: (n,) whom each image shows, of any type that sorts.
        model: name of the model.
        model_sha256: of its file.
    """

    score: Column
    reference: Column
    patient: npt.NDArray[np.generic]
    model: str
    model_sha256: str

    def __len__(self) -> int:
        return self.score.size


def calibrate(
    graded: Graded,
    *,
    scale: tuple[float, float] = (0.0, 4.0),
    kind: Kind = "logistic",
    force: bool = False,
    n_boot: int = 1000,
) -> Calibration:
    """Return the rising map from score to grade, with its interval and what it is worth.

    Every figure but that of the bare score comes from cross-validation: whoever is predicted was
    not among the patients that the map was fitted on. The map itself is fitted on all.

    Args:
        graded: scores and grades.
        scale: lowest and highest grade a reader may give.
        kind: the logistic of four parameters, or isotonic regression.
        force: also calibrate on fewer than 50 images or 10 patients.
        n_boot: resamples of the patients behind the 95 % interval of each figure.

    Raises:
        TableError: if the images or patients are too few, a grade lies off the scale, or the
            scores do not rise with the grades.
    """
    patients = np.unique(graded.patient)
    _check(graded, patients.size, scale, force=force)
    fit: Callable[[Column, Column], Curve] = Logistic.fit if kind == "logistic" else MonotoneMap.fit
    owner = np.searchsorted(patients, graded.patient)
    folds = min(patients.size, _MOST_FOLDS)
    fits: dict[str, Fit] = {"constant": _constant, "straight line": _line, kind: fit}
    predicted = {
        name: np.clip(_left_out(graded, owner % folds, each), *scale) for name, each in fits.items()
    }
    bare = agreement(graded.score, graded.reference)
    figures: dict[str, dict[str, float | None]] = {
        "score": {"plcc": bare.plcc, "srocc": bare.srocc, "mae": None, "kappa": None}
        | _ends(graded, graded.score, ("plcc", "srocc"), n_boot)
    }
    for name, column in predicted.items():
        figures[name] = _figures(graded, column, correlated=name != "constant", n_boot=n_boot)
    width = half_width(np.abs(graded.reference - predicted[kind]), owner)
    return Calibration(
        model=graded.model,
        model_sha256=graded.model_sha256,
        scale=scale,
        curve=fit(graded.score, graded.reference),
        half_width=width,
        level=LEVEL,
        images=len(graded),
        patients=int(patients.size),
        folds=folds,
        score_range=(float(graded.score.min()), float(graded.score.max())),
        figures=figures,
        notes=tuple(_notes(graded, patients.size, width)),
    )


def _check(graded: Graded, patients: int, scale: tuple[float, float], *, force: bool) -> None:
    low, high = scale
    off = (graded.reference < low) | (graded.reference > high)
    if off.any():
        raise TableError(
            f"a reader's grade is {graded.reference[off][0]:g}, but the scale goes from {low:g} to "
            f"{high:g}; name the readers' own scale, for example --scale 1 5"
        )
    few = len(graded) < FEWEST_IMAGES or patients < FEWEST_PATIENTS
    if few and not force:
        raise TableError(
            f"{len(graded)} graded images of {patients} patients are too few to calibrate on; "
            f"have at least {FEWEST_IMAGES} of {FEWEST_PATIENTS} graded, or give --force"
        )
    if patients < 2:
        raise TableError(
            "nothing can be left out of one patient; have images of at least two graded"
        )
    if np.ptp(graded.reference) == 0 or np.ptp(graded.score) == 0:
        raise TableError(
            "all grades, or all scores, are the same number; have images of unlike quality graded"
        )
    rank = srocc(graded.score, graded.reference)
    if rank <= 0:
        raise TableError(
            f"the scores do not rise with the readers' grades (SROCC {rank:.2f}), so no map makes "
            "grades of them; see that a higher grade means better, and that the images match"
        )


def _left_out(graded: Graded, fold_of: npt.NDArray[np.integer], fit: Fit) -> Column:
    """Return for each image what a fit without its fold says, (n,)."""
    predicted = np.empty(len(graded))
    for fold in np.unique(fold_of):
        out = fold_of == fold
        score, reference = graded.score[~out], graded.reference[~out]
        # Where what is left is one grade or one score only, there is nothing but its mean.
        flat = np.ptp(score) == 0 or np.ptp(reference) == 0
        predicted[out] = (_constant if flat else fit)(score, reference)(graded.score[out])
    return predicted


def _constant(_score: Column, reference: Column) -> Predict:
    mean = float(reference.mean())
    return lambda score: np.full(score.shape, mean)


def _line(score: Column, reference: Column) -> Predict:
    slope, start = np.polyfit(score, reference, 1)
    return lambda score: np.asarray(start + slope * score)


def _figures(
    graded: Graded, predicted: Column, *, correlated: bool, n_boot: int
) -> dict[str, float | None]:
    held = agreement(predicted, graded.reference)
    kappa = quadratic_kappa(predicted, graded.reference)
    plain = {"plcc": held.plcc, "srocc": held.srocc, "mae": held.mae, "kappa": kappa}
    # The mean of the other patients runs against their own mean by arithmetic alone.
    names = ("plcc", "srocc", "mae") if correlated else ("mae",)
    known = {
        name: value if math.isfinite(value) and name in {*names, "kappa"} else None
        for name, value in plain.items()
    }
    return known | _ends(graded, predicted, names, n_boot)


def _ends(
    graded: Graded, column: Column, names: tuple[str, ...], n_boot: int
) -> dict[str, float | None]:
    """Return the 95 % interval of some figures, over patients."""
    rng = np.random.default_rng(0)
    draws = bootstrap(column, graded.reference, graded.patient, n_boot=n_boot, rng=rng)
    ends: dict[str, float | None] = {}
    for name in names:
        low, high = percentile_interval(draws.figure(name))
        ends |= {f"{name}_low": low, f"{name}_high": high} if math.isfinite(low) else {}
    return ends


def _notes(graded: Graded, patients: int, width: float) -> Iterator[str]:
    if len(graded) < FEWEST_IMAGES or patients < FEWEST_PATIENTS:
        yield (
            f"Forced on {len(graded)} images of {patients} patients: fewer than {FEWEST_IMAGES} "
            f"of {FEWEST_PATIENTS} say little of the next patient."
        )
    if math.isinf(width):
        yield (
            f"{patients} patients are too few for an interval of {LEVEL:.0%}: it is the whole "
            "scale."
        )
