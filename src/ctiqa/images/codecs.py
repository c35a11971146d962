"""Decode one frame of pixel data, whatever its transfer syntax."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from pydicom import uid

from ctiqa.images.jpeg import strip_jpeg
from ctiqa.images.rle import unpack_runs

__all__ = ["FrameLayout", "decode_frame", "is_decodable"]

StoredImage: TypeAlias = npt.NDArray[Any]
Buffer: TypeAlias = bytes | bytearray


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """How one frame of stored values is laid out (DICOM PS3.3, C.7.6.3).

    Args:
        transfer_syntax: its UID.
        rows: height of the frame.
        columns: width of the frame.
        bits_allocated: 8, 16 or 32.
        bits_stored: bits that carry the value.
        high_bit: the highest of them; the others may hold anything.
        signed: whether the value is a two's complement.
    """

    transfer_syntax: str
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def frame_bytes(self) -> int:
        """Length of one uncompressed frame."""
        return self.rows * self.columns * self.bits_allocated // 8

    @property
    def is_encapsulated(self) -> bool:
        """Whether frames are compressed, each in fragments of its own."""
        return self.transfer_syntax not in _NATIVE

    @property
    def is_lossy(self) -> bool:
        """Whether compression has changed the values; JPEG 2000 of either kind may not have."""
        return self.transfer_syntax in _LOSSY

    def dtype(self, bits: int) -> np.dtype[Any]:
        """Return the type of a stored value of so many bits in the byte order of the file."""
        order = ">" if self.transfer_syntax == uid.ExplicitVRBigEndian else "<"
        return np.dtype(f"{order}{'i' if self.signed else 'u'}{bits // 8}")


_NATIVE: Final = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    }
)

_LOSSY: Final = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless})


def is_decodable(transfer_syntax: str) -> bool:
    """Return whether pixel data of this transfer syntax can be read."""
    return transfer_syntax in _NATIVE or transfer_syntax in _CODECS


def decode_frame(frame: bytes, layout: FrameLayout) -> StoredImage:
    """Return the stored values of a frame, (rows, columns) int or uint.

    The codecs hold the interpreter's lock while they work, so threads need no other.

    Args:
        frame: the bytes of one frame, fragments joined.
        layout: how they are laid out.

    Raises:
        ValueError: if the frame is damaged or does not have this layout.
    """
    if layout.is_encapsulated:
        decoded = _CODECS[layout.transfer_syntax](frame, layout)
        # A codec that stores 12 bits or more returns two bytes a value, else one.
        bits = 8 * len(decoded) // (layout.rows * layout.columns)
        high_bit = min(layout.bits_stored, bits) - 1
        bits_stored = high_bit + 1
    else:
        decoded, bits = frame, layout.bits_allocated
        bits_stored, high_bit = layout.bits_stored, layout.high_bit
    pixels = layout.rows * layout.columns
    if bits not in (8, 16, 32) or len(decoded) < pixels * bits // 8:
        raise ValueError(
            f"its pixel data decode to {len(decoded)} bytes, too few for"
            f" {layout.rows} x {layout.columns} pixels"
        )
    stored = np.frombuffer(decoded, layout.dtype(bits), count=pixels)
    stored = stored.reshape(layout.rows, layout.columns)
    if bits_stored < bits:
        # Bits above the high bit may hold overlays or rubbish; the sign sits in the high bit.
        stored = np.left_shift(stored.astype(stored.dtype.newbyteorder("=")), bits - 1 - high_bit)
        stored >>= bits - bits_stored
    return stored


def _jpeg_ls(frame: bytes, layout: FrameLayout) -> Buffer:
    # Frame header (ISO 14495-1, C.2.2): marker, length, precision, rows, columns, components. The
    # codec would allocate whatever a damaged one says.
    start = frame.find(b"\xff\xf7") + 5
    _check_shape(layout, *struct.unpack(">HHB", frame[start : start + 5]))
    return _codec("jpeg_ls").decode_pixel_data(frame)[0]  # type: ignore[no-any-return]


def _jpeg_2000(frame: bytes, layout: FrameLayout) -> Buffer:
    openjpeg = _codec("openjpeg.utils")
    info = openjpeg.get_parameters(frame)
    _check_shape(layout, info["rows"], info["columns"], info["samples_per_pixel"])
    return openjpeg.decode_pixel_data(frame, version=2)  # type: ignore[no-any-return]


def _jpeg(frame: bytes, layout: FrameLayout) -> Buffer:
    """Decode JPEG of 8 and 12 bits and lossless JPEG, which GDCM does under a BSD licence."""
    jpeg = strip_jpeg(frame)
    _check_shape(layout, jpeg.rows, jpeg.columns, 1)
    gdcm = _codec("gdcm")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(jpeg.stream)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.columns, layout.rows, 1))
    image.SetDataElement(element)
    monochrome = gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(monochrome))
    syntax = gdcm.TransferSyntax.GetTSType(layout.transfer_syntax)
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    bits, precision = 8 if jpeg.precision <= 8 else 16, jpeg.precision
    image.SetPixelFormat(gdcm.PixelFormat(1, bits, precision, precision - 1, 0))
    decoded = image.GetBuffer()
    if decoded is None:
        raise ValueError("its compressed image cannot be decoded")
    # GDCM's wrapper hands raw bytes over as a str.
    return decoded.encode("utf-8", "surrogateescape")  # type: ignore[no-any-return]


def _run_lengths(frame: bytes, layout: FrameLayout) -> Buffer:
    pixels = layout.rows * layout.columns
    return unpack_runs(frame, pixels=pixels, bytes_per_pixel=layout.bits_allocated // 8)


def _check_shape(layout: FrameLayout, rows: int, columns: int, samples: int) -> None:
    if (rows, columns, samples) != (layout.rows, layout.columns, 1):
        raise ValueError(
            f"its header says {layout.rows} x {layout.columns} pixels,"
            f" its compressed image {rows} x {columns} of {samples} values"
        )


@cache
def _codec(name: str) -> Any:
    """Import a codec when the first frame needs it, to keep start-up short."""
    return import_module(name)


_CODECS: Final[dict[str, Callable[[bytes, FrameLayout], Buffer]]] = {
    uid.RLELossless: _run_lengths,
    uid.JPEGBaseline8Bit: _jpeg,
    uid.JPEGExtended12Bit: _jpeg,
    uid.JPEGLossless: _jpeg,
    uid.JPEGLosslessSV1: _jpeg,
    uid.JPEGLSLossless: _jpeg_ls,
    uid.JPEGLSNearLossless: _jpeg_ls,
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.JPEG2000: _jpeg_2000,
    uid.HTJ2KLossless: _jpeg_2000,
    uid.HTJ2KLosslessRPCL: _jpeg_2000,
    uid.HTJ2K: _jpeg_2000,
}
