"""Turn the stored values of one frame into Hounsfield units."""

import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final

import numpy as np

from ctiqa.images.codecs import FrameLayout, StoredImage, decode_frame
from ctiqa.images.ct_slice import AIR_HU, FloatImage, Mask
from ctiqa.images.frames import Span
from ctiqa.images.place import Place
from ctiqa.images.refusal import RefusedError

__all__ = ["DicomPixels", "Rescale", "inflated", "mask_padding"]

# Padding that no scanner could have reconstructed: metal streaks end well above.
_IMPOSSIBLE_HU: Final = -3000.0
# Air with the noise of the sharpest kernels ends above; a constant corner below is padding.
_CORNER_HU: Final = -1100.0

_MOST_INFLATED_BYTES: Final = 2 << 30


@dataclass(frozen=True, slots=True)
class Rescale:
    """How stored values become HU, and which of them mean "outside the field of view".

    Args:
        slope: HU for one stored step.
        intercept: HU of a stored 0.
        padding: lowest and highest stored value that the header tags as padding, None without.
    """

    slope: float
    intercept: float
    padding: tuple[int, int] | None = None

    def to_hu(self, stored: StoredImage) -> FloatImage:
        """Return the HU of stored values, whatever padding says among them."""
        if self.slope == 1 and self.intercept == int(self.intercept):
            hu = stored.astype(np.float32)
            hu += np.float32(self.intercept)
            return hu
        return (stored * self.slope + self.intercept).astype(np.float32)

    def masked(self, stored: StoredImage) -> tuple[FloatImage, Mask | None]:
        """Return the HU of stored values, padding set to air, and the mask of the padding."""
        return mask_padding(self.to_hu(stored), tagged=self._tagged(stored))

    def _tagged(self, stored: StoredImage) -> Mask | None:
        if self.padding is None:
            return None
        low, high = self.padding
        tagged = stored == low if low == high else (stored >= low) & (stored <= high)
        # A tag whose HU could be tissue is believed only where it fills a corner.
        could_be_tissue = high * self.slope + self.intercept > AIR_HU
        if could_be_tissue and not tagged[[0, 0, -1, -1], [0, -1, 0, -1]].any():
            return None
        return tagged


def mask_padding(hu: FloatImage, *, tagged: Mask | None = None) -> tuple[FloatImage, Mask | None]:
    """Return the slice with its padding set to air, and where that is, None where nowhere.

    Beside what the header tags, padding is whatever equals a corner that lies far below air: GE
    tags -2000 and stores other values, and metal streaks reach -2400 HU inside the body, so that a
    mere threshold would be wrong.

    Args:
        hu: (rows, columns), changed in place.
        tagged: True where the header says so.
    """
    mask = hu < np.float32(_IMPOSSIBLE_HU)
    for corner in {float(hu[row, column]) for row in (0, -1) for column in (0, -1)}:
        if _IMPOSSIBLE_HU <= corner < _CORNER_HU:
            mask |= hu == np.float32(corner)
    if tagged is not None:
        mask |= tagged
    if not mask.any():
        return hu, None
    hu[mask] = AIR_HU
    return hu, mask


@dataclass(frozen=True, slots=True)
class DicomPixels:
    """One frame of a DICOM file, found but not yet decoded.

    Args:
        place: the file.
        spans: offset and length of each run of its bytes, in the inflated data set if deflated.
        layout: how the frame is laid out.
        rescale: how stored values become HU.
        frames: how many frames the file holds.
        deflated_from: where the deflated data set begins, None where nothing is deflated.
    """

    place: Place
    spans: tuple[Span, ...]
    layout: FrameLayout
    rescale: Rescale
    frames: int = 1
    deflated_from: int | None = None

    def decode(self) -> tuple[FloatImage, Mask | None]:
        """Return the slice in HU, (rows, columns), and the mask of its padding.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if its pixel data are damaged.
        """
        return self.rescale.masked(self.stored())

    def stored(self) -> StoredImage:
        """Return the stored values, (rows, columns); raises as :meth:`decode`."""
        return decode_frame(self._frame(), self.layout)

    def _frame(self) -> bytes:
        with self.place.open(keep=self.frames > 1) as file:
            source = file if self.deflated_from is None else inflated(file, self.deflated_from)
            runs = []
            for offset, length in self.spans:
                source.seek(offset)
                runs.append(source.read(length))
        return b"".join(runs)


def inflated(file: BinaryIO, start: int) -> BinaryIO:
    """Return a deflated data set, inflated (DICOM PS3.5, A.5).

    Raises:
        zlib.error: if it is damaged.
        RefusedError: if it unfolds to more than any image needs.
    """
    file.seek(start)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    whole = inflate.decompress(file.read(), _MOST_INFLATED_BYTES)
    if inflate.unconsumed_tail:
        raise RefusedError(
            f"it unfolds to over {_MOST_INFLATED_BYTES >> 30} GiB; export it again, uncompressed"
        )
    return BytesIO(whole)
