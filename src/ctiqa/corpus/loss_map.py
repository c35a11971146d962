"""Where a slice loses quality: the label of every cell of a grid over it."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ctiqa.corpus.label import WINDOWS, LabelRecipe
from ctiqa.images.ct_slice import FloatImage
from ctiqa.measures.fidelity import Reference

__all__ = ["CELLS", "LossMap", "from_bytes", "loss_map", "to_bytes"]

CELLS = 64
"""Cells along each side of a slice: 8 pixels each at 512."""

LossMap: TypeAlias = npt.NDArray[np.float32]
"""(CELLS, CELLS), quality lost in each cell, 0 for nothing, 1 for all; NaN outside the body."""

_LEAST_BODY = 0.5
_OUTSIDE = 255


def loss_map(
    image: FloatImage,
    against: Mapping[str, Reference],
    *,
    recipe: LabelRecipe,
    detail: float,
    box: tuple[slice, slice],
    shape: tuple[int, int],
) -> LossMap:
    """Return 1 - Q r^2 of every cell, Q from the errors and similarities round the cell.

    Q is weighed as that of the whole slice (``LabelRecipe.quality``), from the squared error and
    the similarity that the body has in the cell and its eight neighbours: fewer pixels would tell
    of the draw of the noise and not of its strength.

    Args:
        image: (rows, columns) of the whole slice, in HU.
        against: the noise-free slice in every window, within the box, its region the body.
        recipe: how fidelity is weighed.
        detail: factor of the whole slice for lost detail, r to its exponent.
        box: rows and columns that the references cover.
        shape: (rows, columns) of the slice, multiples of :data:`CELLS`.
    """
    body = _body(against)
    inside = _around(body, box, shape)
    windows = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, (low, high) in zip(recipe.windows, recipe.psnr_limits_db, strict=True):
            reference, windowed = against[name], WINDOWS[name].apply(image[box])
            errors = _around((windowed - reference.image) ** 2 * body, box, shape) / inside
            similar = _around(reference.ssim_map(windowed) * body, box, shape) / inside
            psnr_db = 10 * np.log10(reference.data_range**2 / errors)
            normalised = np.clip((psnr_db - low) / (high - low), 0, 1)
            windows.append(recipe.weight_psnr * normalised + recipe.weight_ssim * similar)
    loss = 1 - np.clip(np.mean(windows, axis=0) * detail, 0, 1)
    least = _LEAST_BODY * shape[0] * shape[1] / CELLS**2
    return np.where(_cells(body, box, shape) >= least, loss, np.nan).astype(np.float32)


def to_bytes(loss: LossMap) -> npt.NDArray[np.uint8]:
    """Return a map as it is stored, to 1/254."""
    return np.where(np.isnan(loss), _OUTSIDE, np.rint(np.nan_to_num(loss) * 254)).astype(np.uint8)


def from_bytes(stored: npt.NDArray[np.uint8]) -> LossMap:
    """Return the map that was stored."""
    return np.where(stored == _OUTSIDE, np.nan, stored / 254).astype(np.float32)


def _body(against: Mapping[str, Reference]) -> FloatImage:
    """Return 1 in the body, which all references share, and 0 elsewhere."""
    reference = next(iter(against.values()))
    whole = np.ones(reference.image.shape, np.float32)
    return whole if reference.region is None else reference.region.astype(np.float32)


def _cells(values: FloatImage, box: tuple[slice, slice], shape: tuple[int, int]) -> FloatImage:
    """Return the sum in each cell of values within a box."""
    whole = np.zeros(shape, np.float32)
    whole[box] = values
    rows, columns = shape[0] // CELLS, shape[1] // CELLS
    summed: FloatImage = whole.reshape(CELLS, rows, CELLS, columns).sum(axis=(1, 3))
    return summed


def _around(values: FloatImage, box: tuple[slice, slice], shape: tuple[int, int]) -> FloatImage:
    """Return the sum in each cell and its eight neighbours."""
    summed: FloatImage = 9 * ndimage.uniform_filter(_cells(values, box, shape), 3, mode="constant")
    return summed
