"""How wide an interval must be to hold new patients, and how often it did."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ctiqa.measures.correlation import Column

__all__ = ["LEVEL", "Coverage", "coverage", "half_width"]

LEVEL = 0.9
"""Share of the images of new patients that an interval shall hold."""


class Coverage(NamedTuple):
    """How often intervals held what was true.

    Args:
        share: of the images, every patient weighing the same.
        low: end of its 95 % interval, as if each patient were one trial (Clopper and Pearson 1934,
            doi 10.1093/biomet/26.4.404); ``high`` likewise.
        patients: how many.
        mean_width: of the intervals, every image weighing the same.
    """

    share: float
    low: float
    high: float
    patients: int
    mean_width: float


def coverage(
    low: Column, high: Column, truth: Column, patient: npt.NDArray[np.generic]
) -> Coverage:
    """Return how often intervals held the truth, and how wide they were.

    Images of one patient are alike, so that only patients count as trials: a patient whose share
    is a half is half a success.

    Args:
        low: (n,) lower ends.
        high: (n,) upper ends.
        truth: (n,) what they shall hold.
        patient: (n,) whom each image shows.

    >>> ends = np.zeros(4), np.ones(4)
    >>> coverage(*ends, np.array([0.5, 0.5, 2, 0.5]), np.array(["a", "a", "b", "b"])).share
    0.75
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - slow; only an evaluation needs it

    _, owner = np.unique(patient, return_inverse=True)
    held = (low <= truth) & (truth <= high)
    shares = np.bincount(owner, held) / np.bincount(owner)
    trials, share = shares.size, float(shares.mean())
    right = share * trials
    ends = (
        0.0 if right == 0 else float(betaincinv(right, trials - right + 1, 0.025)),
        1.0 if right == trials else float(betaincinv(right + 1, trials - right, 0.975)),
    )
    return Coverage(share, *ends, trials, float((high - low).mean()))


def half_width(residual: Column, owner: npt.NDArray[np.integer], *, level: float = LEVEL) -> float:
    """Return within how much of the map the grade of a new patient's image lies.

    Conformal prediction for images that come in patients: every patient weighs 1/(K + 1) however
    many images he has, and the new one weighs as much at infinity (Lee, Barber and Willett,
    "Distribution-free inference with hierarchical data", arXiv 2306.06342).

    It is what drawing one image of each patient, again and again, comes to when it never ends.

    Args:
        residual: (n,) absolute errors of images whose patient the map did not know.
        owner: (n,) number of the patient, from 0, none left out.
        level: share of images that the interval shall hold.

    Returns:
        Half the width, in the unit of the residuals; infinite where the patients are too few.

    >>> half_width(np.arange(9.0), np.arange(9)), half_width(np.arange(8.0), np.arange(8))
    (8.0, inf)
    """
    counts = np.bincount(owner)
    order = np.argsort(residual)
    weight = 1 / ((counts.size + 1) * counts[owner[order]])
    # What adds up to the level but for rounding has reached it.
    reached = np.cumsum(weight) >= level - 1e-12
    return float(residual[order[reached.argmax()]]) if reached.any() else math.inf
