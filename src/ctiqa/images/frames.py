"""Find the bytes of every frame in a DICOM file, and notice a file that was cut off."""

import struct
from itertools import pairwise
from typing import BinaryIO, Final, TypeAlias

from ctiqa.images.refusal import RefusedError

__all__ = ["CUT_OFF", "Span", "compressed_frames", "native_frames"]

Span: TypeAlias = tuple[int, int]
"""Offset and length of a run of bytes."""

CUT_OFF: Final = "the file was cut off before its end; copy or send it again"

_ITEM: Final = b"\xfe\xff\x00\xe0"
_ITEM_HEADER_BYTES: Final = 8


def native_frames(
    offset: int, *, frame_bytes: int, frames: int, end: int
) -> list[tuple[Span, ...]]:
    """Return where each uncompressed frame lies.

    Args:
        offset: where the pixel data begin.
        frame_bytes: length of a frame.
        frames: how many there are.
        end: length of the file.

    Raises:
        RefusedError: if the file ends before its last frame does.
    """
    if offset + frames * frame_bytes > end:
        raise RefusedError(CUT_OFF)
    return [((offset + frame * frame_bytes, frame_bytes),) for frame in range(frames)]


def compressed_frames(
    file: BinaryIO, offset: int, *, frames: int, end: int, starts: tuple[int, ...] = ()
) -> list[tuple[Span, ...]]:
    """Return where the fragments of each compressed frame lie (DICOM PS3.5, A.4).

    Args:
        file: open for reading.
        offset: where the value of the pixel data begins, at the basic offset table.
        frames: how many frames there are.
        end: length of the file.
        starts: the extended offset table, empty where the file has none.

    Raises:
        RefusedError: if the file ends inside a fragment or its frames cannot be told apart.
    """
    table, *fragments = _items(file, offset, end)
    if frames == 1:
        return [tuple(fragments)]
    if len(fragments) == frames:
        return [(fragment,) for fragment in fragments]
    if not starts:
        file.seek(table[0])
        starts = struct.unpack(f"<{table[1] // 4}I", file.read(table[1] // 4 * 4))
    if len(starts) != frames:
        raise RefusedError("its frames cannot be told apart; export it again, uncompressed")
    first = table[0] + table[1] + _ITEM_HEADER_BYTES
    bounds = [*(first + start for start in starts), end]
    return [
        tuple(span for span in fragments if low <= span[0] < high) for low, high in pairwise(bounds)
    ]


def _items(file: BinaryIO, offset: int, end: int) -> list[Span]:
    items = []
    position = offset
    while position + _ITEM_HEADER_BYTES <= end:
        file.seek(position)
        header = file.read(_ITEM_HEADER_BYTES)
        if header[:4] != _ITEM:
            break
        (length,) = struct.unpack("<I", header[4:])
        items.append((position + _ITEM_HEADER_BYTES, length))
        position += _ITEM_HEADER_BYTES + length
    if len(items) < 2 or position > end:
        raise RefusedError(CUT_OFF)
    return items
