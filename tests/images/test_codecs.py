"""Every transfer syntax in use decodes to the values that went in."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file

from ctiqa.errors import ReadError
from ctiqa.images.codecs import FrameLayout, decode_frame
from ctiqa.images.jpeg import strip_jpeg
from ctiqa.images.series import read

LOSSLESS = [
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
]

# imagecodecs.htj2k_encode((1000 + 40 * r + 3 * c).astype("u2"), reversible=True) of 24 x 24
# (imagecodecs 2026.3.6, OpenJPH 0.26.3): no encoder is among our dependencies.
HTJ2K = base64.b64decode(
    "/0//UQApQAAAAAAYAAAAGAAAAAAAAAAAAAAAGAAAABgAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB"
    "/1wAEyCIkJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAJwAAf+TwAAmZfUFB3QA"
    "wAASwAATAOYAh3QAWv0Ch3QAwAARwAATABtzAG37AAI0AMAAE8AAFUBa9Yz+y3UAbNmy/cAxgf62AMAAFTAABXAkSf7c"
    "p6dCdgCyMplMJvv0EPYhAey4AMAAK2AAFsgAAADz+Cnp6enp4noATsdxHMdxHMdx/v9iAQge/YQge/YQgey/AP/Z"
)


@pytest.fixture
def values() -> np.ndarray:
    """Return 40 x 48 values over the whole range of 12 bits, smooth and rough."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:40, :48]
    values = 50 * rows + 30 * columns + rng.integers(0, 200, (40, 48))
    values[0, :3] = 0, 4095, 2048
    return values


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize(
    ("bits", "signed"), [(12, False), (16, False), (12, True), (16, True)], ids=str
)
def test_lossless_syntaxes_return_the_values_bit_for_bit(
    write_dicom: Any, re_encode: Any, values: np.ndarray, syntax: str, bits: int, signed: bool
) -> None:
    offset = 2048 if signed else 0
    stored = (values - offset).astype(np.int16 if signed else np.uint16)
    if bits == 16:
        stored[0, 0] = np.iinfo(stored.dtype).min
    path = write_dicom(
        "a.dcm", stored, BitsStored=bits, HighBit=bits - 1, RescaleIntercept=offset - 1000
    )
    reading = read(re_encode(path, syntax), size=None)
    assert not reading.refusals
    hu = (
        reading.series[0]
        .headers[0]
        .pixels.rescale.to_hu(reading.series[0].headers[0].pixels.stored())
    )
    np.testing.assert_array_equal(hu, stored.astype(float) + offset - 1000)


@pytest.mark.parametrize(
    ("syntax", "worst"),
    [(uid.JPEGLSNearLossless, 2), (uid.JPEG2000, 30), (uid.JPEGExtended12Bit, 60)],
    ids=lambda value: getattr(value, "name", value),
)
def test_lossy_syntaxes_stay_near_the_values_and_say_so(
    write_dicom: Any, re_encode: Any, values: np.ndarray, syntax: str, worst: int
) -> None:
    path = write_dicom("a.dcm", values.astype(np.uint16), BitsStored=12, HighBit=11)
    header = read(re_encode(path, syntax), size=None).series[0].headers[0]
    error = np.abs(header.load().hu + 1024 - values)
    assert error.max() <= worst
    if syntax != uid.JPEG2000:
        assert "was compressed with loss, which changes its noise" in header.notes


def test_jpeg_baseline_of_eight_bits_decodes(write_dicom: Any, re_encode: Any) -> None:
    rows, columns = np.mgrid[:32, :32]
    stored = (4 * rows + 3 * columns).astype(np.uint8)
    path = write_dicom("a.dcm", stored, RescaleSlope=4)
    header = read(re_encode(path, uid.JPEGBaseline8Bit), size=None).series[0].headers[0]
    assert np.abs((header.load().hu + 1024) / 4 - stored).max() <= 4


@pytest.mark.parametrize("syntax", [uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL])
def test_high_throughput_jpeg_2000_decodes_to_what_another_encoder_took(syntax: str) -> None:
    layout = FrameLayout(syntax, 24, 24, 16, 16, 15, signed=False)
    rows, columns = np.mgrid[:24, :24]
    np.testing.assert_array_equal(decode_frame(HTJ2K, layout), 1000 + 40 * rows + 3 * columns)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm",
    ],
)
def test_one_image_in_the_hands_of_other_encoders_stays_one_image(
    tmp_path: Path, name: str
) -> None:
    reference = pydicom.dcmread(get_testdata_file("MR_small.dcm", download=False)).pixel_array
    path = _as_ct(get_testdata_file(name, download=False), tmp_path)
    pixels = read(path, size=None).series[0].headers[0].pixels
    np.testing.assert_array_equal(pixels.stored(), reference)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("JPGExtended.dcm", (420, 140), 244),
        ("JPEG-lossy.dcm", (230, 120), 95),
        ("JPEGLSNearLossless_16.dcm", (0, 0), 65535),
        ("J2K_pixelrep_mismatch.dcm", (0, 0), -2000),
        ("693_J2KI.dcm", (0, 0), -2016),
    ],
)
def test_files_of_old_scanners_hold_the_values_that_pydicom_records(
    tmp_path: Path, name: str, place: tuple[int, int], value: int
) -> None:
    """The values are those that the tests of pydicom 3.0 expect of its own test files."""
    path = _as_ct(get_testdata_file(name, download=False), tmp_path)
    pixels = read(path, size=None).series[0].headers[0].pixels
    assert pixels.stored()[place] == value


