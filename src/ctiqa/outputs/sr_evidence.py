"""Find the images that a result in DICOM speaks of, and the patient and study that it must name."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pydicom.config import IGNORE
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
)

from ctiqa.errors import ReadError
from ctiqa.images.dicom_file import open_dicom
from ctiqa.images.header import Fields
from ctiqa.images.pixels import DicomPixels
from ctiqa.images.slice_header import SliceHeader, read_errors
from ctiqa.outputs.dicom_study import IMAGE_CLASSES, study_of
from ctiqa.scoring.result import SliceResult

__all__ = ["Evidence", "ScoredImage", "evidence_of"]


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """A result and the image, or the frame of one, that it belongs to.

    Args:
        header: of the slice.
        row: its result.
        image: the four UIDs that a reference needs.
    """

    header: SliceHeader
    row: SliceResult
    image: Dataset

    @property
    def score(self) -> float:
        """The score; nothing is here without one."""
        return 0.0 if self.row.score is None else self.row.score

    @property
    def frame(self) -> int | None:
        """Which frame of a multi-frame image it is, from 1."""
        return self.header.identity.frame

    def reference(self) -> Dataset:
        """Return a reference to the image (DICOM PS3.3, 10.3), and to its frame if it has more."""
        reference = Dataset()
        reference.ReferencedSOPClassUID = self.image.SOPClassUID
        reference.ReferencedSOPInstanceUID = self.image.SOPInstanceUID
        if self.frame is not None:
            reference.ReferencedFrameNumber = self.frame
        return reference


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a result of one series in DICOM rests on.

    Args:
        study: patient and study as the first image names them, and its other fields; UTF-8.
        scored: the slices with a score that a reference can name, in order.
        notes: why others with a score are not among them, in words.
    """

    study: Dataset
    scored: tuple[ScoredImage, ...]
    notes: tuple[str, ...]

    @property
    def series_number(self) -> int:
        """The number of the series, from 0; derived series count on from there."""
        # Foreign numbers may be negative, or so large that nothing can be added.
        return (Fields((self.study,)).integer("SeriesNumber") or 0) % 100_000


def evidence_of(headers: Sequence[SliceHeader], rows: Sequence[SliceResult]) -> Evidence:
    """Return what a result of one series may refer to; only headers are read again.

    A reference is a SOP Instance UID. Copies of one image count once. A slice that names no UID,
    or the UID of a different slice, cannot be referred to, and is left out with a note.

    Args:
        headers: the slices of the series, at least one.
        rows: their results, one each, in the same order.

    Raises:
        ReadError: if there is nothing to refer to: no DICOM, no score, no UIDs; or if a file is no
            longer there.
    """
    identity = headers[0].identity
    series = f"series {identity.series_instance_uid or identity.path}"
    pairs = [
        (header, row) for header, row in zip(headers, rows, strict=True) if row.score is not None
    ]
    if not pairs:
        raise ReadError(f"{series}: no slice was scored, so there is nothing to report")
    if not isinstance(headers[0].pixels, DicomPixels):
        raise ReadError(
            f"{series}: it is no DICOM, so a result in DICOM has no study to belong to; give the"
            " scan as DICOM"
        )
    if not (_is_uid(identity.study_instance_uid) and _is_uid(identity.series_instance_uid)):
        raise ReadError(
            f"{series}: it names no valid StudyInstanceUID and SeriesInstanceUID, so no archive"
            " could file a result of it; export it again from the archive"
        )
    named, notes = _named(pairs)
    if not named:
        raise ReadError(
            f"{series}: no scored slice has a valid SOPInstanceUID of its own, so a result could"
            " refer to none; export it again from the archive"
        )
    scored = tuple(_scored_images(named))
    return Evidence(study_of(named[0][0]), scored, notes)


def _is_uid(text: str) -> bool:
    return UID(text, validation_mode=IGNORE).is_valid


def _named(
    pairs: Iterable[tuple[SliceHeader, SliceResult]],
) -> tuple[list[tuple[SliceHeader, SliceResult]], tuple[str, ...]]:
    """Return the pairs that a UID names without doubt, and why others are missing."""
    by_name: dict[tuple[str, int | None], list[tuple[SliceHeader, SliceResult]]] = defaultdict(list)
    nameless = doubtful = 0
    for header, row in pairs:
        identity = header.identity
        if _is_uid(identity.sop_instance_uid):
            by_name[identity.sop_instance_uid, identity.frame].append((header, row))
        else:
            nameless += 1
    named = []
    for group in by_name.values():
        if len({replace(row, path="") for _, row in group}) == 1:
            named.append(group[0])
        else:
            doubtful += len(group)
    notes = []
    if nameless:
        notes.append(
            f"{nameless} scored slices have no valid SOPInstanceUID and no group of their own"
        )
    if doubtful:
        notes.append(
            f"{doubtful} scored slices share a SOPInstanceUID with a different slice and have no"
            " group of their own"
        )
    return named, tuple(notes)


def _scored_images(
    named: Iterable[tuple[SliceHeader, SliceResult]],
) -> Iterator[ScoredImage]:
    images: dict[str, Dataset] = {}
    for header, row in named:
        identity = header.identity
        image = images.get(identity.sop_instance_uid)
        if image is None:
            image = images[identity.sop_instance_uid] = Dataset()
            image.SOPClassUID = _sop_class(header)
            image.StudyInstanceUID = identity.study_instance_uid
            image.SeriesInstanceUID = identity.series_instance_uid
            image.SOPInstanceUID = identity.sop_instance_uid
        yield ScoredImage(header, row, image)


def _sop_class(header: SliceHeader) -> str:
    pixels = header.pixels
    if not isinstance(pixels, DicomPixels):
        raise TypeError(f"{header.identity.path} is no DICOM")
    with read_errors(header.identity.path), pixels.place.open() as file, open_dicom(file) as dicom:
        named = dicom.fields.text("SOPClassUID")
    return named if named in IMAGE_CLASSES else CTImageStorage
