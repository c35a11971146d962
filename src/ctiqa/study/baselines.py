"""What dose alone, noise alone and the labeller itself would score."""

import numpy as np

from ctiqa.corpus.label import IDEAL, LabelRecipe, ideal_fidelity
from ctiqa.dose.simulate import calibrate
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.correlation import Column
from ctiqa.measures.monotone import MonotoneMap
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
