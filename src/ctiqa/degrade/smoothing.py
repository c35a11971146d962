"""Smoothing: what denoisers do to noise, and to small detail with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import ndimage

from ctiqa.degrade.degradation import Map
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage

__all__ = ["DENOISERS", "Smoothing", "matched"]

_BLEND = (0.4, 1.0)
_AIR_HU = -1024.0


def _total_variation(hu: FloatImage, strength: float, noise_hu: float) -> FloatImage:
    from skimage.restoration import denoise_tv_chambolle  # noqa: PLC0415 - only training has it

    weight = strength * noise_hu
    return np.asarray(denoise_tv_chambolle(hu, weight=weight, eps=1e-6, max_num_iter=40))  # type: ignore[no-untyped-call]


def _bilateral(hu: FloatImage, strength: float, noise_hu: float) -> FloatImage:
    from skimage.restoration import denoise_bilateral  # noqa: PLC0415

    # scikit-image looks weights up in a table from 0 to the greatest value, so that it wants values
    # above 0, and none so great that soft tissue falls into few of its bins.
    limited = np.clip(hu, _AIR_HU, 1500) - np.float32(_AIR_HU)
    smooth = denoise_bilateral(
        limited,
        win_size=7,
        sigma_color=strength * noise_hu,
        sigma_spatial=1.5,
        bins=10000,
        mode="edge",
    )
    return np.asarray(hu + (smooth - limited))


def _non_local_means(hu: FloatImage, strength: float, noise_hu: float) -> FloatImage:
    from skimage.restoration import denoise_nl_means  # noqa: PLC0415

    return np.asarray(
        denoise_nl_means(
            hu, patch_size=5, patch_distance=5, h=strength * noise_hu, sigma=0.5 * noise_hu
        )
    )


def _wavelet(hu: FloatImage, strength: float, noise_hu: float) -> FloatImage:
    from skimage.restoration import denoise_wavelet  # noqa: PLC0415

    return np.asarray(
        denoise_wavelet(
            hu, sigma=strength * noise_hu, wavelet="db4", mode="soft", method="BayesShrink"
        )
    )


def _median(hu: FloatImage, strength: float, noise_hu: float) -> FloatImage:  # noqa: ARG001
    return np.asarray(ndimage.median_filter(hu, size=2 * round(strength) + 1))


DENOISERS: Mapping[str, tuple[Callable[[FloatImage, float, float], FloatImage], float, float]] = {
    "total_variation": (_total_variation, 0.3, 3.0),
    "bilateral": (_bilateral, 0.5, 4.0),
    "non_local_means": (_non_local_means, 0.3, 1.5),
    "wavelet": (_wavelet, 0.8, 4.0),
    "median": (_median, 1.0, 2.0),
}
"""Each with its least and its greatest strength, in units of the image's noise; a median has none,
and takes its strength as the half side of its window."""


@dataclass(frozen=True, slots=True)
class Smoothing:
    """A denoiser, blended with the image that it was given, as iterative reconstruction is.

    Args:
        denoiser: one of :data:`DENOISERS`.
        strength: relative to the image's noise.
        blend: share of the smoothed image.
    """

    denoiser: str
    strength: float
    blend: float = 1.0

    @classmethod
    def draw(cls, denoiser: str, rng: np.random.Generator) -> Self:
        """Draw how strong one of the denoisers is."""
        _, least, greatest = DENOISERS[denoiser]
        strength = float(np.exp(rng.uniform(np.log(least), np.log(greatest))))
        return cls(denoiser, strength, float(rng.uniform(*_BLEND)))

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Map:  # noqa: ARG002
        """Return the map for one slice."""
        return lambda hu: self.applied(hu, noise_hu=noise_hu)

    def applied(self, hu: FloatImage, *, noise_hu: float) -> FloatImage:
        """Return the smoothed image in HU."""
        smooth, _, _ = DENOISERS[self.denoiser]
        made = hu + np.float32(self.blend) * (smooth(hu, self.strength, noise_hu) - hu)
        return np.asarray(made, np.float32)


def matched(
    denoiser: str, hu: FloatImage, *, residual_sd_hu: float, noise_hu: float, steps: int = 12
) -> Smoothing:
    """Return the smoothing that takes away a wanted amount, found by halving.

    Args:
        denoiser: one of :data:`DENOISERS`.
        hu: the image.
        residual_sd_hu: standard deviation of what goes, in HU.
        noise_hu: global noise of the image.
        steps: of the search.
    """
    # Beyond the strengths that are drawn, since strong smoothing is asked for, too.
    _, least, greatest = DENOISERS[denoiser]
    low, high = np.log(0.1 * least), np.log(10 * greatest)
    found = Smoothing(denoiser, float(np.exp(high)))
    for _ in range(steps):
        middle = 0.5 * (low + high)
        found = replace(found, strength=float(np.exp(middle)))
        if float(np.std(found.applied(hu, noise_hu=noise_hu) - hu)) < residual_sd_hu:
            low = middle
        else:
            high = middle
    return found
