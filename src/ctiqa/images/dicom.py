"""Describe the slices of a DICOM file, or say why it holds none."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pydicom import uid
from pydicom.dataset import Dataset

from ctiqa.images.codecs import FrameLayout, is_decodable
from ctiqa.images.ct_slice import Identity
from ctiqa.images.dicom_file import DicomFile, open_dicom
from ctiqa.images.facts import acquisition_of, geometry_of, identity_of
from ctiqa.images.frames import Span, compressed_frames, native_frames
from ctiqa.images.header import Fields
from ctiqa.images.pixels import DicomPixels, Rescale
from ctiqa.images.place import Place
from ctiqa.images.refusal import Refusal, RefusedError
from ctiqa.images.slice_header import SliceHeader

__all__ = ["describe_dicom", "fields_of_frame"]

_CT_CLASSES: Final = (
    uid.CTImageStorage,
    uid.EnhancedCTImageStorage,
    uid.LegacyConvertedEnhancedCTImageStorage,
)
# Cosine between the slice normal and the table from which on a slice counts as axial: gantries
# tilt by up to 30 degrees, sagittal and coronal reformats lie at 90.
_AXIAL_COSINE: Final = 0.7

_LARGEST_SIDE: Final = 8192

_MODALITIES: Final = {
    "CR": "a radiograph",
    "DX": "a radiograph",
    "KO": "a selection of images",
    "MR": "magnetic resonance",
    "NM": "nuclear medicine",
    "OT": "something else",
    "PR": "a presentation state",
    "PT": "positron emission",
    "REG": "a registration",
    "RTDOSE": "a radiotherapy dose",
    "RTPLAN": "a radiotherapy plan",
    "RTSTRUCT": "radiotherapy contours",
    "SEG": "a segmentation",
    "SR": "a report, such as a dose report",
    "US": "ultrasound",
    "XA": "angiography",
}


def describe_dicom(place: Place, path: str) -> list[SliceHeader | Refusal]:
    """Return the slices of a file, not yet decoded, and a refusal for each that is none.

    Args:
        place: where the file lies.
        path: what results call it, relative to the input of the user.

    Raises:
        OSError: if the file cannot be read.
        RefusedError: if it is not DICOM or is damaged.
    """
    with place.open() as file, open_dicom(file) as dicom:
        return list(_describe(dicom, place, path))


def _describe(dicom: DicomFile, place: Place, path: str) -> Iterator[SliceHeader | Refusal]:
    fields = dicom.fields
    if fields.text("SOPClassUID") == uid.MediaStorageDirectoryStorage:
        return
    identity = identity_of(fields, path)
    frames = max(fields.integer("NumberOfFrames") or 1, 1)
    try:
        _check_kind(fields)
        layout = _layout(fields, dicom)
        spans = _spans(dicom, layout, frames)
    except RefusedError as refused:
        yield Refusal(path, str(refused), identity)
        return
    for frame in range(frames):
        mine = fields_of_frame(fields, frame)
        known = identity if frames == 1 else replace(identity, frame=frame + 1)
        try:
            yield _slice(
                mine,
                known,
                DicomPixels(
                    place=place,
                    spans=spans[frame],
                    layout=layout,
                    rescale=_rescale(mine, layout),
                    frames=frames,
                    deflated_from=dicom.deflated_from,
                ),
            )
        except RefusedError as refused:
            yield Refusal(path, str(refused), known)


def _slice(fields: Fields, identity: Identity, pixels: DicomPixels) -> SliceHeader:
    _check_localizer(fields)
    geometry = geometry_of(fields)
    if geometry.normal is not None and abs(geometry.normal[2]) < _AXIAL_COSINE:
        plane = "sagittal" if abs(geometry.normal[0]) > abs(geometry.normal[1]) else "coronal"
        raise RefusedError(f"it is a {plane} image; give the axial slices it was made from")
    notes = geometry.notes
    if fields.text("LossyImageCompression") == "01" or pixels.layout.is_lossy:
        notes += ("was compressed with loss, which changes its noise",)
    return SliceHeader(
        identity=identity,
        acquisition=acquisition_of(fields),
        pixel_mm=geometry.pixel_mm,
        z_mm=geometry.z_mm,
        rows=pixels.layout.rows,
        columns=pixels.layout.columns,
        pixels=pixels,
        notes=notes,
        normal=geometry.normal,
        along_row=geometry.along_row,
        position_mm=geometry.position_mm,
        frame_of_reference_uid=fields.text("FrameOfReferenceUID"),
    )


def fields_of_frame(fields: Fields, frame: int) -> Fields:
    """Return the fields of one frame, from 0: its own, those it shares, those of the image."""
    shared = fields.items("SharedFunctionalGroupsSequence")[:1]
    own = fields.items("PerFrameFunctionalGroupsSequence")[frame : frame + 1]
    return Fields((*_macros(own), *_macros(shared), *fields.layers))


def _macros(groups: tuple[Dataset, ...]) -> tuple[Dataset, ...]:
    """Return the first item of each functional group macro (DICOM PS3.3, C.7.6.16)."""
    return tuple(
        element.value[0]
        for group in groups
        for element in group
        if element.VR == "SQ" and element.value
    )


def _check_kind(fields: Fields) -> None:
    modality = fields.text("Modality")
    sop_class = fields.text("SOPClassUID")
    if modality not in ("CT", "") or (not modality and sop_class not in _CT_CLASSES):
        meaning = f" ({_MODALITIES[modality]})" if modality in _MODALITIES else ""
        found = f"its modality is {modality}{meaning}" if modality else "it names no modality"
        raise RefusedError(f"{found}, not CT; give CT images alone")
    if sop_class and sop_class not in _CT_CLASSES:
        name = uid.UID(sop_class).name.removesuffix(" Storage")
        raise RefusedError(f"it is a {name}, not a CT image; give the CT images alone")
    _check_localizer(fields)
    samples = fields.integer("SamplesPerPixel") or 1
    colours = fields.text("PhotometricInterpretation")
    if samples != 1 or not colours.startswith("MONOCHROME"):
        raise RefusedError(f"it is a picture ({colours or 'in colour'}), not CT values")


def _check_localizer(fields: Fields) -> None:
    kinds = {kind.upper() for name in ("ImageType", "FrameType") for kind in fields.texts(name)}
    if "LOCALIZER" in kinds:
        raise RefusedError("it is a localizer (scout), not an axial slice; leave it out")


def _layout(fields: Fields, dicom: DicomFile) -> FrameLayout:
    transfer_syntax = dicom.transfer_syntax
    if dicom.pixels_at is None:
        raise RefusedError(
            "it holds no pixel data, or was cut off before them; send it again from its source"
        )
    if not is_decodable(transfer_syntax):
        name = uid.UID(transfer_syntax).name
        raise RefusedError(
            f"its transfer syntax ({name}) cannot be decoded; export it again, uncompressed"
        )
    facts = {}
    for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation"):
        value = fields.integer(keyword)
        if value is None:
            raise RefusedError(f"its header lacks {keyword}; send it again from its source")
        facts[keyword] = value
    bits, stored = facts["BitsAllocated"], facts["BitsStored"]
    high_bit = fields.integer("HighBit")
    if high_bit is None:
        high_bit = stored - 1
    if bits not in (8, 16, 32) or not 1 <= stored <= high_bit + 1 <= bits:
        raise RefusedError(
            f"its header tells of {stored} bits in {bits} with {high_bit} as the highest, which"
            " cannot be; send it again from its source"
        )
    sides = facts["Rows"], facts["Columns"]
    if min(sides) < 1 or max(sides) > _LARGEST_SIDE:
        raise RefusedError(
            f"its header tells of a matrix of {sides[0]} x {sides[1]}, which no CT has; send it"
            " again from its source"
        )
    return FrameLayout(
        transfer_syntax=transfer_syntax,
        rows=facts["Rows"],
        columns=facts["Columns"],
        bits_allocated=bits,
        bits_stored=stored,
        high_bit=high_bit,
        signed=facts["PixelRepresentation"] == 1,
    )


def _spans(dicom: DicomFile, layout: FrameLayout, frames: int) -> list[tuple[Span, ...]]:
    offset = dicom.pixels_at or 0
    if not layout.is_encapsulated:
        return native_frames(offset, frame_bytes=layout.frame_bytes, frames=frames, end=dicom.end)
    table = dicom.dataset.get("ExtendedOffsetTable", b"") or b""
    starts = struct.unpack(f"<{len(table) // 8}Q", table)
    return compressed_frames(dicom.source, offset, frames=frames, end=dicom.end, starts=starts)


def _rescale(fields: Fields, layout: FrameLayout) -> Rescale:
    slope, intercept = fields.number("RescaleSlope"), fields.number("RescaleIntercept")
    if not slope or intercept is None:
        raise RefusedError(
            "its header lacks RescaleSlope or RescaleIntercept, so its values are no Hounsfield"
            " units; export it again from the scanner or archive"
        )
    unit = fields.text("RescaleType").upper()
    if unit not in ("", "HU", "US"):
        raise RefusedError(f"its values are {unit}, not Hounsfield units; give the HU images")
    padding = fields.integer("PixelPaddingValue")
    if padding is None:
        return Rescale(slope, intercept)
    limit = fields.integer("PixelPaddingRangeLimit")
    ends = sorted(_as_stored(end, layout) for end in (padding, padding if limit is None else limit))
    return Rescale(slope, intercept, (ends[0], ends[1]))


def _as_stored(value: int, layout: FrameLayout) -> int:
    """Return a padding value in the sign of the pixels; writers confuse 63536 and -2000."""
    span = 1 << layout.bits_allocated
    wrapped = value % span
    return wrapped - span if layout.signed and wrapped >= span // 2 else wrapped
