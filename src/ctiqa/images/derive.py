"""Write changed slices back as a valid derived DICOM series."""

from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DS

from ctiqa.errors import ReadError
from ctiqa.files import write_whole
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.dicom import fields_of_frame
from ctiqa.images.dicom_file import DAMAGE, open_dicom, quiet
from ctiqa.images.header import Fields
from ctiqa.images.pixels import DicomPixels
from ctiqa.images.refusal import RefusedError
from ctiqa.images.slice_header import SliceHeader, fit_window
from ctiqa.images.uids import derived_uid

__all__ = ["DerivedSeries", "write_derived"]

# What described the pixels, the moment or the frames of the source and is not true of the copy.
_NOT_COPIED: Final = frozenset(
    """
    ContentDate ContentTime DigitalSignaturesSequence DimensionIndexSequence
    DimensionOrganizationSequence EncryptedAttributesSequence ExtendedOffsetTable
    ExtendedOffsetTableLengths HighBit IconImageSequence InstanceCreationDate InstanceCreationTime
    InstanceCreatorUID LargestImagePixelValue LargestPixelValueInSeries MACParametersSequence
    NumberOfFrames PerFrameFunctionalGroupsSequence PixelPaddingRangeLimit PixelPaddingValue
    PresentationLUTShape ReferencedImageSequence RescaleType SeriesDate SeriesTime
    SharedFunctionalGroupsSequence SmallestImagePixelValue SmallestPixelValueInSeries
    """.split()
)
# From here on: curves, overlays, pixels, signatures.
_CURVES: Final = 0x5000

# Type 2 elements of the CT Image IOD (DICOM PS3.3, A.3): must be there, may be empty.
_MAY_BE_EMPTY: Final = tuple(
    """
    AccessionNumber AcquisitionNumber InstanceNumber KVP Manufacturer PatientBirthDate PatientID
    PatientName PatientSex PositionReferenceIndicator ReferringPhysicianName SliceThickness
    StudyDate StudyID StudyTime
    """.split()
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
            "derived", version("ctiqa"), identity.study_instance_uid, series, description, derivation
        )
        return cls(uid, description, derivation, number)


def write_derived(
    header: SliceHeader, hu: FloatImage, folder: Path, *, series: DerivedSeries
) -> Path:
    """Write one changed slice as a CT image derived from its source.

    It keeps patient, study, frame of reference and geometry, has a new identity, names its source
    and claims to be nothing but derived. Where the source held padding it gets its padding back.

    Args:
        header: the source slice, read from DICOM.
        hu: the new pixels, (rows, columns) of the source or as :meth:`SliceHeader.load` fitted it;
            air added by fitting is taken off again, and what was cropped stays off.
        folder: where the file goes, at the path that the source had relative to the user's input.
        series: the series that it belongs to.

    Returns:
        The file, explicit VR little endian, 16 bits, slope 1.

    Raises:
        ReadError: if the source is no DICOM file, or no longer there.
        WriteError: if the file cannot be written.
        ValueError: if ``hu`` has another shape.
    """
    if not isinstance(header.pixels, DicomPixels):
        raise ReadError(
            f"{header.identity.path}: a derived DICOM image needs a DICOM source; give the scan as"
            " DICOM instead"
        )
    try:
        dataset = _source(header, header.pixels)
        stored, begin, padding_value = _stored(header, header.pixels, hu)
    except OSError as error:
        reason = error.strerror or "it could not be read"
        raise ReadError(f"{header.identity.path}: {reason}; check the file") from error
    except RefusedError as refused:
        raise ReadError(f"{header.identity.path}: {refused}") from refused
    buffer = BytesIO()
    with quiet():
        _describe(dataset, header, series)
        _set_pixels(dataset, stored, begin, padding_value, header.pixel_mm)
        dataset.save_as(buffer, enforce_file_format=True)
    return write_whole(folder / _file_name(header), buffer.getvalue())


def _file_name(header: SliceHeader) -> PurePosixPath:
    identity = header.identity
    parts = [part for part in PurePosixPath(identity.path).parts if part not in ("/", "..")]
    path = PurePosixPath(*parts)
    return path if identity.frame is None else path.with_name(f"{path.stem}-{identity.frame:04d}.dcm")


def _source(header: SliceHeader, pixels: DicomPixels) -> Dataset:
    """Return what the derived image inherits, in the layout of a single-frame CT image."""
    derived = Dataset()
    with pixels.place.open(keep=pixels.frames > 1) as file, open_dicom(file) as dicom:
        trial = DicomBytesIO()
        trial.is_little_endian, trial.is_implicit_VR = True, False
        for tag in dicom.dataset.keys():  # noqa: SIM118 (a data set iterates over its elements)
            if tag.is_private or tag.group >= _CURVES or keyword_for_tag(tag) in _NOT_COPIED:
                continue
            # An element that cannot be understood and written is not worth the slice.
            with suppress(*DAMAGE):
                element = dicom.dataset[tag]
                write_data_element(trial, element)
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


def _stored(
    header: SliceHeader, pixels: DicomPixels, hu: FloatImage
) -> tuple[npt.NDArray[np.int16], tuple[int, int], int | None]:
    """Return HU as integers, the row and column they begin at in the source, and the padding."""
    rows = columns = slice(None)
    if hu.shape != (header.rows, header.columns):
        if hu.shape != (header.size, header.size) or header.size is None:
            raise ValueError(f"{hu.shape} is not the shape of {header.identity.path}")
        rows, kept_rows = fit_window(header.rows, header.size)
        columns, kept_columns = fit_window(header.columns, header.size)
        hu = hu[kept_rows, kept_columns]
    stored = pixels.stored()
    _, padding = pixels.rescale.masked(stored)
    limits = np.iinfo(np.int16)
    derived = np.clip(np.rint(hu), limits.min, limits.max).astype(np.int16)
    padding_value = None
    if padding is not None and (mask := padding[rows, columns]).any():
        original = np.rint(pixels.rescale.to_hu(stored)[rows, columns][mask])
        derived[mask] = np.clip(original, limits.min, limits.max)
        values, counts = np.unique(derived[mask], return_counts=True)
        padding_value = int(values[counts.argmax()])
    return derived, (rows.start or 0, columns.start or 0), padding_value


def _set_pixels(
    dataset: Dataset,
    stored: npt.NDArray[np.int16],
    begin: tuple[int, int],
    padding_value: int | None,
    pixel_mm: float,
) -> None:
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelSpacing = [DS(pixel_mm, auto_format=True)] * 2
    orientation, position = dataset.get("ImageOrientationPatient"), dataset.get(
        "ImagePositionPatient"
    )
    if any(begin):
        along_row, along_column = np.reshape(np.array(orientation, float), (2, 3))
        moved = np.array(position, float) + pixel_mm * (
            begin[1] * along_row + begin[0] * along_column
        )
        dataset.ImagePositionPatient = [DS(value, auto_format=True) for value in moved]
        dataset.ReconstructionDiameter = DS(pixel_mm * max(stored.shape), auto_format=True)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "HU"
    if padding_value is not None:
        dataset.add_new("PixelPaddingValue", "SS", padding_value)
    dataset.add_new("PixelData", "OW", stored.astype("<i2").tobytes())


def _describe(dataset: Dataset, header: SliceHeader, series: DerivedSeries) -> None:
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
    dataset.file_meta.ImplementationClassUID = derived_uid("ctiqa")
    dataset.file_meta.ImplementationVersionName = "CTIQA"


def _code(value: str, meaning: str) -> Dataset:
    """Return a code of DICOM PS3.16, annex D."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
