"""Decode run lengths as DICOM packs them."""

import struct

__all__ = ["unpack_runs"]

_HEADER_BYTES = 64


def unpack_runs(frame: bytes, *, pixels: int, bytes_per_pixel: int) -> bytes:
    r"""Return the little endian values of a frame of run lengths (DICOM PS3.5, annex G).

    >>> header = struct.pack("<16I", 1, 64, *[0] * 14)
    >>> unpack_runs(header + bytes([254, 7, 1, 8, 9]), pixels=5, bytes_per_pixel=1)
    b'\x07\x07\x07\x08\t'

    Args:
        frame: header and segments, the most significant byte of all pixels first.
        pixels: how many there are.
        bytes_per_pixel: 1, 2 or 4.

    Raises:
        ValueError: if the frame is damaged.
    """
    if len(frame) < _HEADER_BYTES:
        raise ValueError("the run lengths are cut off")
    segments, *offsets = struct.unpack("<16I", frame[:_HEADER_BYTES])
    if segments != bytes_per_pixel:
        raise ValueError(f"{segments} segments of run lengths where {bytes_per_pixel} belong")
    bounds = [*offsets[:segments], len(frame)]
    values = bytearray(pixels * bytes_per_pixel)
    for index in range(segments):
        segment = _unpack_segment(frame[bounds[index] : bounds[index + 1]], pixels)
        values[bytes_per_pixel - 1 - index :: bytes_per_pixel] = segment
    return bytes(values)


def _unpack_segment(packed: bytes, length: int) -> bytes:
    unpacked = bytearray()
    position = 0
    while position + 1 < len(packed) and len(unpacked) < length:
        control = packed[position]
        if control < 128:
            unpacked += packed[position + 1 : position + 2 + control]
            position += control + 2
        elif control > 128:
            unpacked += packed[position + 1 : position + 2] * (257 - control)
            position += 2
        else:
            position += 1
    if len(unpacked) < length:
        raise ValueError("the run lengths are cut off")
    return bytes(unpacked[:length])
