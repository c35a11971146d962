"""How far an image is from routine-dose scans in its patch statistics: NIQE, the classical way."""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.corpus.label import WINDOWS, LabelRecipe
from ctiqa.corpus.store import Corpus
from ctiqa.errors import WriteError
from ctiqa.files import write_whole
from ctiqa.measures.correlation import Column
from ctiqa.measures.monotone import MonotoneMap
from ctiqa.measures.scene_statistics import FEATURES, mirrored, patch_features

__all__ = ["NIQE", "Naturalness", "niqe_column"]

NIQE = "NIQE"

_MOST_SLICES = 128
"""Training slices that are looked at, evenly spread: more patches than the fit needs."""

_FEWEST_PATCHES = 2 * FEATURES

Array: TypeAlias = npt.NDArray[np.float64]

Advance: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Naturalness:
    """The multivariate Gaussian of the patch statistics of good images, in one window.

    After Mittal, Soundararajan and Bovik, IEEE Signal Processing Letters 20, 2013, 209
    (doi 10.1109/LSP.2012.2227726).

    Args:
        unit: (36,) spread of each feature, by which all are divided.
        mean: (36,) of the features so divided.
        covariance: (36, 36) of the same.
    """

    unit: Array
    mean: Array
    covariance: Array

    @classmethod
    def fit(cls, features: Array) -> Self:
        """Fit to the patches of good images, each in all its flips and quarter turns.

        Args:
            features: (patches, 36).
        """
        turned = mirrored(features)
        spread = turned.std(axis=0)
        unit = np.where(spread > 0, spread, 1.0)
        return cls(unit, *_gaussian(turned / unit))

    def distance(self, features: Array) -> float:
        """Return how far the Gaussian of an image's patches is from that of good images.

        sqrt( d' ((S1 + S2) / 2)^-1 d ), d the difference of the means, S1 and S2 the covariances
        (their equation 10).

        Args:
            features: (patches, 36).

        Returns:
            At least 0; NaN without any patch.
        """
        if not len(features):
            return float("nan")
        mean, covariance = _gaussian(features / self.unit)
        apart = mean - self.mean
        inverse = np.linalg.pinv((self.covariance + covariance) / 2, rcond=1e-6, hermitian=True)
        return math.sqrt(max(float(apart @ inverse @ apart), 0.0))


def niqe_column(
    corpus: Corpus,
    label: LabelRecipe,
    *,
    evaluated: Sequence[int],
    trained: Sequence[int],
    workers: int | None = None,
    advance: Advance = lambda _done, _of: None,
) -> Column | None:
    """Return what the distance from routine-dose training slices says of the label.

    The Gaussian of each of the label's windows is fitted on training slices at routine dose; the
    mean distance over the windows, less meaning better, is mapped to the label by a rising map that
    is fitted on the same slices at all doses. An image without a usable patch gets the mean of the
    others.

    Args:
        corpus: open; the statistics of its slices are kept in it.
        label: what is to be predicted, and in which windows.
        evaluated: slices that are predicted.
        trained: slices of other patients to fit on.
        workers: threads; one a core by default.
        advance: told how many slices are done, and of how many.

    Returns:
        One value for each evaluated slice and image dose, dose by dose; None where the training
        slices show too little for a fit.
    """
    shown = [at for at in trained if not corpus.slices[at].facts.reconstruction]
    places = np.linspace(0, len(shown) - 1, min(len(shown), _MOST_SLICES)).round().astype(int)
    known = [shown[place] for place in places]
    wanted = [*known, *evaluated]
    found: list[list[list[Array]]] = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for each in pool.map(lambda at: _statistics(corpus, at, label.windows), wanted):
            found.append(each)
            advance(len(found), len(wanted))
    routine = int(np.argmax(corpus.settings.image_doses))
    by_window = zip(*(one[routine] for one in found[: len(known)]), strict=True)
    good = [np.concatenate(each) for each in by_window]
    if not good or any(len(each) < _FEWEST_PATCHES for each in good):
        return None
    gaussians = [Naturalness.fit(each) for each in good]
    near = -np.array([[_distance(image, gaussians) for image in one] for one in found])
    reference = np.concatenate([corpus.image_labels(at, label) for at in known])
    return _mapped(near[: len(known)].ravel(), reference, near[len(known) :].ravel())


def _mapped(near: Column, reference: Column, asked: Column) -> Column | None:
    """Return what nearness says of the reference, the mean where it is not known."""
    seen, answered = np.isfinite(near), np.isfinite(asked)
    if not (seen.any() and answered.any()):
        return None
    predicted = np.empty(asked.size)
    predicted[answered] = MonotoneMap.fit(near[seen], reference[seen])(asked[answered])
    predicted[~answered] = predicted[answered].mean()
    return predicted


def _distance(image: Sequence[Array], gaussians: Sequence[Naturalness]) -> float:
    """Return the mean over the windows in which the image has a patch."""
    pairs = zip(image, gaussians, strict=True)
    apart = [gaussian.distance(features) for features, gaussian in pairs if len(features)]
    return float(np.mean(apart)) if apart else float("nan")


def _statistics(corpus: Corpus, at: int, windows: Sequence[str]) -> list[list[Array]]:
    """Return the patch statistics of a slice by image dose and window, kept in the corpus."""
    doses = range(len(corpus.settings.image_doses))
    part = corpus.slices[at].facts.part
    kept = corpus.folder / "patch-statistics" / f"{part}-{version('ctiqa')}.npz"
    names = [[f"{dose}-{window}" for window in windows] for dose in doses]
    if kept.exists():
        with np.load(kept, allow_pickle=False) as held:
            if all(name in held for row in names for name in row):
                return [[held[name].astype(np.float64) for name in row] for row in names]
    made: dict[str, Any] = {
        f"{dose}-{name}": patch_features(corpus.image(at, dose), window).astype(np.float32)
        for dose in doses
        for name, window in WINDOWS.items()
    }
    with suppress(WriteError):  # nothing is lost where a corpus cannot be written to
        write_whole(kept, lambda file: np.savez(file, **made))
    return [[made[name].astype(np.float64) for name in row] for row in names]


def _gaussian(features: Array) -> tuple[Array, Array]:
    """Return mean and covariance; of a single patch the covariance is 0."""
    return features.mean(axis=0), np.cov(features, rowvar=False, ddof=0)
