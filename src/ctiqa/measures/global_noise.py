"""Global noise in HU: our robust meter, and each published variant by its authors' name."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from ctiqa.images.ct_slice import AIR_HU, FloatImage, Mask
from ctiqa.measures.body import body_mask

__all__ = [
    "NOISE_VARIANTS",
    "NoiseVariant",
    "global_noise_hu",
    "local_sd",
    "modal_sd",
    "soft_tissue",
]

_SMOOTHING_PX = 3.0
_TISSUE_HU = (-10.0, 120.0)
_STEEPEST_HU_PER_PX = 6.0
_EROSION_PX = 3
_SD_WINDOW_PX = 7
_TISSUE_ORIGIN_HU = 50.0
_FEWEST_PIXELS = 400
_CLEAR_AIR_HU = -940.0


def soft_tissue(hu: FloatImage) -> Mask:
    """Return where the slice is flat soft tissue, judged on a smoothed copy.

    A mask made from single pixels empties when the noise is high: on 16 of 36 real quarter-dose
    slices with a sharp kernel nothing was left. So the limits (-10 to 120 HU, slope under
    6 HU/px) are applied after a Gaussian of 3 px, and the mask is eroded by 3 px. All of it happens
    at half resolution, since a Gaussian of 3 px leaves nothing finer.

    Args:
        hu: (rows, columns) in HU.

    Returns:
        (rows, columns) bool.
    """
    rows, columns = hu.shape
    even = hu[: rows // 2 * 2, : columns // 2 * 2]
    half = 0.25 * (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2])
    smooth = ndimage.gaussian_filter(half, _SMOOTHING_PX / 2, truncate=3.0)
    down, right = np.gradient(smooth)
    flat = down * down + right * right < (2 * _STEEPEST_HU_PER_PX) ** 2
    tissue = flat & (smooth > _TISSUE_HU[0]) & (smooth < _TISSUE_HU[1])
    eroded = ndimage.minimum_filter(tissue, 2 * ((_EROSION_PX + 1) // 2) + 1, mode="constant")
    mask = np.zeros(hu.shape, bool)
    mask[: rows // 2 * 2, : columns // 2 * 2] = eroded.repeat(2, axis=0).repeat(2, axis=1)
    return mask


def local_sd(
    hu: FloatImage, *, window_px: int = _SD_WINDOW_PX, origin_hu: float = _TISSUE_ORIGIN_HU
) -> FloatImage:
    """Return the standard deviation in the square window around each pixel, in HU; same shape.

    Args:
        hu: (rows, columns) in HU.
        window_px: side of the window.
        origin_hu: what the tissue of interest has; float32 squares lose nothing near it.
    """
    centred = np.clip(hu, origin_hu - 1050, origin_hu + 1050) - np.float32(origin_hu)
    mean = ndimage.uniform_filter(centred, window_px)
    mean_square = ndimage.uniform_filter(centred * centred, window_px)
    count = window_px**2
    variance = (mean_square - mean * mean) * np.float32(count / (count - 1))
    return np.asarray(np.sqrt(np.maximum(variance, 0)), np.float32)


def modal_sd(hu: FloatImage, mask: Mask) -> float:
    """Return the most frequent local standard deviation inside ``mask``, in HU.

    The mode ignores vessels and edges, which inflate the mean. Its histogram follows the data, so
    that 5 HU and 100 HU are read equally well.

    Returns:
        The mode in HU; NaN where the mask holds fewer than 400 pixels.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return float("nan")
    margin = _SD_WINDOW_PX // 2
    box = (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )
    values = local_sd(hu[box])[mask[box]]
    if values.size < _FEWEST_PIXELS:
        return float("nan")
    return _mode(values)


def global_noise_hu(hu: FloatImage) -> float:
    """Return the global noise of a slice: the modal local standard deviation in soft tissue.

    After Christianson et al., AJR 205, 2015 (doi 10.2214/AJR.14.13613), with the mask of
    :func:`soft_tissue`.

    Args:
        hu: (rows, columns) in HU.

    Returns:
        Noise in HU; NaN where the slice shows too little soft tissue.

    >>> rng = np.random.default_rng(0)
    >>> water = rng.normal(0, 20, (128, 128)).astype(np.float32)
    >>> bool(abs(global_noise_hu(water) - 20) < 1)
    True
    """
    return modal_sd(hu, soft_tissue(hu))


