"""Read from a header who, how and where a slice is."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.images.ct_slice import Acquisition, Identity
from ctiqa.images.header import Fields
from ctiqa.images.patient import Patient, folded
from ctiqa.images.refusal import RefusedError

__all__ = [
    "SAME_SIDE",
    "Geometry",
    "Vector",
    "acquisition_of",
    "geometry_of",
    "identity_of",
    "patient_key",
]

# Two sides of a pixel are equal when they differ by less than rounding in the header does.
SAME_SIDE: Final = 1e-3

Vector: TypeAlias = tuple[float, float, float]

# The best one first; the two in the middle stand in enhanced images.
_DATES: Final = (
    "AcquisitionDate",
    "FrameAcquisitionDateTime",
    "AcquisitionDateTime",
    "SeriesDate",
)

_PHANTOM_MM: Final = {"113690": 160.0, "113691": 320.0}

_NAMES: Final = ("PatientName", "OtherPatientNames", "ReferringPhysicianName")
_NUMBERS: Final = (
    "PatientID",
    "OtherPatientIDs",
    "PatientBirthDate",
    "AccessionNumber",
    "InstitutionName",
)


class Geometry(NamedTuple):
    """Where a slice lies, in the patient's coordinates (left, posterior, head) in mm."""

    pixel_mm: float
    normal: Vector | None
    along_row: Vector | None
    position_mm: Vector | None
    z_mm: float | None
    notes: tuple[str, ...]


def patient_key(patient_id: str) -> str:
    """Return a pseudonym: the first twelve hex digits of the SHA-256 of an identifier.

    For corpora, which hold the images themselves. It has no key, so that whoever can try every
    identifier undoes it: results carry :meth:`Patient.hashed` or nothing.

    >>> patient_key("LIDC-IDRI-0001")
    '3bb5d67ab461'
    """
    return hashlib.sha256(patient_id.encode()).hexdigest()[:12]


def identity_of(fields: Fields, path: str) -> Identity:
    """Return which image a header names; without a patient the study stands for one."""
    study = fields.text("StudyInstanceUID")
    patient = fields.text("PatientID") or study
    return Identity(
        path=path,
        study_instance_uid=study,
        series_instance_uid=fields.text("SeriesInstanceUID"),
        sop_instance_uid=fields.text("SOPInstanceUID"),
        instance_number=fields.integer("InstanceNumber"),
        patient_key=patient_key(patient) if patient else "",
        patient=_patient(fields),
    )


def acquisition_of(fields: Fields) -> Acquisition:
    """Return how a slice was made, as far as its header says; a plain or an enhanced one."""
    tube_current_ma = fields.number("XRayTubeCurrent") or fields.number("XRayTubeCurrentInmA")
    return Acquisition(
        kvp=fields.number("KVP") or None,
        tube_current_ma=tube_current_ma or None,
        ctdivol_mgy=fields.number("CTDIvol") or None,
        kernel=fields.text("ConvolutionKernel"),
        slice_thickness_mm=fields.number("SliceThickness") or None,
        manufacturer=fields.text("Manufacturer"),
        scanner=fields.text("ManufacturerModelName"),
        body_part=fields.text("BodyPartExamined"),
        ctdi_phantom_mm=_ctdi_phantom_mm(fields),
        acquired=_acquired(fields),
    )


def geometry_of(fields: Fields) -> Geometry:
    """Return where a slice lies.

    Raises:
        RefusedError: if its pixels have no size or are not square.
    """
    notes = []
    spacing = fields.numbers("PixelSpacing")
    if len(spacing) != 2 or min(spacing) <= 0:
        diameter, rows = fields.number("ReconstructionDiameter"), fields.number("Rows")
        if not diameter or not rows:
            raise RefusedError("its header lacks PixelSpacing, without which noise has no scale")
        spacing = (diameter / rows, diameter / rows)
        notes.append("pixel size taken from the reconstruction diameter")
    if abs(spacing[0] - spacing[1]) > SAME_SIDE * spacing[0]:
        raise RefusedError(
            f"its pixels are not square ({spacing[0]:g} x {spacing[1]:g} mm);"
            " reconstruct it with square pixels, since interpolation would change its noise"
        )
    orientation = fields.numbers("ImageOrientationPatient")
    normal = _normal(orientation)
    along_row = None if normal is None else _unit(orientation[:3])
    corner = fields.numbers("ImagePositionPatient")
    position = (corner[0], corner[1], corner[2]) if len(corner) == 3 else None
    if position is not None:
        z_mm: float | None = float(np.dot(position, normal or (0.0, 0.0, 1.0)))
    else:
        z_mm = fields.number("SliceLocation")
    if normal is None:
        notes.append("taken as axial, since the header names no orientation")
    return Geometry(float(spacing[0]), normal, along_row, position, z_mm, tuple(notes))


def _patient(fields: Fields) -> Patient:
    """Return whose image a header says it is."""
    words = frozenset((*_names(fields), *_numbers(fields)))
    return _one_patient(fields.text("PatientID"), fields.text("IssuerOfPatientID"), words)


# The thousands of slices of one study share one object.
_one_patient = lru_cache(maxsize=256)(Patient)


def _names(fields: Fields) -> Iterator[str]:
    for keyword in _NAMES:
        parts = re.split(r"[\^=\s,/]+", fields.text(keyword))
        yield from (word for word in map(folded, parts) if len(word) > 1)


def _numbers(fields: Fields) -> Iterator[str]:
    """Yield what singles a person out; shorter numbers do not, and every folder has a file 12."""
    others = (Fields((item,)) for item in fields.items("OtherPatientIDsSequence"))
    texts = [text for keyword in _NUMBERS for text in fields.texts(keyword)]
    texts += [other.text("PatientID") for other in others]
    yield from (word for word in map(folded, texts) if len(word) > 3)


def _ctdi_phantom_mm(fields: Fields) -> float | None:
    """Return the diameter of the dosimetry phantom (DICOM PS3.16, CID 4052), None where unnamed."""
    items = fields.items("CTDIPhantomTypeCodeSequence")
    return _PHANTOM_MM.get(Fields(items[:1]).text("CodeValue")) if items else None


def _acquired(fields: Fields) -> str:
    """Return the day of the acquisition, else of the series, as ISO 8601; "" where unknown.

    Written YYYYMMDD, by old files with dots (DICOM PS3.5, table 6.2-1, DA); a time may follow (DT).
    """
    for keyword in _DATES:
        digits = fields.text(keyword).replace(".", "")[:8]
        # A day that is no day, such as 20250231, is as good as none.
        with suppress(ValueError):
            if digits.isdecimal():
                return date.fromisoformat(digits).isoformat()
    return ""


def _normal(orientation: tuple[float, ...]) -> Vector | None:
    if len(orientation) != 6:
        return None
    normal = np.cross(orientation[:3], orientation[3:])
    if abs(float(np.linalg.norm(normal)) - 1) > 0.01:
        return None
    return _unit(normal)


def _unit(vector: Sequence[float] | npt.NDArray[np.float64]) -> Vector:
    x, y, z = (np.asarray(vector) / np.linalg.norm(vector)).tolist()
    return x, y, z
