"""Plant known detail in a slice, and see how much of it a degradation leaves.

PSNR and SSIM against any reference reward a denoiser. What a denoiser destroys is small
low-contrast detail in the presence of noise, so that is what is asked for (METHOD 3.3).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ctiqa.degrade.degradation import Operator
from ctiqa.images.ct_slice import FloatImage, Mask

__all__ = ["REFERENCE_SIGMA_MM", "Disc", "draw_discs", "share_seen", "visible"]

REFERENCE_SIGMA_MM = 0.5
"""Resolution at which detail counts as whole, as a Gaussian: a little sharper than body kernels."""

# Chosen on training patients by benchmarks/label_proof.py: with larger discs, of 0.75 to 3 mm, a
# mild wavelet shrinkage was preferred to its source in half of the cases (docs/log.md).
_COUNT = 120
_RADIUS_MM = (0.5, 1.5)
_CONTRAST_HU = (10.0, 40.0)
_APART_MM = 2.0
_TRIES = 40
_SHARPEST = 1.15


class Disc(NamedTuple):
    """A disc of its own contrast: its middle in pixels, its radius in mm, and HU."""

    row: float
    column: float
    radius_mm: float
    contrast_hu: float


def draw_discs(body: Mask, *, pixel_mm: float, rng: np.random.Generator) -> list[Disc]:
    """Draw discs inside a body, none touching another; fewer than 120 where there is little room.

    Args:
        body: (rows, columns), where discs may lie.
        pixel_mm: side of the pixel in mm.
        rng: draws them.
    """
    depth_mm = ndimage.distance_transform_edt(body) * pixel_mm
    deep = depth_mm > _RADIUS_MM[1] + _APART_MM
    # A label needs a disc, even where the body is hardly wider than one.
    rows, columns = np.nonzero(deep if deep.any() else body)
    signs = rng.permutation(np.resize([-1.0, 1.0], _COUNT))
    radii, contrasts = _strata(_RADIUS_MM, rng), _strata(_CONTRAST_HU, rng) * signs
    discs: list[Disc] = []
    for radius_mm, contrast_hu in zip(radii, contrasts, strict=True):
        for _ in range(_TRIES if rows.size else 0):
            at = int(rng.integers(rows.size))
            row, column = np.array([rows[at], columns[at]]) + rng.uniform(-0.5, 0.5, size=2)
            drawn = Disc(float(row), float(column), float(radius_mm), float(contrast_hu))
            if all(_apart(drawn, other, pixel_mm) for other in discs):
                discs.append(drawn)
                break
    return discs


def _strata(limits: tuple[float, float], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw one value in each of equal parts of a range, so that two draws differ little."""
    places = rng.permutation(_COUNT) + rng.random(_COUNT)
    return limits[0] + (limits[1] - limits[0]) * places / _COUNT


def visible(
    discs: Sequence[Disc], *, shape: tuple[int, int], pixel_mm: float, sigma_mm: float
) -> FloatImage:
    """Return discs as a scanner of a resolution shows them, in HU.

    Args:
        discs: what is shown.
        shape: (rows, columns) of the image.
        pixel_mm: side of the pixel in mm.
        sigma_mm: standard deviation of the scanner's blur, that of the pixel included.
    """
    image = np.zeros(shape, np.float32)
    for disc in discs:
        radius_px = disc.radius_mm / pixel_mm
        reach = int(np.ceil(radius_px)) + 2
        first = round(disc.row) - reach, round(disc.column) - reach
        rows = np.arange(max(first[0], 0), min(first[0] + 2 * reach + 1, shape[0]))
        columns = np.arange(max(first[1], 0), min(first[1] + 2 * reach + 1, shape[1]))
        away = np.hypot(rows[:, None] - disc.row, columns - disc.column)
        share = np.clip(radius_px - away + 0.5, 0, 1)
        image[np.ix_(rows, columns)] += np.float32(disc.contrast_hu) * share.astype(np.float32)
    # The edge of a disc is sampled by area: a box of one pixel is part of the blur already.
    more_px = np.sqrt(max((sigma_mm / pixel_mm) ** 2 - 1 / 12, 0))
    return np.asarray(ndimage.gaussian_filter(image, more_px), np.float32)


def share_seen(
    degrade: Operator, base: FloatImage, degraded: FloatImage, *, own: FloatImage, ideal: FloatImage
) -> float:
    """Return how much of planted detail is left: r of METHOD 3.3, in [0, 1.15].

    r = <T(base + own) - T(base), ideal> / <ideal, ideal>

    It is above 1 for what is sharper than the reference, so that blur costs a sharp kernel, too.
    Beyond the sharpest kernels (1.15) detail is exaggerated, and the excess counts against it.

    Args:
        degrade: T.
        base: the slice without detail, noise included.
        degraded: T(base).
        own: the detail as the slice's scanner shows it.
        ideal: the detail at the resolution at which it counts as whole.
    """
    whole = float(np.vdot(ideal, ideal))
    if whole == 0:
        return float("nan")
    left = np.vdot((degrade(base + own) - degraded).astype(np.float64), ideal.astype(np.float64))
    share = left / whole
    return float(np.clip(min(share, 2 * _SHARPEST - share), 0, None))


def _apart(one: Disc, other: Disc, pixel_mm: float) -> bool:
    distance = np.hypot(one.row - other.row, one.column - other.column) * pixel_mm
    return bool(distance > one.radius_mm + other.radius_mm + _APART_MM)
