"""PSNR and SSIM against a reference."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from ctiqa.images.ct_slice import FloatImage, Mask

__all__ = ["Reference", "psnr_db", "ssim"]

_WINDOW_PX = 7
_K1, _K2 = 0.01, 0.03


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference image that many images are compared with.

    Args:
        image: (rows, columns) float32.
        data_range: the largest difference that is possible, in the image's unit; 1 in a window.
        region: where to compare; None is everywhere.
    """

    image: FloatImage
    data_range: float
    region: Mask | None = None

    def psnr_db(self, image: FloatImage) -> float:
        """Return the peak signal-to-noise ratio in dB, infinite for an identical image."""
        difference = image - self.image
        if self.region is not None:
            difference = difference[self.region]
        mean_square = float(np.mean(difference * difference, dtype=np.float64))
        if mean_square == 0:
            return float("inf")
        return float(10 * np.log10(self.data_range**2 / mean_square))

    def ssim(self, image: FloatImage) -> float:
        """Return the mean structural similarity, 1 for an identical image.

        Wang et al. 2004 (doi 10.1109/TIP.2003.819861): a uniform 7 x 7 window, sample variances,
        K1 = 0.01, K2 = 0.03; windows that cross the border of the image do not count.
        """
        inner = slice(_WINDOW_PX // 2, -(_WINDOW_PX // 2))
        similarity = self.ssim_map(image)[inner, inner]
        if self.region is not None:
            similarity = similarity[self.region[inner, inner]]
        return float(np.mean(similarity, dtype=np.float64))

    def ssim_map(self, image: FloatImage) -> FloatImage:
        """Return the structural similarity of the window round every pixel, (rows, columns)."""
        c1, c2 = (_K1 * self.data_range) ** 2, (_K2 * self.data_range) ** 2
        mean_x, mean_y, variance_y = _mean(image), *self._moments
        covariance = (_mean(image * self.image) - mean_x * mean_y) * _UNBIASED
        variance_x = (_mean(image * image) - mean_x * mean_x) * _UNBIASED
        luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
        structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
        return np.asarray(luminance * structure, np.float32)

    @cached_property
    def _moments(self) -> tuple[FloatImage, FloatImage]:
        mean = _mean(self.image)
        return mean, (_mean(self.image * self.image) - mean * mean) * _UNBIASED


def psnr_db(
    image: FloatImage, reference: FloatImage, *, data_range: float, region: Mask | None = None
) -> float:
    """Return the peak signal-to-noise ratio in dB of two images of one shape.

    >>> flat = np.zeros((8, 8), np.float32)
    >>> round(psnr_db(flat + np.float32(0.1), flat, data_range=1), 3)
    20.0
    """
    return Reference(reference, data_range, region).psnr_db(image)


def ssim(
    image: FloatImage, reference: FloatImage, *, data_range: float, region: Mask | None = None
) -> float:
    """Return the mean structural similarity of two images of one shape; see :class:`Reference`.

    >>> ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    >>> ssim(ramp, ramp, data_range=1)
    1.0
    """
    return Reference(reference, data_range, region).ssim(image)


_UNBIASED = np.float32(_WINDOW_PX**2 / (_WINDOW_PX**2 - 1))


def _mean(image: FloatImage) -> FloatImage:
    return ndimage.uniform_filter(image, _WINDOW_PX)
