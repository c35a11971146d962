"""How fine the grain of the noise is, and how wide the skin's edge, in a millisecond each."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ctiqa.images.ct_slice import FloatImage, Mask

__all__ = ["noise_frequency_per_mm", "skin_sigma_mm"]

_BLOCK_PX = 8
_TISSUE_SHARE = 0.9
_FEWEST_BLOCKS = 8
_CALM_QUANTILE = 0.5

_OUTLINE_PX = 4
_EDGE_HU = (-650.0, -350.0)
_REACH_PX = 3
"""Less than a block, so that it does not reach over the border of the slice."""
_SKIN_HU = (-200.0, 250.0)
_AIR_BELOW_HU = -880.0
_SKIN_STEP_HU = 950.0
_STEEP_QUANTILE = 0.75
_FEWEST_EDGE_PIXELS = 60


def noise_frequency_per_mm(hu: FloatImage, tissue: Mask, *, pixel_mm: float) -> float:
    """Return the frequency of the noise that differences between neighbouring pixels show.

    A noise of power spectrum S has Var(dn/dx) + Var(dn/dy) = (2 pi)^2 <f^2> Var(n), where <f^2> is
    the mean of f^2 over S: the second spectral moment (Rice, Bell Syst Tech J 24, 1945, 46). So
    the root of <f^2> follows from pixels alone. Differences between pixels stand for the
    derivatives, which reads high frequencies as less than they are: white noise has 0.318 cycles
    per pixel here and 0.408 in truth.

    Blocks of 8 x 8 pixels of flat tissue find room where a patch for a spectrum does not
    (``spectrum.tissue_patches`` finds four in about half of our training slices). The noisier half
    of them holds vessels and edges as well and is left out. What is coarser than a block does not
    count, and a coarse matrix holds no fine noise: compare with slices of like pixels.

    Args:
        hu: (rows, columns) in HU.
        tissue: (rows, columns), of ``global_noise.soft_tissue``.
        pixel_mm: side of the pixel in mm.

    Returns:
        In 1/mm; NaN where there is no noise or too little tissue.

    >>> white = np.random.default_rng(0).normal(40, 10, (128, 128)).astype(np.float32)
    >>> round(noise_frequency_per_mm(white, white > -999, pixel_mm=1), 1)
    0.3
    """
    down, across = (side // _BLOCK_PX for side in hu.shape)
    grid = (slice(down * _BLOCK_PX), slice(across * _BLOCK_PX))
    shape = (down, _BLOCK_PX, across, _BLOCK_PX)
    calm = tissue[grid].reshape(shape).mean(axis=(1, 3)) >= _TISSUE_SHARE
    blocks = hu[grid].reshape(shape).swapaxes(1, 2)[calm].astype(np.float64)
    if len(blocks) < _FEWEST_BLOCKS:
        return float("nan")
    variance = blocks.var(axis=(1, 2), ddof=1)
    blocks, variance = (
        each[variance <= np.quantile(variance, _CALM_QUANTILE)] for each in (blocks, variance)
    )
    if not variance.any():
        return float("nan")
    slope = sum(float((np.diff(blocks, axis=axis) ** 2).mean()) for axis in (1, 2))
    return float(np.sqrt(slope / variance.mean()) / (2 * np.pi * pixel_mm))


def skin_sigma_mm(
    hu: FloatImage, body: Mask, *, pixel_mm: float, padding: Mask | None = None
) -> float:
    """Return roughly how far the slice blurs the skin, as a Gaussian's standard deviation.

    A step of height H that a Gaussian blurs is steepest in its middle, H / (sigma sqrt(2 pi)). The
    steepness is the upper quartile, since folds and clothes only flatten, over the pixels of the
    outline near -500 HU that have clear air on one side and soft tissue on the other; H is 950 HU.
    ``sharpness.edge_sigma_mm`` is the careful measure, and a hundred times as slow.

    Args:
        hu: (rows, columns) in HU.
        body: (rows, columns), of ``body.body_mask``.
        pixel_mm: side of the pixel in mm.
        padding: True where the scanner reconstructed nothing; no skin is looked for beside it.

    Returns:
        In mm, the blur of the difference over two pixels included; NaN where little skin is seen.
    """
    row, column = _outline(hu, body, padding)
    down = hu[row + 1, column] - hu[row - 1, column]
    right = hu[row, column + 1] - hu[row, column - 1]
    slope = np.maximum(np.hypot(down, right), 1.0)
    step = np.rint(_REACH_PX * np.stack([down, right]) / slope).astype(np.intp)
    within, without = hu[row + step[0], column + step[1]], hu[row - step[0], column - step[1]]
    low, high = _SKIN_HU
    clean = (within > low) & (within < high) & (without < _AIR_BELOW_HU)
    if clean.sum() < _FEWEST_EDGE_PIXELS:
        return float("nan")
    steepest = float(np.quantile(slope[clean], _STEEP_QUANTILE)) / (2 * pixel_mm)
    return _SKIN_STEP_HU / (steepest * float(np.sqrt(2 * np.pi)))


def _outline(
    hu: FloatImage, body: Mask, padding: Mask | None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the rows and columns of the pixels near -500 HU along the body's outline."""
    rows, columns = (side // _OUTLINE_PX * _OUTLINE_PX for side in hu.shape)
    coarse = body[:rows:_OUTLINE_PX, :columns:_OUTLINE_PX]
    near = ndimage.maximum_filter(coarse, 3) & ~ndimage.minimum_filter(coarse, 3)
    if padding is not None:
        near &= ~ndimage.maximum_filter(padding[:rows:_OUTLINE_PX, :columns:_OUTLINE_PX], 3)
    near[[0, -1]] = near[:, [0, -1]] = False
    outline = near.repeat(_OUTLINE_PX, axis=0).repeat(_OUTLINE_PX, axis=1)
    row, column = np.nonzero(outline)
    values = hu[row, column]
    low, high = _EDGE_HU
    edge = (values > low) & (values < high)
    return row[edge], column[edge]
