"""Noise power spectrum of uniform patches: HU^2 mm^2 against 1/mm, its peak and mean frequency."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.images.ct_slice import FloatImage, Mask

__all__ = ["NoiseSpectrum", "tissue_patches"]

Numbers: TypeAlias = npt.NDArray[np.float64]

_PATCH_PX = 24
_STEP_PX = 12
_TISSUE_SHARE = 0.9
_CALM = 1.25
_TREND_TERMS = 6
_ANATOMY_PER_PX = 0.1
"""Cycles per pixel under which the patches of a patient show anatomy (docs/physics.md)."""


@dataclass(frozen=True, eq=False)
class NoiseSpectrum:
    """The mean noise power spectrum of some patches.

    Args:
        power: (P, P) float64 in HU^2 mm^2, in the order of ``numpy.fft.fftfreq``.
        pixel_mm: side of the pixel in mm.
        patches: how many patches it is the mean of.
    """

    power: Numbers
    pixel_mm: float
    patches: int

    @classmethod
    def of(cls, patches: npt.NDArray[np.floating], *, pixel_mm: float) -> Self:
        """Return the spectrum of uniform patches, of tissue or of a phantom.

        Each patch loses its trend, a polynomial of second degree (AAPM Report 233, 2019). The six
        degrees of freedom that go with it are given back, so that the integral stays the variance.
        There is no taper.

        Args:
            patches: (N, P, P) in HU, N at least 1.
            pixel_mm: side of the pixel in mm.

        >>> white = np.random.default_rng(0).normal(40, 10, (50, 32, 32))
        >>> bool(abs(NoiseSpectrum.of(white, pixel_mm=0.7).variance_hu2 - 100) < 2)
        True
        """
        squares = np.abs(np.fft.fft2(_without_trend(patches))) ** 2
        freedom = patches.shape[1] * patches.shape[2] - _TREND_TERMS
        return cls(squares.mean(axis=0) * (pixel_mm**2 / freedom), pixel_mm, len(patches))

    @classmethod
    def pooled(cls, spectra: "list[NoiseSpectrum]") -> "NoiseSpectrum | None":
        """Return the mean over the patches of several slices; None without any.

        Slices whose pixels differ from those of the first are left out, since their frequencies do.
        """
        alike = [each for each in spectra if abs(each.pixel_mm / spectra[0].pixel_mm - 1) < 1e-3]
        if not alike:
            return None
        weights = [each.patches for each in alike]
        power = np.average([each.power for each in alike], axis=0, weights=weights)
        return cls(np.asarray(power), alike[0].pixel_mm, sum(weights))

    @property
    def variance_hu2(self) -> float:
        """The integral over all frequencies: the variance of the noise in HU^2 (Parseval)."""
        return float(self.power.sum() / (len(self.power) * self.pixel_mm) ** 2)

    @cached_property
    def frequency_per_mm(self) -> Numbers:
        """Mean frequency of each ring in 1/mm, from the first above the trend to Nyquist's."""
        return self._ring_mean(_cycles_per_px(len(self.power))) / self.pixel_mm

    @cached_property
    def radial(self) -> Numbers:
        """Mean power of each ring in HU^2 mm^2, beside ``frequency_per_mm``."""
        return self._ring_mean(self.power)

    @cached_property
    def noise(self) -> Numbers:
        """The radial spectrum, its lowest frequencies no higher than those next to them.

        Under 0.1 cycles per pixel patches of a patient show anatomy besides noise, while the noise
        of filtered back-projection falls there.
        """
        first = self._first_clear
        ceiling = np.full(len(self.radial), np.inf)
        ceiling[:first] = self.radial[first : first + 2].mean()
        return np.asarray(np.minimum(self.radial, ceiling), np.float64)

    @property
    def peak_per_mm(self) -> float:
        """Where the spectrum is highest, from 0.1 cycles per pixel on, in 1/mm; NaN without noise.

        Found on the spectrum smoothed over three rings, between rings by a parabola.
        """
        smooth = np.convolve(np.pad(self.noise, 1, mode="edge"), (0.25, 0.5, 0.25), "valid")
        if not smooth.any():
            return float("nan")
        top = self._first_clear + int(smooth[self._first_clear :].argmax())
        if top in {0, len(smooth) - 1}:
            return float(self.frequency_per_mm[top])
        before, at, after = smooth[top - 1 : top + 2]
        curvature = before - 2 * at + after
        shift = 0.5 * (before - after) / curvature if curvature < 0 else 0.0
        rings = np.arange(len(smooth))
        return float(np.interp(top + shift, rings, self.frequency_per_mm))

    @property
    def mean_per_mm(self) -> float:
        """Mean frequency in 1/mm, weighted by ``noise``; NaN without noise."""
        total = float(self.noise.sum())
        return float(self.frequency_per_mm @ self.noise) / total if total else float("nan")

    @property
    def _first_clear(self) -> int:
        return int(np.searchsorted(self.frequency_per_mm * self.pixel_mm, _ANATOMY_PER_PX))

    def _ring_mean(self, cells: Numbers) -> Numbers:
        """Return the mean of the cells in each ring that is one frequency step wide."""
        side = len(self.power)
        ring = np.rint(_cycles_per_px(side) * side).astype(np.int64)
        inside = ring <= side // 2
        total = np.bincount(ring[inside], cells[inside])
        return np.asarray(total / np.bincount(ring[inside]), np.float64)[1:]


def tissue_patches(hu: FloatImage, tissue: Mask) -> FloatImage:
    """Return the calm patches of flat soft tissue.

    A patch is nine tenths tissue. Those whose SD, less their trend, exceeds that of the calmest
    quarter by a quarter hold vessels or edges and are left out.

    Args:
        hu: (rows, columns) in HU.
        tissue: (rows, columns), of ``global_noise.soft_tissue``.

    Returns:
        (N, 24, 24) in HU, half overlapping; N may be 0.
    """
    boxes = [
        (slice(row, row + _PATCH_PX), slice(column, column + _PATCH_PX))
        for row in range(0, hu.shape[0] - _PATCH_PX + 1, _STEP_PX)
        for column in range(0, hu.shape[1] - _PATCH_PX + 1, _STEP_PX)
    ]
    found = [hu[box] for box in boxes if tissue[box].mean() >= _TISSUE_SHARE]
    if not found:
        return np.empty((0, _PATCH_PX, _PATCH_PX), np.float32)
    patches = np.stack(found)
    sd_hu = _without_trend(patches).std(axis=(1, 2))
    return np.asarray(patches[sd_hu <= _CALM * np.quantile(sd_hu, 0.25)], np.float32)


def _without_trend(patches: npt.NDArray[np.floating]) -> Numbers:
    """Return the patches less the polynomial of second degree that fits each of them best."""
    line = np.linspace(-1, 1, patches.shape[-1])
    x, y = (axis.ravel() for axis in np.meshgrid(line, line))
    basis = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1))[0]
    flat = patches.reshape(len(patches), -1).astype(np.float64)
    return np.asarray((flat - flat @ basis @ basis.T).reshape(patches.shape))


def _cycles_per_px(side: int) -> Numbers:
    line = np.fft.fftfreq(side)
    return np.asarray(np.hypot(line[:, None], line[None, :]))
