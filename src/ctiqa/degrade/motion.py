"""Move the patient for a while during the scan: doubled edges, and streaks along them."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import fft

from ctiqa.degrade.degradation import Operator, added, in_slice, log_uniform
from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import AIR_HU, CTSlice

__all__ = ["Motion"]

_SHIFT_MM = (0.5, 6.0)
_SPAN = (0.15, 0.8)


@dataclass(frozen=True, slots=True)
class Motion:
    """The slice moves away and back as a whole, smoothly, during a span of the half turn.

    Args:
        shift_mm: how far it goes, at least 0.
        direction: where it goes, in radians from the row's direction towards the column's.
        centre: the moment of the largest shift, as a share of the half turn, 0 to 1.
        span: how long it is away, as a share of the half turn, above 0.
    """

    kind: ClassVar[str] = "motion"
    shift_mm: float
    direction: float
    centre: float
    span: float

    def __post_init__(self) -> None:
        if not 0 <= self.shift_mm < np.inf:
            raise ValueError(f"shift_mm is at least 0, not {self.shift_mm}")
        if not (np.isfinite(self.direction) and 0 <= self.centre <= 1):
            raise ValueError("direction is an angle and centre a share of the half turn, 0 to 1")
        if not 0 < self.span < np.inf:
            raise ValueError(f"span is above 0, not {self.span}")

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """Draw 0.5 to 6 mm in any direction, away for 0.15 to 0.8 of the half turn."""
        return cls(
            shift_mm=log_uniform(rng, _SHIFT_MM),
            direction=float(rng.uniform(0, 2 * np.pi)),
            centre=float(rng.uniform(0, 1)),
            span=float(rng.uniform(*_SPAN)),
        )

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Operator:
        """Return what it does to images of ``ct_slice``: what the motion changed is added."""
        beam = ParallelBeam.of_size(ct_slice.hu.shape[0])
        turn = np.arange(beam.views) / beam.views
        shift_px = (
            self.shift_mm / ct_slice.pixel_mm * self._away(turn)
            * np.cos(np.pi * turn - self.direction)
        )  # fmt: skip
        rays = beam.project(ct_slice.hu - np.float32(AIR_HU))
        # A shift along the detector is a phase ramp; less 1, it is the change alone.
        frequency = fft.rfftfreq(beam.channels)
        change = np.expm1(-2j * np.pi * shift_px[:, None] * frequency).astype(np.complex64)
        moved = fft.irfft(fft.rfft(rays, axis=1) * change, n=beam.channels, axis=1)
        return added(ct_slice, in_slice(beam, moved))

    def _away(self, turn: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return how far along the motion the patient is at each moment, 0 to 1."""
        phase = np.clip((turn - self.centre) / self.span, -0.5, 0.5)
        return np.cos(np.pi * phase) ** 2
