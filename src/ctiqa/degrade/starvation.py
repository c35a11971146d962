"""Starve the rays behind dense bone or metal of quanta: streaks and dark bands between inserts."""

from dataclasses import dataclass
from typing import ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.degrade.degradation import Operator, added, log_uniform
from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.quanta import log_variance
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.measures.body import body_mask

__all__ = ["Starvation"]

_INSERTS = (1, 4)
_RADIUS_MM = (3.0, 15.0)
_ATTENUATION_PER_MM = (0.03, 0.4)
_REACH = 0.75
_RIM_PX = 3.0

Places: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Starvation:
    """Round inserts that lengthen the rays through them, and the noise that this costs.

    Args:
        inserts: how many.
        radius_mm: their radius in mm.
        attenuation_per_mm: what they attenuate more than the tissue that they replace, in 1/mm:
            cortical bone 0.03, titanium 0.2, steel more (NIST, at 70 keV).
        seed: draws their places and the noise.
    """

    kind: ClassVar[str] = "starvation"
    inserts: int
    radius_mm: float
    attenuation_per_mm: float
    seed: int = 0

    def __post_init__(self) -> None:
        whole = isinstance(self.inserts, int) and isinstance(self.seed, int)
        if not whole or self.inserts < 0 or self.seed < 0:
            raise ValueError("inserts and seed are whole numbers, at least 0")
        if not (0 < self.radius_mm < np.inf and 0 <= self.attenuation_per_mm < np.inf):
            raise ValueError("radius_mm is above 0 and attenuation_per_mm at least 0")

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """Draw 1 to 4 inserts, of 3 to 15 mm radius, from dense bone to metal."""
        return cls(
            inserts=int(rng.integers(_INSERTS[0], _INSERTS[1] + 1)),
            radius_mm=log_uniform(rng, _RADIUS_MM),
            attenuation_per_mm=log_uniform(rng, _ATTENUATION_PER_MM),
            seed=int(rng.integers(2**31)),
        )

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Operator:
        """Return what it does to images of ``ct_slice``: the added noise, and its bias.

        The inserts are not painted, and the field ends where they begin.
        """
        rng = np.random.default_rng(self.seed)
        beam = ParallelBeam.of_size(ct_slice.hu.shape[0])
        places = _places_px(ct_slice, self.inserts, rng)
        radius_px = self.radius_mm / ct_slice.pixel_mm
        longer = _chords_px(beam, places, radius_px)
        longer *= self.attenuation_per_mm * ct_slice.pixel_mm
        starved = longer > 0
        noise = np.zeros(longer.shape, np.float32)
        if starved.any():
            rays = beam.line_integrals(ct_slice.hu, pixel_mm=ct_slice.pixel_mm)
            noise[starved] = _starved_noise(rays[starved], longer[starved], scan, rng)
        field = beam.noise_field(noise, pixel_mm=ct_slice.pixel_mm, apodisation=scan.apodisation)
        return added(ct_slice, field * _outside(beam.size, places, radius_px))


def _places_px(ct_slice: CTSlice, inserts: int, rng: np.random.Generator) -> Places:
    """Draw (inserts, 2) rows and columns from the slice's centre, inside the body."""
    body = body_mask(ct_slice.hu)
    middle = (np.array(body.shape) - 1) / 2
    corners = np.argwhere(body)
    low, high = (
        (corners.min(axis=0), corners.max(axis=0)) if corners.size else (0 * middle, 2 * middle)
    )
    distance, angle = _REACH * np.sqrt(rng.random(inserts)), 2 * np.pi * rng.random(inserts)
    relative = np.stack([distance * np.sin(angle), distance * np.cos(angle)], axis=1)
    return np.asarray((low + high) / 2 - middle + relative * (high - low) / 2)


def _chords_px(beam: ParallelBeam, places: Places, radius_px: float) -> FloatImage:
    """Return the length of every ray inside the inserts in pixels; (views, channels)."""
    angle = np.pi * np.arange(beam.views)[:, None] / beam.views
    channel = np.arange(beam.channels)[None, :] - beam.channels / 2
    total = np.zeros((beam.views, beam.channels), np.float32)
    for row, column in places:
        distance = channel - (column * np.cos(angle) + row * np.sin(angle))
        total += 2 * np.sqrt(np.maximum(radius_px**2 - distance**2, 0)).astype(np.float32)
    return total


def _starved_noise(
    rays: FloatImage, longer: FloatImage, scan: Scan, rng: np.random.Generator
) -> FloatImage:
    """Return the log noise that the longer way adds, from real counts (docs/physics.md, 8).

    Counts are held at one, so that rays which lose all their quanta read too short: the bias that
    scanners show as dark bands. What noise the ray had without inserts is in the slice already.
    """
    way = rays + longer
    expected = scan.quanta * np.exp(-way.astype(np.float64))
    read_out = np.sqrt(scan.electronic) * rng.standard_normal(way.size)
    counts = np.maximum(rng.poisson(expected) + read_out, 1)
    before, after = (
        log_variance(one, quanta=scan.quanta, electronic=scan.electronic) for one in (rays, way)
    )
    return np.asarray(-np.log(counts / expected) * np.sqrt(1 - before / after), np.float32)


def _outside(size: int, places: Places, radius_px: float) -> FloatImage:
    """Return 0 inside the inserts and 1 outside, with a rim between; (size, size)."""
    line = np.arange(size) - (size - 1) / 2
    share = np.ones((size, size), np.float32)
    for row, column in places:
        distance = np.hypot(line[:, None] - row, line[None, :] - column)
        share *= np.clip((distance - radius_px) / _RIM_PX, 0, 1).astype(np.float32)
    return share