def test_bits_above_the_high_bit_do_not_count(write_dicom: Any, values: np.ndarray) -> None:
    rubbish = np.random.default_rng(1).integers(0, 16, values.shape) << 12
    path = write_dicom("a.dcm", (values | rubbish).astype(np.uint16), BitsStored=12, HighBit=11)
    hu = read(path, size=None).series[0][0].hu
    np.testing.assert_array_equal(hu, values - 1024)


def test_a_high_bit_above_the_stored_bits_shifts_the_values(
    write_dicom: Any, values: np.ndarray
) -> None:
    path = write_dicom("a.dcm", (values << 4).astype(np.uint16), BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(read(path, size=None).series[0][0].hu, values - 1024)


@pytest.mark.parametrize(
    "syntax",
    [uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.JPEGLosslessSV1, uid.RLELossless],
    ids=lambda syntax: syntax.name,
)
def test_a_damaged_compressed_frame_is_one_sentence(
    write_dicom: Any, re_encode: Any, values: np.ndarray, syntax: str
) -> None:
    path = re_encode(write_dicom("a.dcm", values.astype(np.uint16)), syntax)
    whole = path.read_bytes()
    start = read(path).series[0].headers[0].pixels.spans[0][0]
    path.write_bytes(whole[:start] + b"\x55" * (len(whole) - start))
    with pytest.raises(ReadError, match=r"^a-.*its pixel data are damaged .*; send the image"):
        read(path).series[0].headers[0].load()


def _as_ct(source: str, folder: Path) -> Path:
    """Call a test image of another modality CT, pixels untouched."""
    dataset = pydicom.dcmread(source)
    dataset.Modality, dataset.SOPClassUID = "CT", uid.CTImageStorage
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.PixelSpacing = [1, 1]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    if "NumberOfFrames" in dataset:
        del dataset.NumberOfFrames
    path = folder / "as-ct.dcm"
    dataset.save_as(path)
    return path


def test_a_jpeg_is_stripped_of_comments_and_application_data(
    write_dicom: Any, re_encode: Any, values: np.ndarray
) -> None:
    frame = _jpeg_frame(write_dicom, re_encode, values)
    chatty = frame[:2] + b"\xff\xe0\x00\x05abc" + b"\xff\xfe\x00\x04de" + frame[2:]
    assert strip_jpeg(chatty) == strip_jpeg(frame)
    assert strip_jpeg(frame).precision in (12, 16)


@pytest.mark.parametrize("damage", ["between", "colour", "twice", "cut", "scan", "table", "start"])
def test_a_jpeg_with_anything_odd_in_its_header_never_reaches_the_decoder(
    write_dicom: Any, re_encode: Any, values: np.ndarray, damage: str
) -> None:
    """GDCM 3.2.6 ends the process on bytes between segments, and no caller can prevent it."""
    frame = _jpeg_frame(write_dicom, re_encode, values)
    header, scan = frame.index(b"\xff\xc3"), frame.index(b"\xff\xda")
    spoilt = {
        "between": frame[:scan] + b"abcd" + frame[scan:],
        "colour": frame[: header + 9] + b"\3" + frame[header + 10 :],
        "twice": frame[:scan] + frame[header : header + 13] + frame[scan:],
        "cut": frame[: scan + 5],
        "scan": frame[: scan + 7] + b"\x09" + frame[scan + 8 :],
        "table": frame[:scan] + b"\xff\xc4\xff\xff" + frame[scan:],
        "start": frame[2:],
    }[damage]
    with pytest.raises(ValueError, match=r"JPEG|compressed"):
        strip_jpeg(spoilt)


def _jpeg_frame(write_dicom: Any, re_encode: Any, values: np.ndarray) -> bytes:
    path = re_encode(write_dicom("a.dcm", values.astype(np.uint16)), uid.JPEGLosslessSV1)
    offset, length = read(path, size=None).series[0].headers[0].pixels.spans[0]
    return path.read_bytes()[offset : offset + length]
