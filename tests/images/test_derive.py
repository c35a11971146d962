"""A changed slice goes back as a valid CT image that claims to be derived and nothing else."""

import zipfile
from pathlib import Path
from typing import Any

import gdcm
import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from ctiqa.errors import ReadError, WriteError
from ctiqa.images.derive import DerivedSeries, write_derived
from ctiqa.images.phantom import write_phantom_series
from ctiqa.images.series import SliceHeader, read

# Type 1 elements of the modules of the CT Image IOD (DICOM PS3.3, A.3), which must hold a value.
TYPE_1 = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "ImageType",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleIntercept",
    "RescaleSlope",
    "PixelData",
]
# Type 2: must be there, may be empty.
TYPE_2 = [
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "SeriesNumber",
    "Manufacturer",
    "InstanceNumber",
    "PositionReferenceIndicator",
    "SliceThickness",
    "KVP",
    "AcquisitionNumber",
]


def derive(header: SliceHeader, folder: Path, hu: np.ndarray | None = None) -> Dataset:
    """Write a slice back, unchanged if no ``hu`` is given, and read it with pydicom."""
    series = DerivedSeries.of(header, description="25 % dose", derivation="Noise was added.")
    hu = header.load().hu if hu is None else hu
    return pydicom.dcmread(write_derived(header, hu, folder, series=series))


@pytest.fixture
def header(write_dicom: Any) -> SliceHeader:
    """Return a slice of 24 x 24 with a rim of padding, private and stale elements."""
    stored = np.random.default_rng(0).integers(0, 2000, (24, 24)).astype(np.int16)
    stored[0], stored[-1] = -2000, -2000
    private = pydicom.DataElement(0x00091001, "LO", "secret of a vendor")
    path = write_dicom(
        "in/a.dcm",
        stored,
        PixelPaddingValue=-2000,
        SeriesDescription="Thorax 5.0",
        SeriesNumber=3,
        Private=private,
        SmallestImagePixelValue=-2000,
        ContentDate="20200101",
    )
    return read(path, size=None).series[0].headers[0]


def test_every_element_that_a_ct_image_must_have_is_there(
    header: SliceHeader, tmp_path: Path
) -> None:
    dataset = derive(header, tmp_path / "out")
    assert [keyword for keyword in TYPE_1 if dataset.get(keyword, "") == ""] == []
    assert [keyword for keyword in TYPE_2 if keyword not in dataset] == []
    assert dataset.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert dataset.SOPClassUID == uid.CTImageStorage


def test_what_must_be_there_is_there_even_where_the_source_lacks_it(
    write_dicom: Any, tmp_path: Path
) -> None:
    lacking = ["FrameOfReferenceUID", "StudyInstanceUID", "PatientName", "PatientID", "KVP"]
    path = write_dicom("a.dcm", **dict.fromkeys(lacking))
    dataset = derive(read(path, size=None).series[0].headers[0], tmp_path / "out")
    assert [keyword for keyword in TYPE_1 if keyword not in dataset] == []
    assert [keyword for keyword in TYPE_2 if keyword not in dataset] == []


def test_another_reader_finds_the_image_sound(header: SliceHeader, tmp_path: Path) -> None:
    derive(header, tmp_path / "out")
    reader = gdcm.ImageReader()
    reader.SetFileName(str(tmp_path / "out" / "a.dcm"))
    assert reader.Read()
    assert reader.GetImage().GetDimensions() == [24, 24]
    assert (reader.GetImage().GetSlope(), reader.GetImage().GetIntercept()) == (1, 0)


