"""Blur a slice, as a larger focal spot or a softer reconstruction would."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from ctiqa.degrade.degradation import Operator, log_uniform, within
from ctiqa.degrade.frequency import amplified
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage

__all__ = ["Blur"]

_SIGMA_MM = (0.2, 1.5)


@dataclass(frozen=True, slots=True)
class Blur:
    """Convolution with a Gaussian, done on the spectrum: a sampled small Gaussian is too narrow.

    Args:
        sigma_mm: standard deviation of the Gaussian in mm, at least 0.
    """

    kind: ClassVar[str] = "blur"
    sigma_mm: float

    def __post_init__(self) -> None:
        if not 0 <= self.sigma_mm < np.inf:
            raise ValueError(f"sigma_mm is at least 0, not {self.sigma_mm}")

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """Draw a blur from 0.2 mm, hardly seen, to 1.5 mm, each factor equally likely."""
        return cls(log_uniform(rng, _SIGMA_MM))

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Operator:
        """Return what it does to images of ``ct_slice``."""

        def blurred(image: FloatImage) -> FloatImage:
            return amplified(image, self._lost, pixel_mm=ct_slice.pixel_mm)

        return within(ct_slice, blurred)

    def _lost(self, square_per_mm2: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.expm1(-2 * (np.pi * self.sigma_mm) ** 2 * square_per_mm2)
