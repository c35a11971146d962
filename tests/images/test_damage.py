"""Nothing that a file can contain ends in a traceback."""

import io
import random
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from pydicom import uid

from ctiqa.errors import ReadError
from ctiqa.images.series import read

ROUNDS = 300


def read_it_all(path: Path) -> None:
    """Read and decode whatever a file offers; a refusal or a ReadError is an answer."""
    for series in read(path, size=None).series:
        for header in series.headers:
            with suppress(ReadError):
                assert np.isfinite(header.load().hu).all()


def damaged(content: bytes, rng: random.Random, *, end: int) -> bytes:
    """Return the content with a few bytes of its first ``end`` changed, dropped or doubled."""
    spoilt = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(min(end, len(spoilt)))
        match rng.randrange(4):
            case 0:
                spoilt[place] = rng.randrange(256)
            case 1:
                spoilt[place : place + rng.randint(1, 8)] = b""
            case 2:
                spoilt[place:place] = spoilt[place : place + rng.randint(1, 8)]
            case 3:
                spoilt[place : place + 4] = b"\xff\xff\xff\xff"
    return bytes(spoilt)


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLosslessSV1,
        uid.JPEGBaseline8Bit,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.name,
)
def test_a_damaged_dicom_file_is_read_or_refused(
    write_dicom: Any, re_encode: Any, syntax: str
) -> None:
    stored = np.random.default_rng(0).integers(0, 2000, (32, 32)).astype(np.int16)
    if syntax == uid.JPEGBaseline8Bit:
        stored = (stored // 10).astype(np.uint8)
    path = re_encode(write_dicom("a.dcm", stored, SliceThickness=2), syntax)
    content = path.read_bytes()
    rng = random.Random(syntax)  # noqa: S311 (repeatable damage, no secret)
    for _ in range(ROUNDS):
        path.write_bytes(damaged(content, rng, end=1400))
        read_it_all(path)


def test_a_damaged_enhanced_file_is_read_or_refused(write_enhanced: Any) -> None:
    stored = np.zeros((3, 8, 8), np.uint16)
    path = write_enhanced("e.dcm", stored, [0.0, 1.0, 2.0], [1, 1, 1])
    content = path.read_bytes()
    rng = random.Random(0)  # noqa: S311 (repeatable damage, no secret)
    for _ in range(ROUNDS):
        path.write_bytes(damaged(content, rng, end=len(content)))
        read_it_all(path)


def test_a_damaged_zip_is_read_or_refused(tmp_path: Path, write_dicom: Any) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(write_dicom("a.dcm"), "a.dcm")
        archive.write(write_dicom("b.dcm"), "b.dcm")
    rng = random.Random(0)  # noqa: S311 (repeatable damage, no secret)
    for _ in range(ROUNDS):
        (tmp_path / "a.zip").write_bytes(damaged(packed.getvalue(), rng, end=1 << 20))
        read_it_all(tmp_path / "a.zip")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_damaged_volume_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    values = np.random.default_rng(0).integers(-1000, 1000, (6, 6, 3)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.diag([1.0, 1, 2, 1])), path)
    content = path.read_bytes()
    rng = random.Random(0)  # noqa: S311 (repeatable damage, no secret)
    for _ in range(ROUNDS):
        path.write_bytes(damaged(content, rng, end=352))
        read_it_all(path)
