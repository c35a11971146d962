"""Edge enhancement: what a sharp reconstruction kernel does to edges and to noise."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import fft

from ctiqa.degrade.degradation import Map
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage

__all__ = ["EdgeEnhancement"]

_GAIN = (0.3, 1.5)
_PEAK_PER_MM = (0.25, 0.6)
_MARGIN_PX = 32


@dataclass(frozen=True, slots=True)
class EdgeEnhancement:
    """Amplified middle frequencies: 1 at zero, 1 + gain at the peak, 1 again far beyond.

    Args:
        gain: more than one at the peak.
        peak_per_mm: frequency of the peak in line pairs per mm.
    """

    gain: float
    peak_per_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw one."""
        return cls(float(rng.uniform(*_GAIN)), float(rng.uniform(*_PEAK_PER_MM)))

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Map:  # noqa: ARG002
        """Return the map for one slice."""
        side = ct_slice.hu.shape[0] + 2 * _MARGIN_PX
        down, right = fft.fftfreq(side, ct_slice.pixel_mm), fft.rfftfreq(side, ct_slice.pixel_mm)
        square = (down[:, None] ** 2 + right**2) / self.peak_per_mm**2
        response = (1 + self.gain * square * np.exp(1 - square)).astype(np.float32)
        inside = slice(_MARGIN_PX, -_MARGIN_PX)

        def enhanced(hu: FloatImage) -> FloatImage:
            spectrum = fft.rfft2(np.pad(hu, _MARGIN_PX, mode="edge"), overwrite_x=True)
            wide = fft.irfft2(spectrum * response, s=(side, side), overwrite_x=True)
            return np.asarray(wide[inside, inside], np.float32)

        return enhanced
