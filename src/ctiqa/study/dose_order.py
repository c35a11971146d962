"""How often a score puts two doses of one slice in the right order."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctiqa.measures.correlation import Column

__all__ = ["OrderedPairs", "ordered_pairs"]


@dataclass(frozen=True, slots=True)
class OrderedPairs:
    """How often the higher of two adjacent doses of one slice has the higher score.

    Args:
        lower: dose of the poorer image.
        higher: dose of the better image.
        right: pairs in the right order; a tie is not.
        pairs: all pairs.
    """

    lower: float
    higher: float
    right: int
    pairs: int


def ordered_pairs(
    score: Column, dose: Column, slice_of: npt.NDArray[np.generic]
) -> tuple[OrderedPairs, ...]:
    """Count adjacent pairs of doses of one slice, one item for each step of dose (METHOD 4, M1).

    Args:
        score: (n,) scores.
        dose: (n,) doses.
        slice_of: (n,) names the slice that each image was made from.

    >>> score, dose = np.array([0.1, 0.3, 0.2]), np.array([0.25, 0.5, 1.0])
    >>> for step in ordered_pairs(score, dose, np.array(["a", "a", "a"])): print(step)
    OrderedPairs(lower=0.25, higher=0.5, right=1, pairs=1)
    OrderedPairs(lower=0.5, higher=1.0, right=0, pairs=1)
    """
    order = np.lexsort((dose, slice_of))
    score, dose, slice_of = score[order], dose[order], slice_of[order]
    pair = (slice_of[1:] == slice_of[:-1]) & (dose[1:] > dose[:-1])
    right = (score[1:] > score[:-1])[pair]
    steps, step_of = np.unique(
        np.stack([dose[:-1], dose[1:]])[:, pair], axis=1, return_inverse=True
    )
    counts = np.bincount(step_of.ravel(), minlength=steps.shape[1])
    rights = np.bincount(step_of.ravel(), right, minlength=steps.shape[1])
    return tuple(
        OrderedPairs(float(lower), float(higher), int(good), int(count))
        for lower, higher, good, count in zip(*steps, rights, counts, strict=True)
    )
