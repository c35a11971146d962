"""Say where the bytes of a file lie, on disk or in a zip, and open them."""

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

from ctiqa.images.refusal import RefusedError

__all__ = ["Member", "Place"]

_LOCAL_HEADER_BYTES = 30


@dataclass(frozen=True, slots=True)
class Member:
    """Where a file lies in a zip, so that one file is fetched without reading the directory."""

    name: str
    offset: int
    packed_bytes: int
    bytes: int
    crc: int
    deflated: bool

    @classmethod
    def of(cls, info: ZipInfo) -> "Member":
        """Return where the file lies that the directory of a zip describes.

        Raises:
            RefusedError: if it is packed in a way this package does not unpack.
        """
        if info.flag_bits & 0x1:
            raise RefusedError(
                "it is encrypted; unpack the zip with its password and give the folder"
            )
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise RefusedError("the zip packs it in a rare way; unpack the zip and give the folder")
        return cls(
            name=info.filename,
            offset=info.header_offset,
            packed_bytes=info.compress_size,
            bytes=info.file_size,
            crc=info.CRC,
            deflated=info.compress_type == ZIP_DEFLATED,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A file on disk, or a member of a zip on disk."""

    file: Path
    member: Member | None = None

    def size(self) -> int:
        """Return the length of the file in bytes."""
        return self.file.stat().st_size if self.member is None else self.member.bytes

    def open(self, *, keep: bool = False) -> BinaryIO:
        """Return the file open for reading.

        Args:
            keep: hold the last unpacked member of a zip, for a file of which many frames are read.

        Raises:
            OSError: if the file cannot be read.
            RefusedError: if a zip's member is damaged.
        """
        if self.member is None:
            return self.file.open("rb")
        return BytesIO(_unpack_and_keep(self) if keep else _unpack(self))


def _unpack(place: Place) -> bytes:
    member = place.member
    with place.file.open("rb") as file:
        if member is None:
            return file.read()
        file.seek(member.offset)
        header = file.read(_LOCAL_HEADER_BYTES)
        if len(header) < _LOCAL_HEADER_BYTES or header[:4] != b"PK\3\4":
            raise RefusedError("the zip is damaged; make it anew")
        name_bytes, extra_bytes = struct.unpack("<HH", header[26:])
        file.seek(name_bytes + extra_bytes, 1)
        packed = file.read(member.packed_bytes)
    try:
        # The size that the directory promised bounds what a zip bomb can unfold to.
        inflate = zlib.decompressobj(-zlib.MAX_WBITS).decompress
        unpacked = inflate(packed, max(member.bytes, 1)) if member.deflated else packed
    except zlib.error as error:
        raise RefusedError("the zip is damaged; make it anew") from error
    if zlib.crc32(unpacked) != member.crc:
        raise RefusedError("the zip is damaged; make it anew")
    return unpacked


_unpack_and_keep = lru_cache(maxsize=1)(_unpack)