def test_it_claims_to_be_derived_and_names_its_source(header: SliceHeader, tmp_path: Path) -> None:
    dataset = derive(header, tmp_path / "out")
    assert list(dataset.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
    assert dataset.DerivationDescription == "Noise was added."
    (code,) = dataset.DerivationCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113042", "DCM")
    (source,) = dataset.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == header.identity.sop_instance_uid
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    (equipment,) = dataset.ContributingEquipmentSequence
    assert equipment.Manufacturer == "ctiqa"
    assert dataset.SeriesDescription == "Thorax 5.0 25 % dose"
    assert dataset.SeriesNumber == 9003


def test_it_has_an_identity_of_its_own_in_the_study_of_its_source(
    header: SliceHeader, tmp_path: Path
) -> None:
    dataset = derive(header, tmp_path / "out")
    identity = header.identity
    assert dataset.SOPInstanceUID != identity.sop_instance_uid
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert dataset.SeriesInstanceUID != identity.series_instance_uid
    assert dataset.StudyInstanceUID == identity.study_instance_uid
    assert dataset.FrameOfReferenceUID == "1.2.826.0.1.3680043.8.498.4"
    assert dataset.PatientID == "hospital-4711"


def test_what_is_no_longer_true_is_left_behind(header: SliceHeader, tmp_path: Path) -> None:
    dataset = derive(header, tmp_path / "out")
    assert not [element for element in dataset.iterall() if element.tag.is_private]
    for keyword in ("SmallestImagePixelValue", "ContentDate", "InstanceCreationDate"):
        assert keyword not in dataset


def test_an_unchanged_slice_returns_bit_for_bit_with_its_padding(
    header: SliceHeader, tmp_path: Path
) -> None:
    dataset = derive(header, tmp_path / "out")
    source = pydicom.dcmread(header.pixels.place.file)
    np.testing.assert_array_equal(dataset.pixel_array, source.pixel_array - 1024)
    assert dataset.PixelPaddingValue == -3024
    again = read(tmp_path / "out", size=None).series[0][0]
    np.testing.assert_array_equal(again.hu, header.load().hu)
    np.testing.assert_array_equal(again.padding, header.load().padding)


def test_a_changed_slice_keeps_its_padding(header: SliceHeader, tmp_path: Path) -> None:
    changed = header.load().hu + np.float32(7.4)
    dataset = derive(header, tmp_path / "out", changed)
    assert (dataset.pixel_array[[0, -1]] == -3024).all()
    np.testing.assert_array_equal(dataset.pixel_array[1:-1], np.rint(changed[1:-1]))


def test_the_same_words_give_the_same_bytes_and_other_words_other_uids(
    header: SliceHeader, tmp_path: Path
) -> None:
    derive(header, tmp_path / "one")
    derive(header, tmp_path / "two")
    first, second = ((tmp_path / name / "a.dcm").read_bytes() for name in ("one", "two"))
    assert first == second
    uids = {
        DerivedSeries.of(header, description=dose, derivation="").series_instance_uid
        for dose in ("25 %", "50 %")
    }
    assert len(uids) == 2


def test_a_padded_slice_loses_its_margin_again(write_dicom: Any, tmp_path: Path) -> None:
    header = read(write_dicom("a.dcm"), size=32).series[0].headers[0]
    dataset = derive(header, tmp_path / "out")
    assert dataset.pixel_array.shape == (16, 16)
    assert list(dataset.ImagePositionPatient) == [-100, -100, 1]


def test_a_cropped_slice_says_where_its_first_pixel_lies(write_dicom: Any, tmp_path: Path) -> None:
    stored = np.arange(40 * 40, dtype=np.int16).reshape(40, 40)
    path = write_dicom("a.dcm", stored, ImageOrientationPatient=[0, 1, 0, -1, 0, 0])
    header = read(path, size=32).series[0].headers[0]
    dataset = derive(header, tmp_path / "out")
    np.testing.assert_array_equal(dataset.pixel_array, stored[4:36, 4:36] - 1024)
    assert list(dataset.ImagePositionPatient) == [-100 - 4 * 0.75, -100 + 4 * 0.75, 1]


def test_a_frame_of_an_enhanced_image_becomes_an_image_of_its_own(
    write_enhanced: Any, re_encode: Any, tmp_path: Path
) -> None:
    stored = np.random.default_rng(0).integers(0, 2000, (2, 40, 48)).astype(np.uint16)
    path = re_encode(write_enhanced("e.dcm", stored, [5.0, 0.0], [1, 1]), uid.JPEGLSLossless)
    (series,) = read(path, size=None).series
    for header in series.headers:
        dataset = derive(header, tmp_path / "out")
        assert [keyword for keyword in TYPE_1 if keyword not in dataset] == []
        assert "NumberOfFrames" not in dataset
        assert "PerFrameFunctionalGroupsSequence" not in dataset
        assert dataset.SourceImageSequence[0].ReferencedFrameNumber == header.identity.frame
        assert dataset.ImagePositionPatient[2] == header.z_mm
        assert (dataset.KVP, list(dataset.ConvolutionKernel)) == (100, ["Br40", "3"])
    (derived,) = read(tmp_path / "out", size=None).series
    for old, new in zip(series, derived, strict=True):
        np.testing.assert_array_equal(old.hu, new.hu)


def test_a_source_in_a_zip_will_do(write_dicom: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(write_dicom("a.dcm"), "deep/a.dcm")
    derive(read(tmp_path / "in.zip", size=None).series[0].headers[0], tmp_path / "out")
    assert (tmp_path / "out" / "in.zip" / "deep" / "a.dcm").is_file()


def test_compression_with_loss_stays_on_record(
    write_dicom: Any, re_encode: Any, tmp_path: Path
) -> None:
    path = re_encode(
        write_dicom("a.dcm", np.full((32, 32), 900, np.uint16)), uid.JPEGLSNearLossless
    )
    dataset = derive(read(path, size=None).series[0].headers[0], tmp_path / "out")
    assert dataset.LossyImageCompression == "01"


def test_elements_that_nobody_understands_do_not_cost_the_slice(
    write_dicom: Any, tmp_path: Path
) -> None:
    path = write_dicom("a.dcm", TableHeight=b"1,5", ExposureTime=b"n/a", RescaleSlope=b"001.0E+00")
    dataset = derive(read(path, size=None).series[0].headers[0], tmp_path / "out")
    assert dataset.pixel_array[0, 0] == 40


def test_a_volume_of_nifti_cannot_become_dicom(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.full((8, 8, 1), -900, np.int16), np.eye(4)), tmp_path / "a.nii")
    header = read(tmp_path / "a.nii", size=None).series[0].headers[0]
    with pytest.raises(ReadError, match=r"^a.nii: .* needs a DICOM source"):
        derive(header, tmp_path / "out")


def test_a_full_disk_leaves_no_half_of_an_image(
    header: SliceHeader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hu = header.load().hu

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WriteError, match="No space left on device"):
        derive(header, tmp_path / "out", hu)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_slice_of_another_shape_is_a_mistake_of_the_caller(
    header: SliceHeader, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"not the shape of a\.dcm"):
        derive(header, tmp_path, np.zeros((5, 5), np.float32))


def test_a_phantom_series_comes_back_as_it_went(tmp_path: Path) -> None:
    write_phantom_series(tmp_path / "in", slices=2, size=128, pixel_mm=3)
    (series,) = read(tmp_path / "in", size=None).series
    for header in series.headers:
        derive(header, tmp_path / "out")
    (derived,) = read(tmp_path / "out", size=None).series
    assert [header.z_mm for header in derived.headers] == [header.z_mm for header in series.headers]
    for old, new in zip(series, derived, strict=True):
        np.testing.assert_array_equal(old.hu, new.hu)
