"""Where in the slice quality is lost."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctiqa.images.ct_slice import AIR_HU, CTSlice, FloatImage, Mask
from ctiqa.images.slice_header import fit_window
from ctiqa.measures.body import body_mask
from ctiqa.scoring.scorer import Scorer

__all__ = ["QualityMap", "quality_map"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QualityMap:
    """What is lost of quality in each square cell of a slice: 0 nothing, 1 all.

    The cells divide the square that the network takes, about the centre of which the slice is
    padded with air or cropped (:func:`ctiqa.images.slice_header.fit_window`).

    Args:
        loss: (cells, cells) float32 in [0, 1]; 0 in cells that hold nothing of the body.
        size: side of the network's square in pixels, a multiple of the number of cells.
        body: (rows, columns) of the slice, True where the patient is.
    """

    loss: FloatImage
    size: int
    body: Mask

    @property
    def cell_px(self) -> int:
        """Side of a cell in pixels."""
        return self.size // len(self.loss)

    def on_pixels(self) -> FloatImage:
        """Return the map on the pixels of the slice, bilinear between the centres of the cells.

        A cell counts as far as it lies in the body, so that what the network says of the air
        does not reach into the body.

        Returns:
            (rows, columns) float32 in [0, 1]; 0 outside the body and where the slice was cropped.
        """
        share = _share(self.body, self.size, self.cell_px)
        weights = _bilinear(self.size, self.cell_px)
        lost = weights @ (self.loss * share) @ weights.T
        known = weights @ share @ weights.T
        inside, within = _windows(self.body.shape, self.size)
        pixels = np.zeros(self.body.shape, np.float32)
        np.divide(lost[within], known[within], out=pixels[inside], where=self.body[inside])
        return np.clip(pixels, 0, 1, out=pixels)


def quality_map(ct_slice: CTSlice, scorer: Scorer) -> QualityMap:
    """Return where quality is lost in a slice of any matrix size.

    Args:
        ct_slice: as it was read, or as it was scored.
        scorer: with a model that has a map.

    Raises:
        ModelError: if the model has none, or cannot be run.
    """
    size = scorer.card.size
    inside, within = _windows(ct_slice.hu.shape, size)
    square = np.full((size, size), AIR_HU, np.float32)
    square[within] = ct_slice.hu[inside]
    loss = scorer.loss_map(square, ct_slice.pixel_mm)
    body = body_mask(ct_slice.hu)
    loss[_share(body, size, size // len(loss)) == 0] = 0
    return QualityMap(loss=loss, size=size, body=body)


def _windows(shape: tuple[int, ...], size: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return which part of a slice lies in the square, and where in the square."""
    rows, columns = (fit_window(length, size) for length in shape)
    return (rows[0], columns[0]), (rows[1], columns[1])


def _share(body: Mask, size: int, cell_px: int) -> FloatImage:
    """Return the share of each cell of the square that is body."""
    inside, within = _windows(body.shape, size)
    square = np.zeros((size, size), np.float32)
    square[within] = body[inside]
    return np.asarray(square.reshape(size // cell_px, cell_px, -1, cell_px).mean(axis=(1, 3)))


def _bilinear(size: int, cell_px: int) -> npt.NDArray[np.float32]:
    """Return what each cell gives to each pixel along an axis, (size, cells); rows sum to 1.

    >>> _bilinear(4, 2).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    cells = np.arange(size // cell_px)
    at = np.clip((np.arange(size) + 0.5) / cell_px - 0.5, 0, cells[-1])
    return np.asarray(np.maximum(1 - np.abs(at[:, np.newaxis] - cells), 0), np.float32)
