"""Streaks that come from the rays: too few views, starved rays, a patient who moves.

Each is made where it arises, in the slice's own line integrals, and added as a field of
differences, so that nothing else of the slice changes (docs/physics.md).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import fft

from ctiqa.degrade.degradation import Map
from ctiqa.dose.projection import MU_WATER_PER_MM, ParallelBeam
from ctiqa.dose.quanta import log_variance
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.measures.body import body_mask

__all__ = ["Motion", "SparseViews", "Starvation"]

_VIEWS = (360, 240, 180, 120, 90, 60)
_INSERTS = (1, 4)
_INSERT_RADIUS_MM = (2.0, 10.0)
_INSERT_WATERS = (3.0, 12.0)
_INSERT_PLACE = (0.2, 0.8)
_SHIFT_MM = (0.5, 6.0)
_SPAN = (0.1, 0.6)


@dataclass(frozen=True, slots=True)
class SparseViews:
    """Every k-th view alone: streaks from every edge.

    Args:
        views: that are left of those of :class:`ParallelBeam`, which they divide.
    """

    views: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw one, from hardly visible to unusable."""
        return cls(int(rng.choice(_VIEWS)))

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Map:  # noqa: ARG002
        """Return the map for one slice."""
        beam, rays = _rays(ct_slice)
        each = beam.views // self.views
        # Filtered back-projection is linear, so that few views less all views is one of weights.
        weight = np.full((beam.views, 1), -1, np.float32)
        weight[::each] += each
        return _adding(beam, weight * rays, ct_slice, scan)


@dataclass(frozen=True, slots=True)
class Starvation:
    """Rays that dense inserts starve: noise and bias along them; the inserts are not painted.

    Args:
        inserts: of each its row and column as shares of the box round the body, its radius in mm,
            and its attenuation over that of water.
        seed: of the noise.
    """

    inserts: tuple[tuple[float, float, float, float], ...]
    seed: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw one, from a dense bone to metal."""
        inserts = tuple(
            (
                float(rng.uniform(*_INSERT_PLACE)),
                float(rng.uniform(*_INSERT_PLACE)),
                float(rng.uniform(*_INSERT_RADIUS_MM)),
                float(rng.uniform(*_INSERT_WATERS)),
            )
            for _ in range(rng.integers(*_INSERTS))
        )
        return cls(inserts, int(rng.integers(2**32)))

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Map:  # noqa: ARG002
        """Return the map for one slice."""
        beam, rays = _rays(ct_slice)
        water = self._painted(ct_slice)
        longer = rays + beam.project(water) * np.float32(MU_WATER_PER_MM * ct_slice.pixel_mm)
        rng = np.random.default_rng(self.seed)
        expected = scan.quanta * np.exp(-longer.astype(np.float64))
        read_out = np.sqrt(scan.electronic) * rng.standard_normal(expected.shape)
        counts = np.maximum(rng.poisson(expected) + read_out, 1)
        error = -np.log(counts / expected)
        # Of this the slice carries a part already: that of the rays without inserts.
        own = log_variance(rays, quanta=scan.quanta, electronic=scan.electronic)
        total = log_variance(longer, quanta=scan.quanta, electronic=scan.electronic)
        added = error * np.sqrt(np.maximum(1 - own / total, 0))
        return _adding(beam, np.asarray(added, np.float32), ct_slice, scan)

    def _painted(self, ct_slice: CTSlice) -> FloatImage:
        """Return the inserts alone, in units of water."""
        body = body_mask(ct_slice.hu)
        side = len(body)
        image = np.zeros((side, side), np.float32)
        if not body.any():
            return image
        down, right = (np.flatnonzero(body.any(axis=axis)) for axis in (1, 0))
        rows, columns = np.arange(side)[:, None], np.arange(side)
        for row, column, radius_mm, waters in self.inserts:
            away_down = rows - (down[0] + row * (down[-1] - down[0]))
            away_right = columns - (right[0] + column * (right[-1] - right[0]))
            image[np.hypot(away_down, away_right) * ct_slice.pixel_mm < radius_mm] = waters
        return image


@dataclass(frozen=True, slots=True)
class Motion:
    """A patient who moves to another place and back during a part of the views.

    Args:
        down_mm: how far, along the columns.
        right_mm: how far, along the rows.
        begin: share of the views that is over when it begins.
        span: share of the views that it lasts.
    """

    down_mm: float
    right_mm: float
    begin: float
    span: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Self:
        """Draw one."""
        shift, direction = np.exp(rng.uniform(*np.log(_SHIFT_MM))), rng.uniform(0, 2 * np.pi)
        span = rng.uniform(*_SPAN)
        return cls(
            float(shift * np.sin(direction)),
            float(shift * np.cos(direction)),
            float(rng.uniform(0, 1 - span)),
            float(span),
        )

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Map:  # noqa: ARG002
        """Return the map for one slice."""
        beam, rays = _rays(ct_slice)
        time = np.arange(beam.views) / beam.views
        angle, phase = np.pi * time, np.clip((time - self.begin) / self.span, 0, 1)
        along_mm = self.down_mm * np.sin(angle) + self.right_mm * np.cos(angle)
        shift_px = along_mm * np.sin(np.pi * phase) ** 2 / ct_slice.pixel_mm
        turn = np.exp(-2j * np.pi * fft.rfftfreq(beam.channels) * shift_px[:, None])
        moved = fft.irfft(fft.rfft(rays, axis=1) * (turn - 1), n=beam.channels, axis=1)
        return _adding(beam, np.asarray(moved, np.float32), ct_slice, scan)


def _rays(ct_slice: CTSlice) -> tuple[ParallelBeam, FloatImage]:
    beam = ParallelBeam.of_size(ct_slice.hu.shape[0])
    return beam, beam.line_integrals(ct_slice.hu, pixel_mm=ct_slice.pixel_mm)


def _adding(beam: ParallelBeam, difference: FloatImage, ct_slice: CTSlice, scan: Scan) -> Map:
    """Return the map that adds what a difference of line integrals becomes in the slice."""
    field = beam.noise_field(difference, pixel_mm=ct_slice.pixel_mm, apodisation=scan.apodisation)
    if ct_slice.padding is not None:
        field[ct_slice.padding] = 0
    return lambda hu: hu + field
