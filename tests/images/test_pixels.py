"""Hounsfield units do not depend on how a file encodes them (METHOD I5), nor on its padding."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement

from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import CTSlice
from ctiqa.images.pixels import Rescale
from ctiqa.images.series import read

Load = Callable[..., CTSlice]


@pytest.fixture
def load(write_dicom: Any) -> Load:
    """Return a function that writes stored values and reads them back as a slice."""

    def load(stored: np.ndarray, **elements: Any) -> CTSlice:
        return read(write_dicom("a.dcm", stored, **elements), size=None).series[0][0]

    return load


@given(
    slope=st.sampled_from([0.25, 0.5, 1.0, 2.0]),
    shift=st.integers(-512, 512),
    signed=st.booleans(),
    monochrome=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
    window=st.sampled_from([(40, 400), (-600, 1500)]),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_hu_do_not_depend_on_their_encoding(
    load: Load,
    slope: float,
    shift: int,
    signed: bool,
    monochrome: str,
    window: tuple[int, int],
) -> None:
    hu = np.random.default_rng(0).integers(-500, 1500, (16, 16)) * 2
    intercept = -1024 + 2 * shift if signed else -2048.0
    stored = ((hu - intercept) / slope).astype(np.int16 if signed else np.uint16)
    found = load(
        stored,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        PhotometricInterpretation=monochrome,
        WindowCenter=window[0],
        WindowWidth=window[1],
    ).hu
    assert np.abs(found - hu).max() <= 1e-4


@given(
    st.floats(1e-3, 10),
    st.floats(-3000, 3000),
    st.integers(-32768, 32767),
)
def test_rescaling_is_exact_to_the_last_bit_of_a_float(
    slope: float, intercept: float, value: int
) -> None:
    hu = Rescale(slope, intercept).to_hu(np.array([[value]], np.int16))
    assert hu.item() == np.float32(slope * value + intercept)


@pytest.mark.parametrize(
    ("value", "tag"),
    [(-2000, -2000), (-2000, 63536), (-1976, -2000), (-2000, None), (-1024, 64512), (-1500, None)],
)
def test_padding_becomes_air_however_it_is_tagged(load: Load, value: int, tag: int | None) -> None:
    """GE tags -2000 and stores other values; writers confuse the sign of the tag."""
    stored = np.full((32, 32), 1064, np.int16)
    rows, columns = np.mgrid[:32, :32] - 15.5
    outside = np.hypot(rows, columns) > 15.5
    stored[outside] = value
    element = tag and DataElement("PixelPaddingValue", "US" if tag > 0 else "SS", tag)
    ct_slice = load(stored, PixelPaddingValue=element)
    assert (ct_slice.hu[outside] == -1000).all()
    np.testing.assert_array_equal(ct_slice.padding, outside)
    assert (ct_slice.hu[~outside] == 40).all()


def test_every_value_of_a_tagged_range_is_padding(load: Load) -> None:
    stored = np.full((8, 8), 1064, np.int16)
    stored[0, :4] = -1400, -1390, -1380, -1370
    ct_slice = load(stored, PixelPaddingValue=-1380, PixelPaddingRangeLimit=-1400)
    assert ct_slice.padding is not None
    assert ct_slice.padding[0].tolist() == [True, True, True] + [False] * 5
    assert ct_slice.hu[0, 3] == -1370 - 1024


def test_a_tag_that_names_tissue_is_not_believed(load: Load) -> None:
    """A tag of 0 where 0 stored is 0 HU would make air of every water pixel."""
    stored = np.full((16, 16), -1000, np.int16)
    stored[4:12, 4:12] = 0
    ct_slice = load(stored, RescaleIntercept=0, PixelPaddingValue=0)
    assert ct_slice.padding is None
    assert (ct_slice.hu[4:12, 4:12] == 0).all()


def test_streaks_of_metal_are_no_padding(load: Load) -> None:
    """LIDC-IDRI-0082 reaches -2454 HU beside metal, and its padding is -2048 HU."""
    stored = np.full((16, 16), 1064, np.int16)
    stored[0, :] = stored[-1, :] = -1024
    stored[8, 8] = -1430
    ct_slice = load(stored)
    assert ct_slice.hu[8, 8] == -2454
    assert ct_slice.padding is not None
    assert ct_slice.padding.sum() == 32


def test_noise_in_air_is_no_padding(load: Load) -> None:
    stored = np.random.default_rng(0).normal(24, 30, (64, 64)).astype(np.int16)
    assert load(stored).padding is None


def test_a_slice_that_fills_its_matrix_has_no_padding(load: Load) -> None:
    assert load(np.full((16, 16), 24, np.int16)).padding is None


@pytest.mark.parametrize(("side", "verb"), [(400, "padded"), (513, "cropped"), (640, "cropped")])
def test_another_matrix_is_padded_or_cropped_about_its_centre_and_says_so(
    write_dicom: Any, side: int, verb: str
) -> None:
    rows, columns = np.mgrid[:side, :side]
    stored = (rows + columns).astype(np.int16)
    path = write_dicom("a.dcm", stored)
    whole, fitted = read(path, size=None).series[0][0], read(path).series[0][0]
    assert whole.hu.shape == (side, side)
    assert fitted.hu.shape == (512, 512)
    assert fitted.notes == (f"{verb} from {side} x {side} to 512 x 512",)
    off = abs(512 - side) // 2
    if verb == "padded":
        np.testing.assert_array_equal(fitted.hu[off : off + side, off : off + side], whole.hu)
        assert fitted.padding is not None
        assert (fitted.hu[fitted.padding] == -1000).all()
        assert fitted.padding.sum() == 512**2 - side**2
    else:
        np.testing.assert_array_equal(fitted.hu, whole.hu[off : off + 512, off : off + 512])
        assert fitted.padding is None


def test_a_matrix_both_too_high_and_too_narrow_is_cropped_and_padded(write_dicom: Any) -> None:
    stored = np.full((600, 300), 1064, np.int16)
    ct_slice = read(write_dicom("a.dcm", stored)).series[0][0]
    assert (ct_slice.hu == 40).sum() == 512 * 300


def test_a_file_that_vanished_is_one_sentence(write_dicom: Any) -> None:
    path: Path = write_dicom("a.dcm")
    header = read(path).series[0].headers[0]
    path.unlink()
    with pytest.raises(ReadError, match=r"^a.dcm: No such file or directory; check the file$"):
        header.load()
