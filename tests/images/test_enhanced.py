"""An enhanced CT is a series of frames, each with facts of its own."""

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.encaps import encapsulate, generate_frames

from ctiqa.images.series import read

STORED = np.random.default_rng(0).integers(0, 1500, (4, 40, 48)).astype(np.uint16)
POSITIONS = [30.0, 10.0, 20.0, 0.0]
SLOPES = [1.0, 2.0, 1.0, 0.5]


@pytest.fixture
def enhanced(write_enhanced: Any) -> Path:
    """Return a file of four frames, out of order, each with its own slope."""
    path: Path = write_enhanced("e.dcm", STORED, POSITIONS, SLOPES)
    return path


def assert_right(path: Path) -> None:
    (series,) = read(path, size=None).series
    assert [header.z_mm for header in series.headers] == [0, 10, 20, 30]
    assert [header.identity.frame for header in series.headers] == [4, 2, 3, 1]
    for header in series.headers:
        frame = (header.identity.frame or 0) - 1
        hu = header.pixels.rescale.to_hu(header.pixels.stored())
        np.testing.assert_array_equal(hu, STORED[frame] * SLOPES[frame] - 1024)


def test_every_frame_has_its_own_position_and_slope(enhanced: Path) -> None:
    assert_right(enhanced)


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.name,
)
def test_frames_are_found_in_every_encoding(enhanced: Path, re_encode: Any, syntax: str) -> None:
    assert_right(re_encode(enhanced, syntax))


@pytest.mark.parametrize("has_table", [True, False])
def test_frames_of_several_fragments_are_found_by_their_table(
    enhanced: Path, re_encode: Any, has_table: bool
) -> None:
    path = re_encode(enhanced, uid.JPEGLSLossless)
    dataset = pydicom.dcmread(path)
    frames = [*generate_frames(dataset.PixelData, number_of_frames=4)]
    dataset.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=has_table)
    del dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths
    dataset.save_as(path)
    if has_table:
        assert_right(path)
    else:
        (refusal,) = read(path).refusals
        assert "frames cannot be told apart" in refusal.reason


def test_a_zip_of_frames_gives_the_same_frames(tmp_path: Path, enhanced: Path) -> None:
    with zipfile.ZipFile(tmp_path / "e.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(enhanced, "e.dcm")
    assert_right(tmp_path / "e.zip")


def test_the_facts_of_shared_and_own_groups_are_read(enhanced: Path) -> None:
    header = read(enhanced).series[0].headers[0]
    acquisition = header.acquisition
    assert (acquisition.kvp, acquisition.kernel) == (100, "Br40/3")
    assert (acquisition.slice_thickness_mm, acquisition.ctdivol_mgy) == (2, 5.5)
    assert acquisition.tube_current_ma == 203.5
    assert header.pixel_mm == 0.75


def test_one_frame_without_hounsfield_units_is_refused_and_the_others_are_read(
    write_enhanced: Any,
) -> None:
    reading = read(write_enhanced("e.dcm", STORED, POSITIONS, [1.0, 0.0, 1.0, 1.0]))
    assert [len(series) for series in reading.series] == [3]
    (refusal,) = reading.refusals
    assert re.search("lacks RescaleSlope", refusal.reason)
    assert refusal.identity is not None
    assert refusal.identity.frame == 2


def test_a_legacy_converted_series_is_read_as_an_enhanced_one(write_enhanced: Any) -> None:
    path = write_enhanced(
        "e.dcm", STORED, POSITIONS, SLOPES, SOPClassUID=uid.LegacyConvertedEnhancedCTImageStorage
    )
    assert_right(path)
