"""Files in every transfer syntax, made by the encoders that the decoders come with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gdcm
import jpeg_ls
import numpy as np
import openjpeg.utils
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended

ReEncode = Callable[[Path, str], Path]

_GDCM = {
    uid.JPEGBaseline8Bit: gdcm.TransferSyntax.JPEGBaselineProcess1,
    uid.JPEGExtended12Bit: gdcm.TransferSyntax.JPEGExtendedProcess2_4,
    uid.JPEGLossless: gdcm.TransferSyntax.JPEGLosslessProcess14,
    uid.JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
}


@pytest.fixture
def re_encode() -> ReEncode:
    """Return a function that rewrites a file of one or many frames in another transfer syntax."""

    def encode(path: Path, syntax: str) -> Path:
        target = path.with_name(f"{path.stem}-{syntax}.dcm")
        if syntax in _GDCM:
            return _through_gdcm(path, target, syntax)
        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array
        frames = list(pixels) if pixels.ndim == 3 else [pixels]
        if syntax == uid.RLELossless:
            dataset.compress(syntax, generate_instance_uid=False)
        elif syntax in uid.JPEGLSTransferSyntaxes:
            lossy = 2 * (syntax == uid.JPEGLSNearLossless)
            _fill(dataset, [_jpeg_ls(frame, dataset, lossy) for frame in frames])
        elif syntax in uid.JPEG2000TransferSyntaxes:
            lossy = {"compression_ratios": [2]} if syntax == uid.JPEG2000 else {}
            _fill(dataset, [_jpeg_2000(frame, dataset, lossy) for frame in frames])
        elif syntax == uid.ExplicitVRBigEndian:
            dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        fresh = Dataset()
        fresh.file_meta = dataset.file_meta
        fresh.update({element.tag: element for element in dataset})
        fresh.save_as(target, enforce_file_format=True)
        return target

    return encode


@pytest.fixture
def write_enhanced(write_dicom: Callable[..., Path]) -> Callable[..., Path]:
    """Return a writer of an enhanced CT: ``write_enhanced(name, stored, positions, slopes)``.

    ``stored`` is (frames, rows, columns); frame n lies at ``positions[n]`` mm and its values have
    the slope ``slopes[n]`` and the intercept -1024.
    """

    def write(
        name: str, stored: np.ndarray, positions: list[float], slopes: list[float], **elements: Any
    ) -> Path:
        shared = Dataset()
        shared.PixelMeasuresSequence = [_item(PixelSpacing=[0.75, 0.75], SliceThickness=2)]
        shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
        shared.CTXRayDetailsSequence = [_item(KVP=100)]
        shared.CTReconstructionSequence = [_item(ConvolutionKernel=["Br40", "3"])]
        shared.CTImageFrameTypeSequence = [_item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME"])]
        frames = []
        for index, (z_mm, slope) in enumerate(zip(positions, slopes, strict=True)):
            frame = Dataset()
            frame.PlanePositionSequence = [_item(ImagePositionPatient=[-100, -90, z_mm])]
            frame.PixelValueTransformationSequence = [
                _item(RescaleIntercept=-1024, RescaleSlope=slope, RescaleType="HU")
            ]
            frame.CTExposureSequence = [_item(XRayTubeCurrentInmA=200.5 + index, CTDIvol=5.5)]
            frames.append(frame)
        plain = (
            "ImagePositionPatient ImageOrientationPatient PixelSpacing SliceThickness KVP"
            " RescaleSlope RescaleIntercept"
        )
        enhanced = {
            "SOPClassUID": uid.EnhancedCTImageStorage,
            "NumberOfFrames": len(stored),
            "SharedFunctionalGroupsSequence": [shared],
            "PerFrameFunctionalGroupsSequence": frames,
        }
        return write_dicom(name, stored, **dict.fromkeys(plain.split()), **enhanced | elements)

    return write


def _item(**elements: Any) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _fill(dataset: Dataset, frames: list[bytes]) -> None:
    dataset.PixelData = encapsulate(frames) if len(frames) == 1 else None
    if len(frames) > 1:
        value, offsets, lengths = encapsulate_extended(frames)
        dataset.PixelData = value
        dataset.ExtendedOffsetTable = offsets
        dataset.ExtendedOffsetTableLengths = lengths
    dataset["PixelData"].VR = "OB"


def _unsigned(frame: np.ndarray, dataset: Dataset) -> np.ndarray:
    return frame.view(f"u{frame.itemsize}") & ((1 << dataset.BitsStored) - 1)


def _jpeg_ls(frame: np.ndarray, dataset: Dataset, lossy: int) -> bytes:
    encoded = jpeg_ls.encode_array(_unsigned(frame, dataset), lossy_error=lossy)
    return bytes(encoded)


def _jpeg_2000(frame: np.ndarray, dataset: Dataset, lossy: dict[str, list[int]]) -> bytes:
    values = frame if dataset.PixelRepresentation else _unsigned(frame, dataset)
    return bytes(
        openjpeg.utils.encode_array(
            values, bits_stored=dataset.BitsStored, photometric_interpretation=2, **lossy
        )
    )


def _through_gdcm(path: Path, target: Path, syntax: str) -> Path:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(_GDCM[syntax]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target
