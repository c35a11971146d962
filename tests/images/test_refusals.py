"""What cannot be scored is refused in one sentence: what is wrong and how to mend it."""

import io
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file

from ctiqa.images.series import Refusal, read


def the_refusal(path: Path) -> Refusal:
    """Return the only thing that reading found: one refusal."""
    reading = read(path)
    assert not reading.series
    (refusal,) = reading.refusals
    assert "\n" not in refusal.reason
    return refusal


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ({"Modality": "MR"}, r"modality is MR \(magnetic resonance\), not CT"),
        ({"Modality": "SR"}, r"modality is SR \(a report, such as a dose report\), not CT"),
        ({"Modality": None, "SOPClassUID": uid.RawDataStorage}, "names no modality"),
        (
            {"SOPClassUID": uid.SecondaryCaptureImageStorage},
            "is a Secondary Capture Image, not a CT image",
        ),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "is a localizer"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "is a sagittal image"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "is a coronal image"),
        ({"PixelData": None}, "holds no pixel data"),
        ({"PhotometricInterpretation": "RGB"}, r"is a picture \(RGB\), not CT values"),
        ({"SamplesPerPixel": 3}, "is a picture"),
        ({"PixelSpacing": [0.7, 0.8]}, r"pixels are not square \(0.7 x 0.8 mm\)"),
        ({"PixelSpacing": None}, "lacks PixelSpacing"),
        ({"RescaleSlope": None}, "lacks RescaleSlope or RescaleIntercept"),
        ({"RescaleIntercept": b"none"}, "lacks RescaleSlope or RescaleIntercept"),
        ({"RescaleSlope": 0}, "lacks RescaleSlope or RescaleIntercept"),
        ({"RescaleType": "Z_EFF"}, "values are Z_EFF, not Hounsfield units"),
        ({"Rows": 0}, "a matrix of 0 x 16, which no CT has"),
        ({"Columns": 65535}, "a matrix of 16 x 65535, which no CT has"),
        ({"Columns": None}, "lacks Columns"),
        ({"BitsStored": 17}, "of 17 bits in 16"),
        ({"Rows": 17}, "cut off before its end"),
        ({"NumberOfFrames": 2}, "cut off before its end"),
    ],
)
def test_a_slice_that_cannot_be_scored_says_why(
    write_dicom: Any, elements: dict[str, Any], says: str
) -> None:
    refusal = the_refusal(write_dicom("a.dcm", **elements))
    assert re.search(says, refusal.reason)
    assert refusal.path == "a.dcm"
    assert refusal.identity is not None
    assert refusal.identity.sop_instance_uid


def test_a_transfer_syntax_that_no_codec_knows_is_named(write_dicom: Any) -> None:
    path = write_dicom("a.dcm")
    known, unknown = uid.ExplicitVRLittleEndian.encode(), b"1.2.840.10008.1.2.4.100"[:19]
    path.write_bytes(path.read_bytes().replace(known + b"\0", unknown + b"0"[: 20 - 19]))
    assert "cannot be decoded; export it again, uncompressed" in the_refusal(path).reason


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEGLSLossless])
def test_a_file_that_was_cut_off_is_refused_before_it_is_decoded(
    write_dicom: Any, re_encode: Any, share: float, syntax: str
) -> None:
    stored = np.random.default_rng(0).integers(0, 2000, (64, 64)).astype(np.int16)
    path = re_encode(write_dicom("a.dcm", stored), syntax)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert re.search("cut off|damaged", the_refusal(path).reason)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\0" * 200, b"<html>" * 100, bytes(range(256)) * 4]
)
def test_what_is_not_dicom_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    assert the_refusal(path).reason.startswith("not a DICOM file")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("MR_small.dcm", "modality is MR"),
        ("rtplan.dcm", "modality is RTPLAN"),
        ("rtstruct.dcm", "modality is RTSTRUCT"),
        ("rtdose.dcm", "modality is RTDOSE"),
        ("reportsi.dcm", "modality is SR"),
        ("waveform_ecg.dcm", "modality is ECG"),
        ("SC_rgb_rle.dcm", "modality is OT"),
        ("MR_truncated.dcm", "modality is MR"),
        ("rtplan_truncated.dcm", "modality is RTPLAN"),
        ("no_meta.dcm", "not a DICOM file"),
        ("meta_missing_tsyntax.dcm", "not CT"),
        ("badVR.dcm", "not CT"),
        ("ExplVR_BigEndNoMeta.dcm", "not CT"),
        ("nested_priv_SQ.dcm", "names no modality"),
    ],
)
def test_the_oddities_that_pydicom_collects_are_refused_by_what_they_are(
    name: str, says: str
) -> None:
    assert says in the_refusal(Path(get_testdata_file(name, download=False))).reason