@dataclass(frozen=True, slots=True)
class NoiseVariant:
    """One published way to a single noise figure of a slice, read off single-slice SD maps.

    Args:
        name: the authors and the year, and which of their figures where there are several.
        doi: where it is published.
        region: "tissue" is every pixel within ``tissue_hu``; "air" the clear air round the patient.
        statistic: of the local standard deviations in the region.
        window_px: side of the window that a standard deviation is taken in.
        tissue_hu: lowest and highest HU of tissue.
        steepest_hu_per_px: leave out pixels where the smoothed slice is steeper; None for none.
    """

    name: str
    doi: str
    region: Literal["tissue", "air"]
    statistic: Literal["mode", "mean"]
    window_px: int = _SD_WINDOW_PX
    tissue_hu: tuple[float, float] = (0.0, 100.0)
    steepest_hu_per_px: float | None = None

    def __call__(self, hu: FloatImage) -> float:
        """Return the noise of a slice, (rows, columns), in HU; NaN where the region is too small.

        Air that the scanner clipped, more than a fiftieth of it at the lowest value of the slice,
        has lost its noise and gets NaN as well.
        """
        region = self._air(hu) if self.region == "air" else self._tissue(hu)
        if region.sum() < _FEWEST_PIXELS:
            return float("nan")
        origin_hu = AIR_HU if self.region == "air" else _TISSUE_ORIGIN_HU
        values = local_sd(hu, window_px=self.window_px, origin_hu=origin_hu)[region]
        return _mode(values) if self.statistic == "mode" else float(values.mean(dtype=np.float64))

    def _tissue(self, hu: FloatImage) -> Mask:
        low, high = self.tissue_hu
        tissue = (hu >= low) & (hu <= high)
        if self.steepest_hu_per_px is not None:
            down, right = np.gradient(ndimage.gaussian_filter(hu, _SMOOTHING_PX / 2))
            tissue &= np.hypot(down, right) < self.steepest_hu_per_px
        return np.asarray(tissue, bool)

    def _air(self, hu: FloatImage) -> Mask:
        smooth = ndimage.uniform_filter(hu, 2 * self.window_px)
        dense = (smooth > _CLEAR_AIR_HU) | body_mask(hu)
        near = ndimage.maximum_filter(dense, 2 * self.window_px + 1)
        made_up = ndimage.maximum_filter(hu, 3) == ndimage.minimum_filter(hu, 3)
        air = ~near & ~ndimage.maximum_filter(made_up, self.window_px + 2)
        clipped = air & (hu <= hu.min())
        return np.asarray(air & (clipped.sum() * 50 <= air.sum()), bool)


_MALKUS = "10.1002/mp.12240"
_EDGE_HU_PER_PX = 20.0

NOISE_VARIANTS: tuple[NoiseVariant, ...] = (
    NoiseVariant("christianson2015", "10.2214/AJR.14.13613", "tissue", "mode"),
    NoiseVariant(
        "malkus2017_tissue_mode", _MALKUS, "tissue", "mode", steepest_hu_per_px=_EDGE_HU_PER_PX
    ),
    NoiseVariant(
        "malkus2017_tissue_mean", _MALKUS, "tissue", "mean", steepest_hu_per_px=_EDGE_HU_PER_PX
    ),
    NoiseVariant("malkus2017_air_mode", _MALKUS, "air", "mode"),
    NoiseVariant("malkus2017_air_mean", _MALKUS, "air", "mean"),
    NoiseVariant(
        "kuo2024", "10.1088/1361-6560/ad3883", "tissue", "mode", 10, steepest_hu_per_px=10.0
    ),
)
"""Weaver et al. 2025 (doi 10.1002/acm2.70288) call Christianson's mode the Duke method and those of
Malkus the Wisconsin method. What the papers leave open, docs/physics.md tells."""


def _mode(values: FloatImage) -> float:
    """Return the most frequent of some standard deviations, by a histogram that follows them."""
    median = float(np.median(values))
    if median == 0:
        return 0.0
    counts, edges = np.histogram(values, bins=120, range=(0, 3 * median))
    smooth = ndimage.gaussian_filter1d(counts.astype(float), 3.0, mode="constant")
    peak = int(smooth.argmax())
    before, top, after = smooth[max(peak - 1, 0)], smooth[peak], smooth[min(peak + 1, 119)]
    curvature = before - 2 * top + after
    shift = 0.5 * (before - after) / curvature if curvature < 0 else 0.0
    return float(edges[0] + (peak + 0.5 + shift) * (edges[1] - edges[0]))
