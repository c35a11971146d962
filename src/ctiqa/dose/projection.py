"""Parallel-beam projection and filtered back-projection by gridding on polar frequencies.

A parallel projection is a line through the two-dimensional Fourier transform of the slice
(Fourier slice theorem), so either direction costs one fast Fourier transform and one product with a
sparse matrix that interpolates between the square grid and polar points (Kaiser-Bessel gridding;
Beatty et al., IEEE TMI 24, 2005, doi 10.1109/TMI.2005.848376).
"""

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import fft, sparse, special

from ctiqa.dose.apodisation import Apodisation
from ctiqa.images.ct_slice import FloatImage

__all__ = ["MU_WATER_PER_MM", "ParallelBeam"]

MU_WATER_PER_MM = 0.0193
"""Attenuation of water at about 70 keV, the effective energy of 120 kVp (NIST)."""

_OVERSAMPLING = 2
_KERNEL_WIDTH = 4


@dataclass(frozen=True)
class ParallelBeam:
    """A parallel beam through a square slice; the detector pitch equals the pixel.

    Args:
        size: side of the slice in pixels.
        views: projection angles, spread evenly over half a turn.
        channels: detector channels, even, at least the diagonal of the slice.
    """

    size: int = 512
    views: int = 720
    channels: int = 768

    def __post_init__(self) -> None:
        if self.channels % 2 or self.channels < 1.41 * self.size:
            raise ValueError(f"{self.channels} channels do not cover a slice of {self.size} pixels")

    @classmethod
    def of_size(cls, size: int) -> Self:
        """Return the beam for a slice of ``size`` pixels: half as many channels again."""
        return cls(size=size, channels=3 * size // 4 * 2)

    def line_integrals(self, hu: FloatImage, *, pixel_mm: float) -> FloatImage:
        """Return the attenuation along every ray.

        Args:
            hu: (size, size) in HU.
            pixel_mm: side of the pixel in mm.

        Returns:
            (views, channels) float32, dimensionless, at least 0.
        """
        water = np.maximum(1 + hu / np.float32(1000), 0, dtype=np.float32)
        rays = self.project(water)
        rays *= np.float32(MU_WATER_PER_MM * pixel_mm)
        return np.maximum(rays, 0, out=rays)

    def project(self, image: FloatImage) -> FloatImage:
        """Return the sums of ``image`` along every ray, in pixels; (views, channels) float32."""
        plan = _plan(self)
        spectrum = fft.fft2(_wrapped(image / plan.taper), overwrite_x=True)
        polar = _product(plan.interpolate, spectrum).reshape(self.views, -1)
        polar *= plan.centring
        return fft.irfft(polar, n=self.channels, axis=1)

    def reconstruct(self, sinogram: FloatImage, *, apodisation: Apodisation) -> FloatImage:
        """Return the filtered back-projection of ``sinogram``, per pixel; (size, size) float32."""
        plan = _plan(self)
        frequency = _frequency(self)
        ramp = frequency * apodisation(frequency) * (np.pi / self.views / self.channels)
        ramp[1:-1] *= 2  # the half spectrum stands for both signs
        polar = np.asarray(fft.rfft(np.asarray(sinogram, np.float32), axis=1), np.complex64)
        polar *= ramp.astype(np.float32)
        polar *= plan.centring.conj()
        grid = _OVERSAMPLING * self.size
        spectrum = _product(plan.spread, polar).reshape(grid, grid)
        image = fft.ifft2(spectrum, norm="forward", overwrite_x=True)
        return _unwrapped(image.real, self.size) / plan.taper

    def noise_field(
        self, noise: FloatImage, *, pixel_mm: float, apodisation: Apodisation
    ) -> FloatImage:
        """Return what noise in the line integrals becomes in the slice.

        The detector is not zero-padded here: the kernel of the ramp falls as 1/s squared, and for
        noise the wrap carries no bias. For an object it would.

        Args:
            noise: (views, channels), dimensionless.
            pixel_mm: side of the pixel in mm.
            apodisation: the window on the ramp filter.

        Returns:
            (size, size) float32 in HU.
        """
        per_mm = np.float32(1000 / (MU_WATER_PER_MM * pixel_mm))
        return self.reconstruct(noise, apodisation=apodisation) * per_mm


@dataclass(frozen=True, eq=False)
class _Plan:
    """What depends on the geometry alone, made once."""

    interpolate: sparse.csr_array
    spread: sparse.csr_array
    taper: FloatImage
    centring: npt.NDArray[np.complex64]


def _frequency(beam: ParallelBeam) -> npt.NDArray[np.float64]:
    return np.arange(beam.channels // 2 + 1) / beam.channels


@cache
def _plan(beam: ParallelBeam) -> _Plan:
    grid = _OVERSAMPLING * beam.size
    angle = np.pi * np.arange(beam.views) / beam.views
    frequency = _frequency(beam)
    weights, cells = [], []
    for direction in (np.sin(angle), np.cos(angle)):
        position = (direction[:, None] * frequency * grid).reshape(-1, 1)
        cell = np.floor(position - _KERNEL_WIDTH / 2) + np.arange(1, _KERNEL_WIDTH + 1)
        weights.append(_kernel(position - cell).astype(np.float32))
        cells.append(cell.astype(np.int32) % grid)
    rows = angle.size * frequency.size
    columns = (cells[0][:, :, None] * grid + cells[1][:, None, :]).reshape(-1)
    values = (weights[0][:, :, None] * weights[1][:, None, :]).reshape(-1)
    starts = np.arange(0, values.size + 1, _KERNEL_WIDTH**2, dtype=np.int32)
    interpolate = sparse.csr_array((values, columns, starts), shape=(rows, grid * grid))
    # The slice is wrapped round pixel size/2; rays are measured from its centre, half a pixel off.
    shift = -0.5 * (np.cos(angle) + np.sin(angle))[:, None] - beam.channels / 2
    return _Plan(
        interpolate=interpolate,
        spread=sparse.csr_array(interpolate.T),
        taper=np.outer(taper := _kernel_transform(beam.size), taper).astype(np.float32),
        centring=np.exp(2j * np.pi * frequency * shift).astype(np.complex64),
    )


_BETA = np.pi * np.sqrt((_KERNEL_WIDTH / _OVERSAMPLING * (_OVERSAMPLING - 0.5)) ** 2 - 0.8)


def _kernel(cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the Kaiser-Bessel kernel at a distance in grid cells."""
    inside = np.maximum(1 - (2 * cells / _KERNEL_WIDTH) ** 2, 0)
    return np.asarray(special.i0(_BETA * np.sqrt(inside)) / _KERNEL_WIDTH)


def _kernel_transform(size: int) -> npt.NDArray[np.float64]:
    """Return the Fourier transform of the kernel at the pixels of a row."""
    position = (np.arange(size) - size // 2) / (_OVERSAMPLING * size)
    root = np.sqrt(_BETA**2 - (np.pi * _KERNEL_WIDTH * position) ** 2)
    return np.asarray(np.sinh(root) / root)


def _wrapped(image: FloatImage) -> FloatImage:
    """Return the slice on the oversampled grid, its middle pixel at the origin."""
    size, half = image.shape[0], image.shape[0] // 2
    grid = np.zeros((_OVERSAMPLING * size, _OVERSAMPLING * size), np.float32)
    grid[: size - half, : size - half] = image[half:, half:]
    grid[: size - half, -half:] = image[half:, :half]
    grid[-half:, : size - half] = image[:half, half:]
    grid[-half:, -half:] = image[:half, :half]
    return grid


def _unwrapped(grid: FloatImage, size: int) -> FloatImage:
    """Undo :func:`_wrapped`."""
    half = size // 2
    image = np.empty((size, size), np.float32)
    image[half:, half:] = grid[: size - half, : size - half]
    image[half:, :half] = grid[: size - half, -half:]
    image[:half, half:] = grid[-half:, : size - half]
    image[:half, :half] = grid[-half:, -half:]
    return image


def _product(
    matrix: sparse.csr_array, values: npt.NDArray[np.complex64]
) -> npt.NDArray[np.complex64]:
    # A complex column is two real columns, so the real matrix serves both parts at once.
    columns = np.ascontiguousarray(values, np.complex64).view(np.float32).reshape(-1, 2)
    return np.asarray(matrix @ columns, np.float32).view(np.complex64).reshape(-1)