def test_a_small_ct_of_long_ago_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(
        Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes()
    )
    (series,) = read(tmp_path).series
    ct_slice = series[0]
    assert ct_slice.acquisition.manufacturer == "GE MEDICAL SYSTEMS"
    assert ct_slice.hu[192 + 64, 192 + 64] == 1928 - 1024


def test_an_empty_folder_and_a_missing_path_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no image" in the_refusal(tmp_path / "empty").reason
    assert "no such file or folder" in the_refusal(tmp_path / "missing").reason


def test_a_folder_of_noise_is_an_empty_folder(tmp_path: Path) -> None:
    for name in ("DICOMDIR", ".DS_Store", "Thumbs.db", "notes.txt", "table.csv", "README.md"):
        (tmp_path / name).write_bytes(b"x" * 200)
    assert "holds no image" in the_refusal(tmp_path).reason


def test_noise_that_is_given_by_name_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert the_refusal(tmp_path / "notes.txt").path == "notes.txt"


def test_a_dicomdir_is_no_image_and_no_refusal(tmp_path: Path, write_dicom: Any) -> None:
    write_dicom("series/a.dcm", SOPClassUID=uid.MediaStorageDirectoryStorage)
    write_dicom("series/b.dcm")
    reading = read(tmp_path / "series")
    assert not reading.refusals
    assert [len(series) for series in reading.series] == [1]


def test_one_bad_file_does_not_stop_the_batch(tmp_path: Path, write_dicom: Any) -> None:
    for index in range(3):
        write_dicom(f"series/{index}.dcm")
    (tmp_path / "series" / "junk").write_bytes(b"junk" * 100)
    write_dicom("series/mr.dcm", Modality="MR")
    reading = read(tmp_path / "series")
    assert [len(series) for series in reading.series] == [3]
    assert sorted(refusal.path for refusal in reading.refusals) == ["junk", "mr.dcm"]


def test_a_file_without_the_right_to_read_it_is_refused(
    write_dicom: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, whom no mode bits stop."""
    path = write_dicom("a.dcm")

    def refuse(*_arguments: Any, **_keywords: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    assert the_refusal(path).reason.startswith("it cannot be read (Permission denied)")


def test_a_pipe_in_a_folder_does_not_make_the_reader_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "no ordinary file" in the_refusal(tmp_path).reason


def test_a_zip_inside_a_zip_is_refused_and_the_rest_is_read(
    tmp_path: Path, write_dicom: Any
) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.dcm", b"x")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.writestr("more/inner.zip", inner.getvalue())
        archive.write(write_dicom("b.dcm"), "b.dcm")
    reading = read(tmp_path / "outer.zip")
    (refusal,) = reading.refusals
    assert refusal.path == "outer.zip/more/inner.zip"
    assert "zip inside a zip" in refusal.reason
    assert reading.series[0].headers[0].identity.path == "outer.zip/b.dcm"


def test_a_zip_bomb_is_refused_without_being_unfolded(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.dcm", "w") as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))
    assert "as a zip bomb does" in the_refusal(tmp_path / "bomb.zip").reason


def test_a_zip_that_promises_little_and_unfolds_to_much_is_refused(
    tmp_path: Path, write_dicom: Any
) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", write_dicom("a.dcm").read_bytes() + bytes(1 << 20))
    content = path.read_bytes()
    start = content.rindex(b"PK\1\2")
    lied = content[: start + 24] + (1000).to_bytes(4, "little") + content[start + 28 :]
    path.write_bytes(lied)
    assert "zip is damaged" in the_refusal(path).reason


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "member"])
def test_a_damaged_zip_is_refused(tmp_path: Path, write_dicom: Any, damage: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(write_dicom("a.dcm"), "a.dcm")
    content = path.read_bytes()
    middle = content[:60] + b"\xaa" * 40 + content[100:]
    path.write_bytes(
        {"cut": content[:-30], "noise": b"x" * 500, "empty": b"", "member": middle}[damage]
    )
    assert "zip is damaged" in the_refusal(path).reason


def test_a_zip_without_images_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "x")
    assert "zip holds no image" in the_refusal(tmp_path / "a.zip").reason


def test_an_encrypted_member_is_refused(tmp_path: Path, write_dicom: Any) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(write_dicom("a.dcm"), "a.dcm")
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    assert "is encrypted" in the_refusal(path).reason


def test_a_deflated_file_that_unfolds_without_end_is_refused(
    write_dicom: Any, re_encode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = re_encode(
        write_dicom("a.dcm", np.zeros((256, 256), np.int16)), uid.DeflatedExplicitVRLittleEndian
    )
    monkeypatch.setattr("ctiqa.images.pixels._MOST_INFLATED_BYTES", 1 << 16)
    assert "unfolds to over" in the_refusal(path).reason
