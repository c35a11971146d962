"""Read DICOM files, folders and zips as ordered series; every refusal has a reason."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctiqa.images.ct_slice import CTSlice
from ctiqa.images.dicom import describe_dicom
from ctiqa.images.facts import patient_key
from ctiqa.images.find import Found, find_files, is_nifti, unreadable
from ctiqa.images.nifti import describe_nifti
from ctiqa.images.order import in_order
from ctiqa.images.refusal import Refusal, RefusedError
from ctiqa.images.slice_header import SliceHeader

__all__ = ["Reading", "Refusal", "Series", "SliceHeader", "patient_key", "read"]


@dataclass(frozen=True, slots=True)
class Series:
    """The slices of one series in order along the slice normal, not yet decoded.

    Iterating decodes one slice after another and holds none.

    Args:
        study_instance_uid: UID of the study, "" where the files name none.
        series_instance_uid: UID of the series, "" where the files name none.
        headers: the slices in order.
        notes: what is odd about the series, in words.
    """

    study_instance_uid: str
    series_instance_uid: str
    headers: tuple[SliceHeader, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.headers)

    def __iter__(self) -> Iterator[CTSlice]:
        return (header.load() for header in self.headers)

    def __getitem__(self, index: int) -> CTSlice:
        return self.headers[index].load()


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found: every series, and everything that was refused, with the reason."""

    series: tuple[Series, ...]
    refusals: tuple[Refusal, ...]


def read(inputs: Path | str | Sequence[Path | str], *, size: int | None = 512) -> Reading:
    """Return the series in files, folders and zips; only headers are read.

    Args:
        inputs: a DICOM or NIfTI file, a folder (searched to the bottom), a zip, or several of them.
        size: side of the square matrix that loading pads with air or crops to, about the centre and
            saying so in the notes; None keeps the matrix. Nothing is ever interpolated.

    Returns:
        Series in the order in which they were found, each in order along its slice normal. What
        cannot be scored is among the refusals: nothing is silently missing.
    """
    headers: list[SliceHeader] = []
    refusals: list[Refusal] = []
    for found in find_files([inputs] if isinstance(inputs, (str, Path)) else inputs):
        for item in _describe(found):
            if isinstance(item, Refusal):
                refusals.append(item)
            else:
                headers.append(item.fitted(size))
    return Reading(tuple(_series(headers)), tuple(refusals))


def _describe(found: Found | Refusal) -> list[SliceHeader | Refusal]:
    if isinstance(found, Refusal):
        return [found]
    try:
        if is_nifti(found.path):
            return [*describe_nifti(found.place, found.path)]
        return describe_dicom(found.place, found.path)
    except RefusedError as refused:
        return [Refusal(found.path, str(refused))]
    except OSError as error:
        return [Refusal(found.path, unreadable(error))]


def _series(headers: Sequence[SliceHeader]) -> Iterator[Series]:
    groups: dict[tuple[object, ...], list[SliceHeader]] = defaultdict(list)
    for header in headers:
        groups[_group(header)].append(header)
    parts: dict[object, int] = defaultdict(int)
    for key in groups:
        parts[key[0]] += 1
    for key, members in groups.items():
        ordered, notes = in_order(members)
        if parts[key[0]] > 1:
            notes.append("the series mixes orientations or matrices and is split by them")
        identity = ordered[0].identity
        yield Series(
            study_instance_uid=identity.study_instance_uid,
            series_instance_uid=identity.series_instance_uid,
            headers=tuple(ordered),
            notes=tuple(notes),
        )


def _group(header: SliceHeader) -> tuple[object, ...]:
    identity = header.identity
    file = Path(identity.path)
    # Without a UID a volume is a series of its own, and so are the slices of one folder.
    nameless = file if identity.frame is not None else file.parent
    series = identity.series_instance_uid or str(nameless)
    normal = header.normal and tuple(round(part, 2) for part in header.normal)
    return (identity.study_instance_uid, series), header.rows, header.columns, normal
