"""Show a slice in another pixel size and kernel, so that few scanners teach many."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import fft, ndimage

from ctiqa.dose.simulate import Slices
from ctiqa.images.ct_slice import AIR_HU, CTSlice, FloatImage

__all__ = ["Reconstructed", "Reconstruction", "drawn", "reconstructed"]

_PIXEL_FACTORS = (0.85, 1.6)
_KERNEL_SLOPES = (-10.0, 4.0)


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """How another reconstruction of the same scan differs.

    Args:
        pixel_factor: its pixel over the scan's own pixel.
        kernel_slope: its kernel's frequency response is exp(kernel_slope f^2) times that of the
            scan's own, f in cycles per old pixel: below 0 smoother, above 0 sharper.
    """

    pixel_factor: float
    kernel_slope: float

    def __str__(self) -> str:
        """Return it in words, as the tables of a corpus name it."""
        return f"pixel x {self.pixel_factor:.3f}, kernel exp({self.kernel_slope:.2f} f^2)"

    @classmethod
    def of(cls, words: str) -> Self:
        """Return the reconstruction that the tables of a corpus name.

        Raises:
            ValueError: if they name none.

        >>> Reconstruction.of("pixel x 1.250, kernel exp(-3.20 f^2)")
        Reconstruction(pixel_factor=1.25, kernel_slope=-3.2)
        """
        found = re.fullmatch(r"pixel x (\S+), kernel exp\((\S+) f\^2\)", words)
        if not found:
            raise ValueError(f"{words!r} names no reconstruction")
        return cls(*map(float, found.groups()))

    def added_blur_mm2(self, *, pixel_mm: float) -> float:
        """Return what its kernel adds to the square of the scan's own blur, below 0 if sharper.

        A Gaussian blur of standard deviation sigma has the response exp(-2 (pi sigma f)^2), so the
        squares of two blurs add up.

        Args:
            pixel_mm: side of the scan's own pixel in mm.

        >>> round(Reconstruction(1.25, -2 * np.pi**2).added_blur_mm2(pixel_mm=0.5), 6)
        0.25
        """
        return float(-self.kernel_slope / (2 * np.pi**2) * pixel_mm**2)


def drawn(rng: np.random.Generator) -> Reconstruction:
    """Draw a reconstruction: pixels 0.85 to 1.6 times as large, from smooth to sharp kernels."""
    low, high = np.log(_PIXEL_FACTORS)
    return Reconstruction(
        float(np.exp(rng.uniform(low, high))), float(rng.uniform(*_KERNEL_SLOPES))
    )


def reconstructed(ct_slice: CTSlice, other: Reconstruction) -> CTSlice:
    """Return the slice as another pixel size and kernel would show it.

    Both are linear in the slice, so noise and anatomy pass through the same filter and the same
    sampling, as on a scanner. Larger pixels sample the filtered slice without averaging, which
    back-projection does not do, either. Its noise is another than the scan's own: it must be
    calibrated anew, as a series of its own.

    Args:
        ct_slice: a square slice; what lies outside it counts as air.
        other: the pixel size and the kernel.

    >>> from ctiqa.images.ct_slice import Identity
    >>> air = CTSlice(np.full((64, 64), -1000, np.float32), 0.7, Identity("air"))
    >>> wider = reconstructed(air, Reconstruction(1.5, -4.0))
    >>> wider.hu.shape, round(wider.pixel_mm, 2), float(np.abs(wider.hu + 1000).max()) < 1e-3
    ((64, 64), 1.05, True)
    """
    side = ct_slice.hu.shape[0]
    middle = (side - 1) / 2
    offset = middle - other.pixel_factor * middle
    sampled = ndimage.affine_transform(
        _filtered(ct_slice.hu - np.float32(AIR_HU), other.kernel_slope),
        np.full(2, other.pixel_factor),
        offset,
        order=5,
    )
    unseen = np.zeros(ct_slice.hu.shape, bool) if ct_slice.padding is None else ct_slice.padding
    padding = ndimage.affine_transform(
        unseen, np.full(2, other.pixel_factor), offset, order=0, cval=True
    )
    hu = np.where(padding, np.float32(AIR_HU), sampled + np.float32(AIR_HU))
    return replace(
        ct_slice,
        hu=hu.astype(np.float32),
        pixel_mm=ct_slice.pixel_mm * other.pixel_factor,
        padding=padding if padding.any() else None,
        notes=(*ct_slice.notes, f"reconstructed anew: {other}"),
    )


@dataclass(frozen=True, eq=False)
class Reconstructed:
    """The slices of one series in another reconstruction, made one at a time."""

    slices: Slices
    other: Reconstruction

    def __len__(self) -> int:
        return len(self.slices)

    def __iter__(self) -> Iterator[CTSlice]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> CTSlice:
        return reconstructed(self.slices[index], self.other)


def _filtered(above_air: FloatImage, slope: float) -> FloatImage:
    # Twice the side, or what leaves the field of view on one side would enter it on the other.
    shape = (2 * above_air.shape[0], 2 * above_air.shape[1])
    rows, columns = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    # A corner of the spectrum lies beyond half a cycle per pixel, where no kernel passes more.
    squared = np.minimum(rows**2 + columns**2, 0.25)
    spectrum = fft.rfft2(above_air, shape) * np.exp(slope * squared).astype(np.float32)
    whole: FloatImage = fft.irfft2(spectrum, shape)
    return whole[: above_air.shape[0], : above_air.shape[1]]
