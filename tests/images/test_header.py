"""Numbers are read as they are meant, however a scanner wrote them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from ctiqa.images.header import parse_number
from ctiqa.images.series import read


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("001.000000E+00", 1.0),
        ("-01.024000E+03", -1024.0),
        ("  1 ", 1.0),
        ("1\0", 1.0),
        ("1,5", 1.5),
        ("+18.5", 18.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1.5D+02", 150.0),
        ("000120", 120.0),
    ],
)
def test_a_number_means_what_its_writer_meant(written: str, meant: float) -> None:
    assert parse_number(written) == meant


@pytest.mark.parametrize("written", ["", " ", "abc", "1_0", "1 2", "nan", "inf", "0x10", "1-2"])
def test_what_is_no_number_is_none(written: str) -> None:
    assert parse_number(written) is None


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 3))
def test_padding_with_blanks_and_nulls_changes_no_number(value: float, blanks: int) -> None:
    assert parse_number(" " * blanks + repr(value) + "\0" * blanks) == value


@pytest.mark.parametrize(
    ("slope", "intercept"),
    [
        (b"001.000000E+00", b"-01.024000E+03"),
        (b"  1 ", b"-1024 "),
        (b"1\0", b"-1024,0"),
        (b"1.000000", b"-1.024E3"),
    ],
)
def test_malformed_rescaling_in_a_file_gives_the_same_hu(
    write_dicom: Any, slope: bytes, intercept: bytes
) -> None:
    path = write_dicom("a.dcm", RescaleSlope=slope, RescaleIntercept=intercept, KVP=b"000120")
    ct_slice = read(path).series[0][0]
    assert ct_slice.hu[256, 256] == 40
    assert ct_slice.acquisition.kvp == 120


def test_the_facts_of_the_acquisition_are_read(write_dicom: Any) -> None:
    path = write_dicom(
        "a.dcm",
        KVP=b"100,0 ",
        XRayTubeCurrent=b"0440",
        CTDIvol=7.5,
        ConvolutionKernel=["I40f", "2"],
        SliceThickness=b"2.500000",
        Manufacturer="SIEMENS ",
        ManufacturerModelName="SOMATOM Definition Edge",
        BodyPartExamined="CHEST",
    )
    acquisition = read(path).series[0].headers[0].acquisition
    assert (acquisition.kvp, acquisition.tube_current_ma) == (100, 440)
    assert (acquisition.ctdivol_mgy, acquisition.slice_thickness_mm) == (7.5, 2.5)
    assert (acquisition.kernel, acquisition.manufacturer) == ("I40f/2", "SIEMENS")
    assert (acquisition.scanner, acquisition.body_part) == ("SOMATOM Definition Edge", "CHEST")


@pytest.mark.parametrize(
    ("code", "diameter_mm"), [("113690", 160), ("113691", 320), ("113692", None), ("", None)]
)
def test_the_phantom_of_the_dose_index_is_read(
    write_dicom: Any, code: str, diameter_mm: float | None
) -> None:
    item = Dataset()
    item.CodeValue = code
    path = write_dicom("a.dcm", CTDIvol=7.5, CTDIPhantomTypeCodeSequence=[item])
    assert read(path).series[0].headers[0].acquisition.ctdi_phantom_mm == diameter_mm


def test_what_a_header_does_not_say_is_none_or_empty(write_dicom: Any) -> None:
    path = write_dicom("a.dcm", KVP=None, SliceThickness=b"", XRayTubeCurrent=b"n/a")
    acquisition = read(path).series[0].headers[0].acquisition
    assert acquisition.kvp is None
    assert acquisition.slice_thickness_mm is None
    assert acquisition.tube_current_ma is None
    assert acquisition.kernel == ""


def test_text_in_any_character_set_is_one_printable_line(write_dicom: Any) -> None:
    path = write_dicom("a.dcm", ConvolutionKernel=b"B\xe9\r\n30f", Manufacturer="Müller".encode())
    acquisition = read(path).series[0].headers[0].acquisition
    assert acquisition.kernel == "Bé30f"
    assert acquisition.manufacturer == "Müller"


@pytest.mark.parametrize(
    ("elements", "acquired"),
    [
        ({"AcquisitionDate": b"20240229", "SeriesDate": b"20240301"}, "2024-02-29"),
        ({"AcquisitionDate": b"2024.02.29"}, "2024-02-29"),
        ({"AcquisitionDateTime": b"20240229115959.5+0100"}, "2024-02-29"),
        ({"FrameAcquisitionDateTime": b"20240229", "SeriesDate": b"20240301"}, "2024-02-29"),
        ({"AcquisitionDate": b"20230229", "SeriesDate": b"20240301"}, "2024-03-01"),
        ({"AcquisitionDate": b"2024W091"}, ""),
        ({"AcquisitionDate": b"202402"}, ""),
        ({"PatientBirthDate": "19700101"}, ""),
    ],
)
def test_the_day_of_the_scan_is_read_and_a_day_that_is_none_is_unknown(
    write_dicom: Any, elements: dict[str, Any], acquired: str
) -> None:
    path = write_dicom("a.dcm", **elements)
    assert read(path).series[0].headers[0].acquisition.acquired == acquired
