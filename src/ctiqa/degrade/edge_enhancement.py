"""Reconstruct a slice with a sharper kernel: edges and noise stand out."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from ctiqa.degrade.degradation import Operator, within
from ctiqa.degrade.frequency import amplified
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage

__all__ = ["EdgeEnhancement"]

_GAIN = (1.3, 2.5)
_PEAK_PER_MM = (0.25, 0.5)


@dataclass(frozen=True, slots=True)
class EdgeEnhancement:
    """A gain over the slice's own kernel: 1 at frequency 0, highest in mid frequencies.

    Args:
        gain: the highest gain, at least 1.
        peak_per_mm: the frequency of the highest gain, in cycles per mm, above 0.
    """

    kind: ClassVar[str] = "edge_enhancement"
    gain: float
    peak_per_mm: float

    def __post_init__(self) -> None:
        if not 1 <= self.gain < np.inf:
            raise ValueError(f"gain is at least 1, not {self.gain}")
        if not 0 < self.peak_per_mm < np.inf:
            raise ValueError(f"peak_per_mm is above 0, not {self.peak_per_mm}")

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """Draw a gain of 1.3 to 2.5 that is highest at 0.25 to 0.5 cycles per mm."""
        return cls(float(rng.uniform(*_GAIN)), float(rng.uniform(*_PEAK_PER_MM)))

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Operator:
        """Return what it does to images of ``ct_slice``."""

        def sharpened(image: FloatImage) -> FloatImage:
            return amplified(image, self._gained, pixel_mm=ct_slice.pixel_mm)

        return within(ct_slice, sharpened)

    def _gained(self, square_per_mm2: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        relative = square_per_mm2 / self.peak_per_mm**2
        return (self.gain - 1) * relative * np.exp(1 - relative)
