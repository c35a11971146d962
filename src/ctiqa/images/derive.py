"""Write changed slices back as a valid derived DICOM series."""

from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.valuerep import DS

from ctiqa.errors import ReadError
from ctiqa.files import write_whole
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.dicom_file import quiet
from ctiqa.images.inherit import DerivedSeries, describe_derived, inherited
from ctiqa.images.pixels import DicomPixels
from ctiqa.images.slice_header import SliceHeader, fit_window, read_errors

__all__ = ["DerivedSeries", "write_derived"]


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
    if hu.shape not in ((header.rows, header.columns), (header.size, header.size)):
        raise ValueError(f"{hu.shape} is not the shape of {header.identity.path}")
    with read_errors(header.identity.path):
        dataset = inherited(header, header.pixels)
        stored, begin, padding_value = _stored(header, header.pixels, hu)
    buffer = BytesIO()
    with quiet():
        describe_derived(dataset, header, series)
        _set_pixels(dataset, stored, begin, padding_value, header.pixel_mm)
        dataset.save_as(buffer, enforce_file_format=True)
    return write_whole(folder / _file_name(header), buffer.getvalue())


def _file_name(header: SliceHeader) -> PurePosixPath:
    identity = header.identity
    parts = [part for part in PurePosixPath(identity.path).parts if part not in ("/", "..")]
    path = PurePosixPath(*parts)
    return (
        path if identity.frame is None else path.with_name(f"{path.stem}-{identity.frame:04d}.dcm")
    )


def _stored(
    header: SliceHeader, pixels: DicomPixels, hu: FloatImage
) -> tuple[npt.NDArray[np.int16], tuple[int, int], int | None]:
    """Return HU as integers, the row and column they begin at in the source, and the padding."""
    rows = columns = slice(None)
    if header.size is not None and hu.shape != (header.rows, header.columns):
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
    orientation, position = (
        dataset.get("ImageOrientationPatient"),
        dataset.get("ImagePositionPatient"),
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
