"""Take away views: streaks that radiate from whatever is dense."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ctiqa.degrade.degradation import Operator, added, in_slice
from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import AIR_HU, CTSlice

__all__ = ["SparseViews"]

_ALL_VIEWS = 720
_VIEWS = (360, 240, 180, 120, 90, 60)


@dataclass(frozen=True, slots=True)
class SparseViews:
    """Reconstruction from every k-th view of 720 over half a turn.

    Args:
        views: how many are left, a divisor of 720.
        first: the first of them, below k = 720 / views.
    """

    kind: ClassVar[str] = "sparse_views"
    views: int
    first: int = 0

    def __post_init__(self) -> None:
        if self.views not in range(1, _ALL_VIEWS + 1) or _ALL_VIEWS % self.views:
            raise ValueError(f"views is a divisor of {_ALL_VIEWS}, not {self.views}")
        if self.first not in range(_ALL_VIEWS // self.views):
            raise ValueError(f"first is one of 0 to {_ALL_VIEWS // self.views - 1}")

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """Draw 360, 240, 180, 120, 90 or 60 views and where they start."""
        views = int(rng.choice(_VIEWS))
        return cls(views, int(rng.integers(_ALL_VIEWS // views)))

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Operator:
        """Return what it does to images of ``ct_slice``: its streaks are added."""
        beam = ParallelBeam.of_size(ct_slice.hu.shape[0])
        every = _ALL_VIEWS // self.views
        # The views that are left stand for the others: k times their weight, less all at one.
        weight = np.full((beam.views, 1), -1, np.float32)
        weight[self.first :: every] += every
        rays = beam.project(ct_slice.hu - np.float32(AIR_HU))
        return added(ct_slice, in_slice(beam, weight * rays))
