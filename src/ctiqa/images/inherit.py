"""What a derived image takes over from its source, and what it says of itself."""

from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Final

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from ctiqa.images.dicom import fields_of_frame
from ctiqa.images.dicom_file import DAMAGE, open_dicom
from ctiqa.images.header import Fields
from ctiqa.images.pixels import DicomPixels
from ctiqa.images.slice_header import SliceHeader
from ctiqa.images.uids import derived_uid

__all__ = ["DerivedSeries", "describe_derived", "inherited"]

# What described the pixels, the moment or the frames of the source and is not true of the copy.
_NOT_COPIED: Final = frozenset(
    [
        "ContentDate",
        "ContentTime",
        "DigitalSignaturesSequence",
        "DimensionIndexSequence",
        "DimensionOrganizationSequence",
        "EncryptedAttributesSequence",
        "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths",
        "HighBit",
        "IconImageSequence",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "InstanceCreatorUID",
        "LargestImagePixelValue",
        "LargestPixelValueInSeries",
        "MACParametersSequence",
        "NumberOfFrames",
        "PerFrameFunctionalGroupsSequence",
        "PixelPaddingRangeLimit",
        "PixelPaddingValue",
        "PresentationLUTShape",
        "ReferencedImageSequence",
        "RescaleType",
        "SeriesDate",
        "SeriesTime",
        "SharedFunctionalGroupsSequence",
        "SmallestImagePixelValue",
        "SmallestPixelValueInSeries",
    ]
)
# Before: the file and its transport. From the second on: curves, overlays, pixels, signatures.
_FIRST: Final = 0x0008
_CURVES: Final = 0x5000

# Type 2 elements of the CT Image IOD (DICOM PS3.3, A.3): must be there, may be empty.
_MAY_BE_EMPTY: Final = (
    "AccessionNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "KVP",
    "Manufacturer",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "PositionReferenceIndicator",
    "ReferringPhysicianName",
    "SliceThickness",
    "StudyDate",
    "StudyID",
    "StudyTime",
)


@dataclass(frozen=True, slots=True)
class DerivedSeries:
    """What the slices of one derived series have in common.

    Args:
        series_instance_uid: new, one for all slices of the series; :meth:`of` makes it.
        description: few words after the source's own series description, such as "25 % dose".
        derivation: how the pixels were made, in a sentence or two (at most 1024 characters).
        number: added to the source's series number, so that viewers keep both apart.
    """

    series_instance_uid: str
    description: str
    derivation: str
    number: int = 9000

    @classmethod
    def of(
        cls, source: SliceHeader, *, description: str, derivation: str, number: int = 9000
    ) -> "DerivedSeries":
        """Return the series derived from that of ``source``; the same words give the same UID.

        The derivation must therefore name all that decides the pixels, a seed included.
        """
        identity = source.identity
        series = identity.series_instance_uid or str(PurePosixPath(identity.path).parent)
        uid = derived_uid(
            "derived",
            version("ctiqa"),
            identity.study_instance_uid,
            series,
            description,
            derivation,
        )
        return cls(uid, description, derivation, number)


def inherited(header: SliceHeader, pixels: DicomPixels) -> Dataset:
    """Return what the derived image inherits, in the layout of a single-frame CT image.

    Raises:
        OSError: if the source cannot be read.
        RefusedError: if it is damaged.
    """
    derived = Dataset()
    with pixels.place.open(keep=pixels.frames > 1) as file, open_dicom(file) as dicom:
        trial = DicomBytesIO()
        trial.is_little_endian, trial.is_implicit_VR = True, False
        for tag in dicom.dataset.keys():  # noqa: SIM118 (a data set iterates over its elements)
            if tag.is_private or not _FIRST <= tag.group < _CURVES:
                continue
            if keyword_for_tag(tag) in _NOT_COPIED:
                continue
            # An element that cannot be understood and written is not worth the slice.
            with suppress(*DAMAGE):
                element = dicom.dataset[tag]
                write_data_element(trial, element)
                if element.VR in dictionary_VR(tag):
                    derived[tag] = element
        derived.remove_private_tags()
        if pixels.frames > 1:
            frame = fields_of_frame(dicom.fields, (header.identity.frame or 1) - 1)
            _flatten(derived, header, frame)
    return derived


def _flatten(derived: Dataset, header: SliceHeader, frame: Fields) -> None:
    """Put what an enhanced image says of one frame where a single-frame image says it."""
    facts = header.acquisition
    derived.ImageOrientationPatient = list(frame.numbers("ImageOrientationPatient"))
    derived.ImagePositionPatient = list(header.position_mm or ())
    derived.ConvolutionKernel = list(frame.texts("ConvolutionKernel"))
    derived.SliceThickness = facts.slice_thickness_mm
    derived.KVP = facts.kvp
    if facts.tube_current_ma is not None:
        derived.XRayTubeCurrent = round(facts.tube_current_ma)
    derived.InstanceNumber = header.identity.frame


def describe_derived(dataset: Dataset, header: SliceHeader, series: DerivedSeries) -> None:
    """Give the derived image an identity of its own and say what it was made from, and how."""
    identity = header.identity
    source = Dataset()
    source.ReferencedSOPClassUID = dataset.get("SOPClassUID", CTImageStorage)
    source.ReferencedSOPInstanceUID = identity.sop_instance_uid
    if identity.frame is not None:
        source.ReferencedFrameNumber = identity.frame
    source.SpatialLocationsPreserved = "YES"
    source.PurposeOfReferenceCodeSequence = [
        _code("121322", "Source image for image processing operation")
    ]
    dataset.SourceImageSequence = [source]
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.DerivationDescription = series.derivation[:1024]
    dataset.DerivationCodeSequence = [_code("113042", "Pixel by pixel addition")]
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = derived_uid(
        series.series_instance_uid, identity.sop_instance_uid or identity.path, identity.frame
    )
    dataset.SeriesInstanceUID = series.series_instance_uid
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if not dataset.get(keyword):
            setattr(dataset, keyword, derived_uid(keyword, series.series_instance_uid))
    before = str(dataset.get("SeriesDescription", ""))[: max(62 - len(series.description), 0)]
    dataset.SeriesDescription = f"{before} {series.description}".strip()[:64]
    dataset.SeriesNumber = int(dataset.get("SeriesNumber") or 0) + series.number
    dataset.Modality = "CT"
    if isinstance(header.pixels, DicomPixels) and header.pixels.layout.is_lossy:
        dataset.LossyImageCompression = "01"
    for keyword in _MAY_BE_EMPTY:
        if keyword not in dataset:
            setattr(dataset, keyword, None)
    equipment = Dataset()
    equipment.PurposeOfReferenceCodeSequence = [_code("109102", "Processing Equipment")]
    equipment.Manufacturer = "ctiqa"
    equipment.SoftwareVersions = version("ctiqa")
    equipment.ContributionDescription = series.description
    before_it = list(dataset.get("ContributingEquipmentSequence") or [])
    dataset.ContributingEquipmentSequence = [*before_it, equipment]
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = UID(derived_uid("ctiqa"))
    dataset.file_meta.ImplementationVersionName = "CTIQA"


def _code(value: str, meaning: str) -> Dataset:
    """Return a code of DICOM PS3.16, annex D."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
