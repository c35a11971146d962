"""Blur: fewer lines per centimetre."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

from ctiqa.degrade.degradation import Map
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage

__all__ = ["Blur"]

_SIGMA_MM = (0.2, 1.5)


@dataclass(frozen=True, slots=True)
class Blur:
    """A Gaussian blur of the whole slice, noise included.

    Args:
        sigma_mm: standard deviation.
    """

    sigma_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw one, from barely visible to heavy, on a logarithmic scale."""
        return cls(float(np.exp(rng.uniform(*np.log(_SIGMA_MM)))))

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Map:  # noqa: ARG002
        """Return the map for one slice."""
        sigma_px = self.sigma_mm / ct_slice.pixel_mm

        def blurred(hu: FloatImage) -> FloatImage:
            return np.asarray(ndimage.gaussian_filter(hu, sigma_px, mode="nearest"), np.float32)

        return blurred
