"""A slice that is found and described, its pixels not yet decoded."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import AIR_HU, Acquisition, CTSlice, FloatImage, Identity, Mask
from ctiqa.images.refusal import RefusedError

__all__ = ["PixelSource", "SliceHeader", "fit_window", "read_errors"]


class PixelSource(Protocol):
    """Where the pixels of a slice lie and how they become HU."""

    def decode(self) -> tuple[FloatImage, Mask | None]:
        """Return the slice in HU and the mask of its padding, None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """Everything known of a slice before its pixels are decoded; small, and can be pickled.

    Args:
        identity: which image this is.
        acquisition: how it was made.
        pixel_mm: side of the square pixel in mm.
        z_mm: position along the slice normal in mm, None where unknown.
        rows: height of the matrix in the file.
        columns: width of the matrix in the file.
        pixels: where the pixels lie.
        size: side of the square matrix that :meth:`load` pads or crops to, None to keep the file's.
        notes: what a reader of the results should know of this slice, in words.
        normal: unit vector across the slice in patient coordinates (left, posterior, head).
        along_row: unit vector along which columns rise, in the same coordinates.
        position_mm: centre of the first pixel in patient coordinates, None where unknown.
        frame_of_reference_uid: of these coordinates (DICOM PS3.3, C.7.4.1); "" if unknown.
    """

    identity: Identity
    acquisition: Acquisition
    pixel_mm: float
    z_mm: float | None
    rows: int
    columns: int
    pixels: PixelSource
    size: int | None = None
    notes: tuple[str, ...] = ()
    normal: tuple[float, float, float] | None = None
    along_row: tuple[float, float, float] | None = None
    position_mm: tuple[float, float, float] | None = None
    frame_of_reference_uid: str = ""

    def load(self) -> CTSlice:
        """Decode the pixels now; may be called from several threads or processes.

        Raises:
            ReadError: if the pixel data are damaged or the file is no longer there.
        """
        with read_errors(self.identity.path):
            hu, padding = self.pixels.decode()
            if self.size is not None and hu.shape != (self.size, self.size):
                hu, padding = _fit(hu, padding, self.size)
            return CTSlice(
                hu=hu,
                pixel_mm=self.pixel_mm,
                identity=self.identity,
                z_mm=self.z_mm,
                acquisition=self.acquisition,
                padding=padding,
                notes=self.notes,
            )

    def fitted(self, size: int | None) -> "SliceHeader":
        """Return the same slice, to be padded or cropped to ``size`` and saying so in its notes."""
        if size is None or (self.rows, self.columns) == (size, size):
            return self
        verb = "cropped" if max(self.rows, self.columns) > size else "padded"
        note = f"{verb} from {self.rows} x {self.columns} to {size} x {size}"
        return replace(self, size=size, notes=(*self.notes, note))


@contextmanager
def read_errors(path: str) -> Iterator[None]:
    """Turn what reading and decoding raise into a :class:`ReadError` of one sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or "it could not be read"
        raise ReadError(f"{path}: {reason}; check the file") from error
    except RefusedError as refused:
        raise ReadError(f"{path}: {refused}") from refused
    except (
        ValueError,
        RuntimeError,
        OverflowError,
        struct.error,
        zlib.error,
        MemoryError,
    ) as error:
        raise ReadError(
            f"{path}: its pixel data are damaged ({_first_line(error)}); send the image again from"
            " its source"
        ) from error


def fit_window(length: int, size: int) -> tuple[slice, slice]:
    """Return which part of an axis of ``length`` goes to which part of one of ``size``, centred.

    >>> fit_window(400, 512), fit_window(768, 512)
    ((slice(0, 400, None), slice(56, 456, None)), (slice(128, 640, None), slice(0, 512, None)))
    """
    kept = min(length, size)
    source, target = (length - kept) // 2, (size - kept) // 2
    return slice(source, source + kept), slice(target, target + kept)


def _fit(hu: FloatImage, padding: Mask | None, size: int) -> tuple[FloatImage, Mask | None]:
    source_rows, rows = fit_window(hu.shape[0], size)
    source_columns, columns = fit_window(hu.shape[1], size)
    fitted = np.full((size, size), AIR_HU, np.float32)
    fitted[rows, columns] = hu[source_rows, source_columns]
    mask = np.ones((size, size), bool)
    inside = False if padding is None else padding[source_rows, source_columns]
    mask[rows, columns] = inside
    return fitted, mask if mask.any() else None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
