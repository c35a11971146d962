"""Where in a slice the patient is."""

import numpy as np
from scipy import ndimage

from ctiqa.images.ct_slice import FloatImage, Mask

__all__ = ["body_mask"]

_BLOCK_PX = 4
_TISSUE_HU = -400.0


def body_mask(hu: FloatImage) -> Mask:
    """Return the largest connected thing denser than -400 HU, its cavities filled.

    Worked out on means over 4 x 4 pixels: noise goes, and an opening cuts the table off. Cavities
    are filled before, since an opening would break a thin chest wall and lose the lung behind it.

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
    solid = ndimage.binary_fill_holes(blocks.mean(axis=(1, 3)) > _TISSUE_HU)
    parts, count = ndimage.label(ndimage.binary_opening(solid, np.ones((3, 3), bool)))
    mask = np.zeros(hu.shape, bool)
    if count:
        largest = 1 + int(np.bincount(parts.ravel())[1:].argmax())
        coarse = parts == largest
        mask[:rows, :columns] = coarse.repeat(_BLOCK_PX, axis=0).repeat(_BLOCK_PX, axis=1)
    return mask
