"""Change an image by a gain that depends on spatial frequency alone."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import fft

from ctiqa.images.ct_slice import FloatImage

__all__ = ["amplified"]

_MARGIN_PX = 32


def amplified(
    image: FloatImage,
    more: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
    *,
    pixel_mm: float,
) -> FloatImage:
    """Return the image with every frequency amplified by 1 + ``more``.

    Only the difference goes through the transform, so that a gain of 1 returns the image bit for
    bit. The image is continued by its mirror image.

    Args:
        image: (rows, columns) in HU.
        more: the gain less 1 at squared frequencies in cycles squared per mm squared.
        pixel_mm: side of the pixel in mm.

    >>> image = np.float32([[0, 100], [50, 0]]).repeat(40, axis=0).repeat(40, axis=1)
    >>> bool((amplified(image, lambda square: 0 * square, pixel_mm=0.7) == image).all())
    True
    """
    shape = [fft.next_fast_len(side + 2 * _MARGIN_PX, real=True) for side in image.shape]
    margins = [
        (_MARGIN_PX, whole - side - _MARGIN_PX)
        for whole, side in zip(shape, image.shape, strict=True)
    ]
    mirrored = np.pad(image, margins, mode="symmetric")
    rows, columns = fft.fftfreq(shape[0], pixel_mm), fft.rfftfreq(shape[1], pixel_mm)
    square = rows[:, None] ** 2 + columns[None, :] ** 2
    spectrum = fft.rfft2(mirrored) * more(square).astype(np.float32)
    change = fft.irfft2(spectrum, s=mirrored.shape)
    inside = tuple(slice(_MARGIN_PX, _MARGIN_PX + side) for side in image.shape)
    return image + np.asarray(change[inside], np.float32)
