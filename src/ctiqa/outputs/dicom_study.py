"""Patient and study that a result in DICOM must name, as the images name them."""

from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)
from pydicom.valuerep import DA, TM

from ctiqa.images.dicom_file import quiet
from ctiqa.images.inherit import inherited
from ctiqa.images.pixels import DicomPixels
from ctiqa.images.slice_header import SliceHeader, read_errors

__all__ = ["IMAGE_CLASSES", "study_of"]

IMAGE_CLASSES: Final = (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

# Type 2 elements of the Patient and General Study modules (DICOM PS3.3, C.7.1.1 and C.7.2.1).
_MAY_BE_EMPTY: Final = (
    "AccessionNumber",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyID",
    "StudyTime",
)
_SEXES: Final = ("M", "F", "O")
_NOT_STATED: Final = "not stated by the images"


def study_of(header: SliceHeader) -> Dataset:
    """Return the fields of an image, in UTF-8, with patient and study as the standard wants them.

    What is malformed there is emptied, and what is incomplete left out: a report that no archive
    takes helps nobody.

    Raises:
        ReadError: if the file is no longer there.
    """
    pixels = header.pixels
    if not isinstance(pixels, DicomPixels):
        raise TypeError(f"{header.identity.path} is no DICOM")
    with read_errors(header.identity.path), quiet():
        study = inherited(header, pixels)
        for keyword in _MAY_BE_EMPTY:
            if keyword not in study:
                setattr(study, keyword, None)
        for element in study:
            if element.VR == "PN":
                # A person's name keeps the bytes of the old character set; its words do not.
                element.value = str(element.value)
        for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
            if not _is_moment(kind, str(study[keyword].value or "")):
                setattr(study, keyword, None)
        _complete(study)
    if study.PatientSex not in _SEXES:
        study.PatientSex = None
    if study.get("SOPClassUID") not in IMAGE_CLASSES:
        study.SOPClassUID = CTImageStorage
    identity = header.identity
    study.StudyInstanceUID = identity.study_instance_uid
    study.SeriesInstanceUID = identity.series_instance_uid
    study.SOPInstanceUID = identity.sop_instance_uid
    study.SpecificCharacterSet = "ISO_IR 192"
    return study


def _is_moment(kind: type[DA | TM], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _complete(study: Dataset) -> None:
    """Leave out codes and references that say too little, and say what must not be left open."""
    for element in [*study]:
        if element.VR != "SQ":
            continue
        if element.keyword.endswith("CodeSequence"):
            whole = [item for item in element.value if _is_code(item)]
        elif element.keyword.startswith("Referenced"):
            whole = [item for item in element.value if _is_reference(item)]
        else:
            continue
        if whole:
            element.value = whole
        else:
            del study[element.tag]
    if study.get("PatientIdentityRemoved") == "YES" and not (
        study.get("DeidentificationMethod") or study.get("DeidentificationMethodCodeSequence")
    ):
        study.DeidentificationMethod = _NOT_STATED


def _is_code(item: Dataset) -> bool:
    """Say whether a code is whole (DICOM PS3.3, 8.8)."""
    named = item.get("CodingSchemeDesignator") and (
        item.get("CodeValue") or item.get("LongCodeValue")
    )
    return bool((named or item.get("URNCodeValue")) and item.get("CodeMeaning"))


def _is_reference(item: Dataset) -> bool:
    return bool(item.get("ReferencedSOPClassUID") and item.get("ReferencedSOPInstanceUID"))
