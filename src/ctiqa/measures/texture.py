"""How fine the grain of the noise is, and how wide the skin's edge, in a millisecond each."""

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ctiqa.images.ct_slice import FloatImage, Mask

__all__ = ["COARSEST_PX", "noise_frequency_per_mm", "noise_sigma_mm", "skin_sigma_mm"]

COARSEST_PX = 3.0
"""The largest blur that the grain of the noise tells; beyond, a block holds too little of it."""

_BLOCK_PX = 8
_TISSUE_SHARE = 0.9
_FEWEST_BLOCKS = 8
_CALM_QUANTILE = 0.5
_FREQUENCIES = 128

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


def noise_sigma_mm(frequency_per_mm: float, *, pixel_mm: float) -> float:
    """Return the Gaussian blur of the kernel whose noise shows a frequency.

    White noise in the projections becomes a spectrum f W(f)^2 in the slice, W the window on the
    ramp (docs/physics.md, section 9). For W = exp(-2 (pi sigma f)^2) this is what
    :func:`noise_frequency_per_mm` reads on average, undone: its blocks and differences included, so
    that the side of the pixel does not count. Of noise that is the same everywhere the calmer half
    of the blocks is so by chance, and the blur is read up to 8 % too low.

    Args:
        frequency_per_mm: of :func:`noise_frequency_per_mm`, in 1/mm.
        pixel_mm: side of the pixel in mm.

    Returns:
        The standard deviation in mm, 0 for noise as fine as that of the plain ramp or finer; NaN
        for NaN, and for noise coarser than a blur of three pixels makes it.

    >>> round(noise_sigma_mm(0.36, pixel_mm=0.7), 2)
    0.43
    """
    sigmas_px, frequencies_per_px = _noise_of_blurs()
    frequency_per_px = frequency_per_mm * pixel_mm
    return float(np.interp(frequency_per_px, frequencies_per_px, sigmas_px, left=np.nan)) * pixel_mm


@cache
def _noise_of_blurs() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return blurs in pixels, the largest first, and the frequency that each shows per pixel."""
    line = np.fft.fftfreq(_FREQUENCIES)
    across, down = np.meshgrid(line, line)
    radius = np.hypot(across, down)
    # The mean of a block passes this share of each frequency; it is taken off before the variance.
    mean = (_mean_of_block(across) * _mean_of_block(down)) ** 2
    count = _BLOCK_PX**2
    seen = (1 - mean) * count / (count - 1)
    differences = 4 * (np.sin(np.pi * across) ** 2 + np.sin(np.pi * down) ** 2)
    sigmas = np.linspace(COARSEST_PX, 0, 121)
    # No kernel passes more than half a cycle per pixel; a corner of the grid lies beyond.
    spectra = [
        radius * np.exp(-((2 * np.pi * sigma * radius) ** 2)) * (radius <= 0.5) for sigma in sigmas
    ]
    ratios = [(each * differences).sum() / (each * seen).sum() for each in spectra]
    return sigmas, np.sqrt(ratios) / (2 * np.pi)


def _mean_of_block(frequency: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what the mean over a block leaves of a wave, frequency in cycles per pixel."""
    below = _BLOCK_PX * np.sin(np.pi * frequency)
    passed = np.ones_like(frequency)
    np.divide(np.sin(np.pi * _BLOCK_PX * frequency), below, out=passed, where=below != 0)
    return passed


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
