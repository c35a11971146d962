"""Open a DICOM file as far as its pixel data, whatever its encoding."""

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from pydicom import uid
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import dcmread, read_dataset
from pydicom.tag import BaseTag

from ctiqa.images.header import Fields
from ctiqa.images.pixels import inflated
from ctiqa.images.refusal import RefusedError

__all__ = ["DAMAGE", "DicomFile", "looks_like_dicom", "open_dicom", "quiet"]

# What pydicom and the standard library raise on damaged bytes; a test throws thousands at them.
DAMAGE: Final = (
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

_PREAMBLE_BYTES: Final = 132
_PIXEL_TAGS: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)

_quiet = threading.RLock()


@dataclass(frozen=True, slots=True)
class DicomFile:
    """The header of a DICOM file and where its pixel data begin.

    Args:
        source: the data set, open for reading; inflated if deflated.
        end: its length.
        dataset: every element before the pixel data.
        transfer_syntax: its UID, guessed where the file names none.
        pixels_at: offset of the value of the pixel data, None where there are none.
        deflated_from: where the deflated data set begins, None where nothing is deflated.
    """

    source: BinaryIO
    end: int
    dataset: Dataset
    transfer_syntax: str
    pixels_at: int | None
    deflated_from: int | None = None

    @property
    def fields(self) -> Fields:
        """The elements of the data set."""
        return Fields((self.dataset,))


def looks_like_dicom(head: bytes) -> bool:
    """Return whether a file that begins so is DICOM; its first 132 bytes are enough.

    Old files have no preamble and begin with group 8 at once.
    """
    if head[128:_PREAMBLE_BYTES] == b"DICM":
        return True
    for order in "<>":
        if len(head) >= 12:
            group, element = struct.unpack(order + "HH", head[:4])
            if group in (2, 8) and element <= 0x0018:
                return True
    return False


@contextmanager
def open_dicom(file: BinaryIO) -> Iterator[DicomFile]:
    """Read the header of an open file and turn every way of being damaged into a refusal.

    Damage that shows only when an element is used counts too, so the caller's block is guarded.

    Raises:
        RefusedError: if the file is not DICOM or is damaged.
    """
    with quiet():
        try:
            yield _read_header(file)
        except DAMAGE as error:
            raise RefusedError(
                f"its header is damaged ({type(error).__name__}); send it again from its source"
            ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Let pydicom neither warn of values nor refuse them; one thread at a time."""
    with _quiet, warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _read_header(file: BinaryIO) -> DicomFile:
    head = file.read(1024)
    end = file.seek(0, 2)
    file.seek(0)
    if not looks_like_dicom(head):
        raise RefusedError("not a DICOM file; remove it or give the images alone")
    if uid.DeflatedExplicitVRLittleEndian.encode() in head:
        return _read_deflated(file, head)
    dataset = dcmread(file, stop_before_pixels=True, force=True)
    implicit, little = dataset.original_encoding
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if not syntax:
        syntax = uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian
        syntax = syntax if little else uid.ExplicitVRBigEndian
    pixels_at = _pixel_value(file, implicit=bool(implicit), little=bool(little))
    return DicomFile(file, end, dataset, syntax, pixels_at)


def _read_deflated(file: BinaryIO, head: bytes) -> DicomFile:
    # The group length is the first element of the meta group and its value counts from byte 144.
    (meta_bytes,) = struct.unpack("<I", head[140:144])
    source = inflated(file, 144 + meta_bytes)
    end = source.seek(0, 2)
    source.seek(0)
    dataset = read_dataset(
        source, is_implicit_VR=False, is_little_endian=True, stop_when=_at_pixels
    )
    return DicomFile(
        source,
        end,
        dataset,
        uid.DeflatedExplicitVRLittleEndian,
        _pixel_value(source, implicit=False, little=True),
        deflated_from=144 + meta_bytes,
    )


def _at_pixels(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag in _PIXEL_TAGS


def _pixel_value(file: BinaryIO, *, implicit: bool, little: bool) -> int | None:
    """Return where the value of the pixel data begins, None where the file holds none."""
    header = file.read(8 if implicit else 12)
    if len(header) < 8:
        return None
    group, element = struct.unpack("<HH" if little else ">HH", header[:4])
    return file.tell() if (group, element) == (0x7FE0, 0x0010) else None
