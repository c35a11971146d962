"""A map lies in the patient where its slice lies, and only in DICOM it names the patient."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import onnx
import pydicom
import pytest
from PIL import Image
from pydicom.uid import EnhancedCTImageStorage
from scipy import ndimage

import ctiqa
from ctiqa.errors import ModelError
from ctiqa.images.phantom import abdomen_slice
from ctiqa.images.window import SOFT_TISSUE
from ctiqa.outputs.map_picture import colours, map_beside_slice, map_over_slice
from ctiqa.outputs.maps import write_maps
from ctiqa.scoring.scorer import Scorer

WriteDicom = Callable[..., Path]

SIZE, CELL_PX = 128, 8
PIXEL_MM = 3.0
STEP_MM = np.array([0.5, -0.25, 4.0])
# A patient who lies askew in a tilted gantry.
ALONG_ROW = np.array([0.96, 0.28, 0.0])
ALONG_COLUMN = np.cross([0.28 * 0.28, -0.96 * 0.28, 0.96], ALONG_ROW)
ORIENTATION = [*ALONG_ROW, *ALONG_COLUMN]


@pytest.fixture(scope="module")
def scorer(map_model: Path) -> Scorer:
    return Scorer(map_model)


def stored(matrix: int, *, hot: tuple[int, int] | None = None) -> np.ndarray:
    """Return a slice as it is stored; ``hot`` names a cell of the network that holds a pattern."""
    ct_slice = abdomen_slice(level=0.5, size=max(matrix, SIZE), pixel_mm=PIXEL_MM)
    edge = (len(ct_slice.hu) - matrix) // 2
    # Without noise and sharp edges, so that little but the pattern is lost.
    smooth = ndimage.gaussian_filter(np.where(ct_slice.hu > -500, 40.0, -1000.0), 4)
    hu = np.rint(smooth[edge : edge + matrix, edge : edge + matrix])
    if hot:
        row, column = (CELL_PX * place + (matrix - SIZE) // 2 for place in hot)
        pattern = 20.0 * (-1) ** np.add.outer(np.arange(CELL_PX), np.arange(CELL_PX))
        hu[row : row + CELL_PX, column : column + CELL_PX] += pattern
    return (hu + 1024).astype(np.int16)


def write_scan(write_dicom: WriteDicom, *pixels: np.ndarray, **elements: Any) -> Path:
    for number, each in enumerate(pixels):
        facts = {
            "ImagePositionPatient": [*np.round(np.array([-100, 50, 20]) + number * STEP_MM, 4)],
            "ImageOrientationPatient": ORIENTATION,
            "PixelSpacing": [PIXEL_MM] * 2,
        }
        path = write_dicom(f"scan/{number}.dcm", each, **(facts | elements))
    return path.parent


def mapped(scan: Path, scorer: Scorer, folder: Path, *, step: int = 1) -> Any:
    reading = ctiqa.read(scan, size=SIZE)
    report = ctiqa.score(reading, model=scorer, step=step)
    return write_maps(report, reading, folder, scorer=scorer, threads=2)


def only(folder: Path, pattern: str) -> Path:
    (path,) = folder.rglob(pattern)
    return path


def errors(file: Path) -> list[str]:
    checked = subprocess.run(
        ["/usr/bin/env", "dciodvfy", str(file)], capture_output=True, text=True, check=False
    )
    return [line for line in checked.stderr.splitlines() if line.startswith("Error")]


def place_of_hottest(map_file: Path) -> np.ndarray:
    """Return where in the patient a Parametric Map is highest, read by pydicom alone."""
    dataset = pydicom.dcmread(map_file)
    shape = (dataset.NumberOfFrames, dataset.Rows, dataset.Columns)
    loss = np.frombuffer(dataset.FloatPixelData, np.float32).reshape(shape)
    frame, row, column = np.unravel_index(loss.argmax(), shape)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    own = dataset.PerFrameFunctionalGroupsSequence[frame].PlanePositionSequence[0]
    corner = np.array(own.ImagePositionPatient, float)
    # DICOM PS3.3, equation C.7.6.2.1-1.
    return corner + cosines[:3] * spacing[1] * column + cosines[3:] * spacing[0] * row


@pytest.mark.parametrize("matrix", [104, 110, 128, 144])
def test_a_hot_cell_lies_in_the_patient_where_its_pixels_lie(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path, matrix: int
) -> None:
    scan = write_scan(
        write_dicom, stored(matrix), stored(matrix, hot=(6, 9)), stored(matrix), stored(matrix)
    )
    files, refusals = mapped(scan, scorer, tmp_path / "maps")
    assert not refusals
    source = pydicom.dcmread(scan / "1.dcm")
    row, column = (CELL_PX * place + (CELL_PX - 1) / 2 + (matrix - SIZE) / 2 for place in (6, 9))
    expected = np.array(source.ImagePositionPatient, float) + PIXEL_MM * (
        column * ALONG_ROW + row * ALONG_COLUMN
    )
    found = place_of_hottest(only(tmp_path / "maps", "*.dcm"))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    volume = nibabel.load(only(tmp_path / "maps", "*.nii.gz"))
    hottest = np.unravel_index(np.nanargmax(volume.get_fdata()), volume.shape)
    right_front_head = volume.affine @ (*hottest, 1)
    np.testing.assert_allclose(right_front_head[:3], expected * (-1, -1, 1), atol=1e-3)
    assert {file.suffix for file in files} == {".png", ".gz", ".dcm"}


def test_both_volumes_hold_what_the_network_said(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path
) -> None:
    air = np.full((SIZE, SIZE), 24, np.int16)
    slices = [stored(SIZE, hot=(6, 9)), air, stored(SIZE), stored(SIZE, hot=(7, 8))]
    mapped(write_scan(write_dicom, *slices), scorer, tmp_path / "maps")
    expected = [
        np.where(loss := scorer.loss_map((each - 1024).astype(np.float32), 0.7), loss, 0)
        for each in slices
    ]
    dicom = pydicom.dcmread(only(tmp_path / "maps", "*.dcm")).pixel_array
    volume = nibabel.load(only(tmp_path / "maps", "*.nii.gz")).get_fdata(dtype=np.float32)
    assert np.isnan(volume[:, :, 1]).all()
    inside = (slice(5, 11), slice(5, 11))
    # highdicom sorts frames from the head down.
    for found, number in zip(dicom, (3, 2, 0), strict=True):
        np.testing.assert_array_equal(found, volume[:, :, number].T)
        np.testing.assert_array_equal(found[inside], expected[number][inside])


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not on the path")
def test_an_independent_validator_finds_no_error(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path
) -> None:
    scan = write_scan(write_dicom, stored(SIZE), stored(SIZE))
    mapped(scan, scorer, tmp_path / "maps")
    assert not errors(only(tmp_path / "maps", "*.dcm"))


def test_each_frame_names_its_image_and_the_map_says_what_its_values_are(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path
) -> None:
    scan = write_scan(write_dicom, *[stored(SIZE)] * 3)
    mapped(scan, scorer, tmp_path / "maps", step=2)
    dataset = pydicom.dcmread(only(tmp_path / "maps", "*.dcm"))
    sources = [pydicom.dcmread(scan / f"{number}.dcm") for number in (0, 2)]
    uids = [source.SOPInstanceUID for source in sources]
    frames = dataset.PerFrameFunctionalGroupsSequence
    named = [
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        for frame in frames
    ]
    assert named == uids[::-1]
    assert [one.ReferencedSOPInstanceUID for one in dataset.SourceImageSequence] == uids
    (series,) = dataset.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == sources[0].SeriesInstanceUID
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert dataset[keyword].value == sources[0][keyword].value
    (mapping,) = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    (quantity,) = mapping.QuantityDefinitionSequence
    assert quantity.ConceptCodeSequence[0].CodeValue == "quality-loss"
    assert dataset.DeviceSerialNumber == scorer.sha256


def test_a_frame_of_a_multi_frame_image_is_named_by_its_number(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path
) -> None:
    pixels = np.stack([stored(SIZE), stored(SIZE, hot=(6, 9))])
    path = write_dicom("many.dcm", pixels, NumberOfFrames=2)
    dataset = pydicom.dcmread(path)
    dataset.SOPClassUID = EnhancedCTImageStorage
    frames = []
    for number in range(2):
        place, frame = pydicom.Dataset(), pydicom.Dataset()
        place.ImagePositionPatient = [0, 0, 4 * number]
        frame.PlanePositionSequence = [place]
        frames.append(frame)
    del dataset.ImagePositionPatient
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.save_as(path)
    files, refusals = mapped(path, scorer, tmp_path / "maps")
    assert not refusals
    found = pydicom.dcmread(only(tmp_path / "maps", "*.dcm"))
    assert [
        frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        for frame in found.PerFrameFunctionalGroupsSequence
    ] == [2, 1]
    (source,) = found.SourceImageSequence
    assert source.ReferencedSOPClassUID == EnhancedCTImageStorage
    assert "ReferencedFrameNumber" not in source
    if shutil.which("dciodvfy"):
        assert not errors(files[-1])


def test_the_same_maps_are_the_same_files(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path
) -> None:
    scan = write_scan(write_dicom, stored(SIZE), stored(SIZE, hot=(6, 9)))
    mapped(scan, scorer, tmp_path / "a")
    mapped(scan, scorer, tmp_path / "b")
    names = [
        {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "a", tmp_path / "b")
    ]
    assert names[0] == names[1]
    for name in names[0]:
        if name.suffix != ".dcm":  # which tells when it was made
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_nifti_scan_has_its_map_in_its_own_place_and_none_in_dicom(
    scorer: Scorer, tmp_path: Path
) -> None:
    hu = np.stack([stored(SIZE), stored(SIZE, hot=(6, 9))]).astype(np.int16) - 1024
    affine = np.diag([-PIXEL_MM, -PIXEL_MM, 5.0, 1.0])
    affine[:3, 3] = 130, 110, -40
    nibabel.save(nibabel.Nifti1Image(hu.transpose(2, 1, 0), affine), tmp_path / "scan.nii")
    files, refusals = mapped(tmp_path / "scan.nii", scorer, tmp_path / "maps")
    assert not refusals
    assert [file.suffix for file in files] == [".png", ".png", ".gz"]
    volume = nibabel.load(files[-1])
    hottest = np.unravel_index(np.nanargmax(volume.get_fdata()), volume.shape)
    centre_px = [CELL_PX * place + (CELL_PX - 1) / 2 for place in (9, 6)]
    np.testing.assert_allclose(
        volume.affine @ (*hottest, 1), affine @ (*centre_px, 1, 1), atol=1e-3
    )


def test_uneven_slices_have_no_nifti_volume_and_one_place_has_no_two_frames(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path
) -> None:
    places = {"uneven": (0, 4, 12), "one place": (0, 4, 4)}
    for name, heights in places.items():
        for number, z_mm in enumerate(heights):
            write_dicom(
                f"{name}/{number}.dcm",
                stored(SIZE),
                ImagePositionPatient=[0, 0, z_mm],
                SeriesInstanceUID=f"1.2.{len(name)}",
            )
    files, (refusal,) = mapped(tmp_path / "uneven", scorer, tmp_path / "a")
    assert refusal == (
        "series 1.2.6: its slices are not evenly spaced, which a NIfTI volume cannot say; take the"
        " pictures or the DICOM map"
    )
    assert [file.suffix for file in files] == [".png"] * 3 + [".dcm"]
    files, refusals = mapped(tmp_path / "one place", scorer, tmp_path / "b")
    assert [file.suffix for file in files] == [".png"] * 3
    assert "several of its slices lie in one place" in refusals[1]


def test_a_scan_that_does_not_tell_where_it_lies_has_pictures_and_one_sentence(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path
) -> None:
    scan = write_scan(write_dicom, stored(SIZE), ImageOrientationPatient=None)
    files, (refusal,) = mapped(scan, scorer, tmp_path / "maps")
    assert [file.suffix for file in files] == [".png"]
    assert "do not tell where they lie in the patient" in refusal


def test_a_series_without_a_score_has_no_map_and_a_lone_slice_has_one(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path
) -> None:
    scan = write_scan(write_dicom, np.full((SIZE, SIZE), 24, np.int16))
    assert mapped(scan, scorer, tmp_path / "none") == ((), ())
    scan = write_scan(write_dicom, stored(SIZE, hot=(6, 9)))
    files, refusals = mapped(scan, scorer, tmp_path / "one")
    assert [file.suffix for file in files] == [".png", ".gz", ".dcm"]
    assert not refusals
    affine = nibabel.load(files[1]).affine
    # One slice of 1 mm, at right angles to its plane.
    np.testing.assert_allclose(affine[:3, 2] @ affine[:3, :2], 0, atol=1e-6)
    assert np.linalg.norm(affine[:3, 2]) == pytest.approx(1)


def test_a_model_without_a_map_is_refused_before_anything_is_written(
    write_dicom: WriteDicom, map_model: Path, tmp_path: Path
) -> None:
    network = onnx.load(map_model)
    del network.graph.output[1]
    onnx.save(network, tmp_path / "bare.onnx")
    bare = Scorer(tmp_path / "bare.onnx")
    with pytest.raises(ModelError, match="gives scores and no quality map"):
        mapped(write_scan(write_dicom, stored(SIZE)), bare, tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_nothing_but_the_dicom_map_names_the_patient(
    write_dicom: WriteDicom, scorer: Scorer, tmp_path: Path
) -> None:
    files, _ = mapped(write_scan(write_dicom, stored(SIZE)), scorer, tmp_path / "maps")
    dicom = [file for file in files if file.parent.name == "dicom"]
    assert [file.suffix for file in dicom] == [".dcm"]
    assert b"hospital-4711" in dicom[0].read_bytes()
    volume = nibabel.load(only(tmp_path / "maps", "*.nii.gz"))
    said = volume.header.binaryblock + b"".join(
        file.read_bytes() for file in files if file not in dicom
    )
    assert not [word for word in (b"Somebody", b"4711", b"19700101") if word in said]


def test_a_picture_leaves_the_grey_where_nothing_is_lost_and_a_caption_fits() -> None:
    hu = abdomen_slice(level=0.5, size=SIZE, pixel_mm=PIXEL_MM).hu
    loss = np.zeros_like(hu)
    loss[:, 64:] = 0.5
    over = np.asarray(map_over_slice(hu, loss, window=SOFT_TISSUE))[:, :SIZE]
    grey = np.rint(SOFT_TISSUE.apply(hu) * 255)
    np.testing.assert_array_equal(over[:, :64], grey[:, :64, None].repeat(3, axis=2))
    assert (np.ptp(over[:, 64:].astype(int), axis=2) > 40).all()
    long = map_beside_slice(hu, loss, "slice 100 of 200, score 0.500", window=SOFT_TISSUE)
    assert isinstance(long, Image.Image)
    assert not np.asarray(long)[:, -5:].any()


# Deuteranopia and protanopia, severity 1.0 (Machado et al. 2009, doi:10.1109/TVCG.2009.113).
BLINDNESS = {
    "none": np.eye(3),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}


@pytest.mark.parametrize("eyes", BLINDNESS)
def test_more_loss_is_lighter_for_all_eyes(eyes: str) -> None:
    colour = pytest.importorskip("skimage.color")
    srgb = colours(np.linspace(0, 1, 11, dtype=np.float32)) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ BLINDNESS[eyes].T, 0, 1)
    lightness = colour.xyz2lab(seen @ colour.colorconv.xyz_from_rgb.T)[:, 0]
    assert np.diff(lightness).min() > 1  # what the eye can tell apart, in CIELAB
