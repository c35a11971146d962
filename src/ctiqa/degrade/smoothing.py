"""Denoise a slice, as far as its noise asks for it: noise goes, and small detail with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import ndimage

from ctiqa.degrade.degradation import Operator, log_uniform, within
from ctiqa.dose.simulate import Scan
from ctiqa.errors import RecipeError
from ctiqa.images.ct_slice import CTSlice, FloatImage

__all__ = ["SMOOTHERS", "Smoothing"]

_STRENGTHS: Mapping[str, tuple[float, float]] = {
    "total_variation": (0.1, 2.0),
    "bilateral": (0.4, 4.0),
    "non_local_means": (0.4, 1.3),
    "wavelet": (0.3, 2.5),
    "median": (0.3, 2.0),
}
_LEAST_SHARE = 0.4
_LEVELS = 4
_WHITE_SD = (0.890, 0.201, 0.0857, 0.0413)
_SPLINE = np.array([1, 4, 6, 4, 1]) / 16


@dataclass(frozen=True, slots=True)
class Smoothing:
    """A denoiser whose strength is relative to the noise of the slice.

    Args:
        kind: which one, of :data:`SMOOTHERS`.
        strength: at least 0, in units of the noise: the weight of total variation, the tolerance
            of bilateral filter and non-local means, the threshold of wavelet shrinkage. For the
            median, which knows no noise, 1 is 3 x 3 pixels, 2 is 5 x 5 and what lies between is
            mixed of both.
        share: how much of the filtered image is blended into the original, 0 to 1, as iterative
            reconstructions do.
    """

    kind: str
    strength: float
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in SMOOTHERS:
            raise ValueError(f"a smoother is one of {', '.join(SMOOTHERS)}, not {self.kind!r}")
        if not 0 <= self.strength < np.inf:
            raise ValueError(f"strength is at least 0, not {self.strength}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share lies between 0 and 1, not at {self.share}")

    @classmethod
    def drawn(cls, kind: str, rng: np.random.Generator) -> Self:
        """Draw a strength from hardly seen to heavy; every other time it is blended in part."""
        strength = log_uniform(rng, _STRENGTHS[kind])
        blended = rng.random() < 0.5
        share = float(rng.uniform(_LEAST_SHARE, 1))
        return cls(kind, strength, share if blended else 1.0)

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Operator:
        """Return what it does to images of ``ct_slice``.

        Raises:
            ValueError: if the noise is not known.
            RecipeError: if scikit-image is wanted and missing.
        """
        if not 0 <= noise_hu < np.inf:
            raise ValueError(f"a denoiser needs the noise of the slice, not {noise_hu} HU")
        if self.strength * self.share == 0 or noise_hu == 0:
            return lambda image: image
        smooth, share = SMOOTHERS[self.kind], np.float32(self.share)

        def smoothed(image: FloatImage) -> FloatImage:
            filtered = np.asarray(smooth(image, self.strength, noise_hu), np.float32)
            return filtered if share == 1 else image + share * (filtered - image)

        return within(ct_slice, smoothed)


def _total_variation(hu: FloatImage, strength: float, noise_hu: float) -> Any:
    """Chambolle, Journal of Mathematical Imaging and Vision 20, 2004, 89."""
    return _restoration("total_variation").denoise_tv_chambolle(hu, weight=strength * noise_hu)


def _bilateral(hu: FloatImage, strength: float, noise_hu: float) -> Any:
    """Tomasi and Manduchi, ICCV 1998, 839."""
    restoration = _restoration("bilateral")
    lowest = hu.min()  # scikit-image takes no negative values
    return lowest + restoration.denoise_bilateral(
        hu - lowest,
        win_size=7,
        sigma_color=strength * noise_hu,
        sigma_spatial=1.5,
        mode="symmetric",
    )


def _non_local_means(hu: FloatImage, strength: float, noise_hu: float) -> Any:
    """Buades, Coll and Morel, CVPR 2005, doi 10.1109/CVPR.2005.38."""
    restoration = _restoration("non_local_means")
    return restoration.denoise_nl_means(
        hu, patch_size=5, patch_distance=5, h=strength * noise_hu, fast_mode=True
    )


def _wavelet(hu: FloatImage, strength: float, noise_hu: float) -> FloatImage:
    """Shrink undecimated spline wavelets (Starck et al., IEEE TIP 16, 2007, 297).

    The threshold is relative to white noise in each level. What lies far above it is hardly
    shrunk (the garrote of Gao, Journal of Computational and Graphical Statistics 7, 1998, 469):
    a soft threshold would draw tissue beside an edge towards it.
    """
    coarse = hu
    shrunk = np.zeros_like(hu)
    for level in range(_LEVELS):
        kernel = np.zeros(4 * 2**level + 1)
        kernel[:: 2**level] = _SPLINE
        coarser = ndimage.convolve1d(ndimage.convolve1d(coarse, kernel, axis=0), kernel, axis=1)
        threshold = np.float32(strength * noise_hu * _WHITE_SD[level])
        detail = coarse - coarser
        above = np.abs(detail) > threshold
        shrunk[above] += detail[above] - threshold**2 / detail[above]
        coarse = coarser
    return coarse + shrunk


def _median(hu: FloatImage, strength: float, _noise_hu: float) -> FloatImage:
    below = int(strength)
    part = np.float32(strength - below)
    smaller, larger = (
        ndimage.median_filter(hu, 2 * size + 1) if size else hu
        for size in ((below, below + 1) if part else (below, below))
    )
    return smaller + part * (larger - smaller)


SMOOTHERS: Mapping[str, Callable[[FloatImage, float, float], Any]] = {
    "total_variation": _total_variation,
    "bilateral": _bilateral,
    "non_local_means": _non_local_means,
    "wavelet": _wavelet,
    "median": _median,
}
"""The denoisers by kind: each takes an image in HU, a strength and the noise in HU."""


def _restoration(kind: str) -> Any:
    try:
        from skimage import restoration  # noqa: PLC0415 - only training installs it
    except ModuleNotFoundError as error:
        raise RecipeError(
            f"{kind} needs {error.name}, which is not installed: pip install 'ctiqa[train]'"
        ) from error
    return restoration
