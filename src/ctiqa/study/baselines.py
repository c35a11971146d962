"""What dose alone, noise alone and the labeller itself would score."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import isotonic_regression

from ctiqa.corpus.label import IDEAL, LabelRecipe, ideal_fidelity
from ctiqa.dose.simulate import calibrate
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.correlation import Column
from ctiqa.study.evidence import EvidenceTable, TrainingImages

__all__ = [
    "CONSTANT",
    "DOSE_ALONE",
    "NOISE_ALONE",
    "SELF_LABEL",
    "MonotoneMap",
    "self_label",
    "trivial_baselines",
]

CONSTANT = "constant"
DOSE_ALONE = "dose alone"
NOISE_ALONE = "noise alone"
SELF_LABEL = "self label"


@dataclass(frozen=True, slots=True, eq=False)
class MonotoneMap:
    """A rising map from what a meter says to the reference, linear between its knots.

    It rises strictly, also beyond its ends (at its mean slope): an order by the meter is the order
    by the map, so that rank correlations do not depend on how it was fitted.

    Args:
        at: (knots,) rising readings of the meter.
        value: (knots,) rising values of the reference.
    """

    at: Column
    value: Column

    @classmethod
    def fit(cls, reading: Column, reference: Column) -> Self:
        """Fit by isotonic regression; each of its steps becomes a knot at its mean reading.

        Args:
            reading: (n,) finite readings, higher is better; at least one.
            reference: (n,) finite references.
        """
        levels, level_of, counts = np.unique(reading, return_inverse=True, return_counts=True)
        means = np.bincount(level_of, reference) / counts
        fitted = isotonic_regression(means, weights=counts).x
        value, step = np.unique(fitted, return_inverse=True)
        at = np.bincount(step, levels * counts) / np.bincount(step, counts)
        return cls(at, value)

    def __call__(self, reading: Column) -> Column:
        """Return the value at each reading, (n,)."""
        rise, run = self.value[-1] - self.value[0], self.at[-1] - self.at[0]
        beyond = reading - np.clip(reading, self.at[0], self.at[-1])
        slope = rise / run if run > 0 else 0.0
        return np.interp(reading, self.at, self.value) + slope * beyond


def trivial_baselines(table: EvidenceTable, train: TrainingImages) -> dict[str, Column]:
    """Return what predicts the reference without looking at the image, or at its noise only.

    ``CONSTANT`` is the mean reference of the training images. ``DOSE_ALONE`` knows nothing but the
    dose. ``NOISE_ALONE`` is minus the logarithm of the global noise, the meter that every physicist
    has; an image without a reading gets the mean of the others. Dose and noise are mapped to the
    reference by a :class:`MonotoneMap` fitted on the training images.

    Args:
        table: the images to predict.
        train: the images to learn from, of other patients.

    Returns:
        (n,) predictions by name; a baseline that lacks its column on either side is left out.
    """
    baselines = {CONSTANT: np.full(len(table), train.reference.mean())}
    if table.dose is not None and train.dose is not None:
        baselines[DOSE_ALONE] = MonotoneMap.fit(train.dose, train.reference)(table.dose)
    if table.noise_hu is not None and train.noise_hu is not None:
        known, seen = _measured(table.noise_hu), _measured(train.noise_hu)
        if known.any() and seen.any():
            rule = MonotoneMap.fit(-np.log(train.noise_hu[seen]), train.reference[seen])
            predicted = np.empty(len(table))
            predicted[known] = rule(-np.log(table.noise_hu[known]))
            predicted[~known] = predicted[known].mean()
            baselines[NOISE_ALONE] = predicted
    return baselines


def self_label(ct_slice: CTSlice, *, recipe: LabelRecipe = IDEAL, seed: int = 0) -> float:
    """Return the label that the labeller gives an image it knows nothing about: no network at all.

    The image is taken for a scan of its own: its quanta are read off its noise, its noise removed,
    noise of those quanta simulated and the two compared. Needs scikit-image.

    Args:
        ct_slice: the image, at whatever dose it was made or simulated.
        recipe: how the label is weighed; its reference is the noise-free truth.
        seed: makes the simulated noise repeatable.

    Returns:
        Q in [0, 1].
    """
    (scan,) = calibrate([ct_slice], seed=seed)
    rng = np.random.default_rng(seed)
    (fidelity,) = ideal_fidelity(ct_slice, scan=scan, doses=[1.0], rng=rng)
    return recipe.quality(fidelity)


def _measured(noise_hu: Column) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.isfinite(noise_hu) & (noise_hu > 0)
