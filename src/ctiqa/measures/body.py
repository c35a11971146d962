"""Where in a slice the patient is, and how much of the outline the field of view cuts off."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ctiqa.images.ct_slice import FloatImage, Mask

__all__ = ["body_mask", "box_round", "cut_off_px"]

_BLOCK_PX = 4
_TISSUE_HU = -400.0
_AIR_HU = -950.0
_SQUARE = np.ones((3, 3), bool)
_WALL_BLOCKS = 3
_ENCLOSED = 0.8
_LEAST_LUNG_BLOCKS = 100


def body_mask(hu: FloatImage) -> Mask:
    """Return the largest connected thing denser than -400 HU, with its cavities and lungs.

    Worked out on means over 4 x 4 pixels: noise goes, and an opening cuts the table off. Cavities
    are filled. A lung that is no cavity, since its wall is thin or lies outside the field of view,
    belongs to the body as well: it is not joined to the air around by clear air (below -950 HU),
    and four fifths of its border are body. Of a mattress about half is (docs/physics.md).

    Args:
        hu: (rows, columns) in HU.

    Returns:
        (rows, columns) bool; all False where nothing is denser.

    >>> slice_hu = np.full((64, 64), -1000, np.float32)
    >>> slice_hu[16:48, 16:48] = 40
    >>> int(body_mask(slice_hu).sum())
    1024
    """
    rows, columns = (side // _BLOCK_PX * _BLOCK_PX for side in hu.shape)
    blocks = hu[:rows, :columns].reshape(rows // _BLOCK_PX, _BLOCK_PX, -1, _BLOCK_PX)
    mean_hu = blocks.mean(axis=(1, 3))
    mask = np.zeros(hu.shape, bool)
    core = _core(mean_hu > _TISSUE_HU)
    if core is not None:
        coarse = ndimage.binary_fill_holes(_with_lungs(core, mean_hu))
        mask[:rows, :columns] = coarse.repeat(_BLOCK_PX, axis=0).repeat(_BLOCK_PX, axis=1)
    return mask


def box_round(body: Mask, *, margin_px: int = 8) -> tuple[slice, slice]:
    """Return the box round the body with a margin; the whole slice where there is none.

    >>> body = np.zeros((64, 64), bool)
    >>> body[20:30, 4:60] = True
    >>> box_round(body)
    (slice(12, 38, None), slice(0, 68, None))
    """
    if not body.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(body.any(axis=axis)) for axis in (1, 0))
    return _with_margin(rows, margin_px), _with_margin(columns, margin_px)


def cut_off_px(body: Mask, padding: Mask | None = None) -> int:
    """Return how many pixel edges of the body's outline lie on the edge of the field of view.

    Args:
        body: (rows, columns), of :func:`body_mask`.
        padding: True where the scanner reconstructed nothing; None where it filled the matrix.

    >>> cut_off_px(np.ones((4, 4), bool))
    16
    """
    outside = np.ones(np.add(body.shape, 2), bool)
    outside[1:-1, 1:-1] = False if padding is None else padding
    # A block of the mask may reach over the edge of the field.
    inside = body & ~outside[1:-1, 1:-1]
    beside = (outside[1:-1, :-2], outside[1:-1, 2:], outside[:-2, 1:-1], outside[2:, 1:-1])
    return sum(int((inside & side).sum()) for side in beside)


def _with_margin(places: npt.NDArray[np.intp], margin_px: int) -> slice:
    return slice(max(int(places[0]) - margin_px, 0), int(places[-1]) + 1 + margin_px)


def _core(dense: Mask) -> Mask | None:
    """Return the largest dense part after an opening, its cavities filled; None without any."""
    parts, count = ndimage.label(_opened(dense))
    if not count:
        return None
    largest = 1 + int(np.bincount(parts.ravel())[1:].argmax())
    return np.asarray(ndimage.binary_fill_holes(parts == largest), bool)


def _with_lungs(core: Mask, mean_hu: npt.NDArray[np.floating]) -> Mask:
    """Return the core with every part that the core nearly encloses, and the wall round it.

    A wall too thin for the opening is dense and close to the core, where the table may be as well:
    it counts as body when a part is judged, but it joins the body only beside a lung.
    """
    near = ndimage.binary_dilation(core, _SQUARE, iterations=_WALL_BLOCKS)
    wall = core | (near & (mean_hu > _TISSUE_HU))
    beside_wall = np.pad(ndimage.binary_dilation(wall, _SQUARE), 1)
    parts, count = ndimage.label(_opened(~_open_air(mean_hu) & ~wall))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    body = core.copy()
    for number in 1 + np.flatnonzero(sizes[1:] >= _LEAST_LUNG_BLOCKS):
        part = np.pad(parts == number, 1)
        border = ndimage.binary_dilation(part, _SQUARE) & ~part
        if beside_wall[border].mean() >= _ENCLOSED:
            lung = part[1:-1, 1:-1]
            body |= lung
            body |= wall & ndimage.binary_dilation(lung, _SQUARE, iterations=_WALL_BLOCKS)
    return body


def _open_air(mean_hu: npt.NDArray[np.floating]) -> Mask:
    """Return the clear air that is joined to the border of the slice."""
    parts, _ = ndimage.label(np.pad(mean_hu < _AIR_HU, 1, constant_values=True))
    return np.asarray((parts == parts[0, 0])[1:-1, 1:-1], bool)


def _opened(mask: Mask) -> Mask:
    # Beyond the border the body goes on where the field of view cuts it.
    eroded = ndimage.binary_erosion(mask, _SQUARE, border_value=1)
    return np.asarray(ndimage.binary_dilation(eroded, _SQUARE), bool)
