"""Check a JPEG frame and strip it to what a decoder needs: some damage would end the process."""

import re
import struct
from dataclasses import dataclass
from typing import Final

__all__ = ["JpegFrame", "strip_jpeg"]

# Markers (ISO 10918-1, table B.1).
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_SEQUENTIAL: Final = (0xC0, 0xC1)
_LOSSLESS: Final = 0xC3
# 16 is beyond the standard; GDCM writes it for 12 bits stored in 16, and reads it.
_DCT_BITS: Final = (8, 12, 16)
_TABLES: Final = (0xC4, 0xDB, 0xDD)
_COMMENTS: Final = (*range(0xE0, 0xF0), 0xFE)

_AFTER_THE_SCAN: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """A sound JPEG of one component and one scan.

    Args:
        stream: header, tables, scan and end, without comments or application data.
        rows: its height.
        columns: its width.
        precision: bits of a value, 2 to 16.
    """

    stream: bytes
    rows: int
    columns: int
    precision: int


def strip_jpeg(frame: bytes) -> JpegFrame:
    """Return a JPEG reduced to its frame header, its tables and its scan.

    GDCM throws where nothing can catch it when a header is merely odd, so nothing odd may reach it:
    neither bytes between segments nor another frame, scan or colour.

    Args:
        frame: a JPEG interchange stream, sequential or up to 16 bits lossless.

    Raises:
        ValueError: if it is damaged or of another kind.
    """
    kept = [frame[:2]]
    if frame[:2] != b"\xff\xd8":
        raise ValueError("no JPEG begins where one should")
    position = 2
    kind, shape = 0, (0, 0, 0)
    while True:
        marker, body = _segment(frame, position)
        position += 4 + len(body)
        if marker in (*_SEQUENTIAL, _LOSSLESS) and not kind:
            kind, shape = marker, _frame_header(body, marker)
        elif marker == _SCAN and kind:
            kept.append(_scan_header(body, kind, shape[2]))
            break
        elif marker not in (*_TABLES, *_COMMENTS):
            raise ValueError(f"JPEG marker {marker:02X} is out of place")
        if marker not in _COMMENTS:
            kept.append(frame[position - len(body) - 4 : position])
    end = _AFTER_THE_SCAN.search(frame, position)
    kept += [frame[position : end.start() if end else None], b"\xff\xd9"]
    return JpegFrame(b"".join(kept), *shape)


def _segment(frame: bytes, position: int) -> tuple[int, bytes]:
    head = frame[position : position + 4]
    if len(head) < 4 or head[0] != 0xFF:
        raise ValueError("the JPEG is cut off or has lost its place")
    length = int.from_bytes(head[2:], "big")
    body = frame[position + 4 : position + 2 + length]
    if length < 2 or len(body) != length - 2:
        raise ValueError("a segment of the JPEG is cut off")
    return head[1], body


def _frame_header(body: bytes, marker: int) -> tuple[int, int, int]:
    """Return rows, columns and precision (ISO 10918-1, B.2.2)."""
    if len(body) != 9:
        raise ValueError("the JPEG has another number of components than one")
    precision, rows, columns, components = struct.unpack(">BHHB", body[:6])
    lossless = marker == _LOSSLESS
    if components != 1 or not (2 <= precision <= 16 if lossless else precision in _DCT_BITS):
        raise ValueError(f"the JPEG has {components} components of {precision} bits")
    return rows, columns, precision


def _scan_header(body: bytes, kind: int, precision: int) -> bytes:
    """Return the scan header as it must be (ISO 10918-1, B.2.3)."""
    if len(body) != 6 or body[0] != 1:
        raise ValueError("the scan of the JPEG is damaged")
    predictor, _, shift = body[3:]
    if kind != _LOSSLESS:
        # Some scanners wrote other limits here, which decoders warn of and do not use.
        return b"\xff\xda\x00\x08" + body[:3] + b"\x00\x3f\x00"
    if not 1 <= predictor <= 7 or shift >= precision:
        raise ValueError("the scan of the JPEG is damaged")
    return b"\xff\xda\x00\x08" + body[:3] + bytes((predictor, 0, shift))
