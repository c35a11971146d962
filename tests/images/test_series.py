"""Files become series in order; what is odd about a series is said in words."""

import dataclasses
import io
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import uid

from ctiqa.images.series import Series, patient_key, read


def instances(series: Series) -> list[int | None]:
    """Return the instance numbers of a series in its order."""
    return [header.identity.instance_number for header in series.headers]


def test_slices_are_ordered_by_position_not_by_name_or_number(
    tmp_path: Path, write_dicom: Any
) -> None:
    for name, number, z_mm in (("c", 1, 20.0), ("a", 2, 30.0), ("b", 3, 10.0)):
        write_dicom(f"s/{name}.dcm", InstanceNumber=number, ImagePositionPatient=[-100, -100, z_mm])
    (series,) = read(tmp_path / "s").series
    assert instances(series) == [3, 1, 2]
    assert [header.z_mm for header in series.headers] == [10, 20, 30]
    assert series.notes == ()


def test_the_position_counts_along_the_slice_normal(tmp_path: Path, write_dicom: Any) -> None:
    """In an image drawn upside down the normal points to the feet."""
    for z_mm in (10.0, 20.0):
        write_dicom(
            f"s/{z_mm}.dcm",
            ImageOrientationPatient=[1, 0, 0, 0, -1, 0],
            ImagePositionPatient=[0, 0, z_mm],
        )
    (series,) = read(tmp_path / "s").series
    assert [header.z_mm for header in series.headers] == [-20, -10]


@pytest.mark.parametrize(
    ("missing", "note"),
    [
        (("ImagePositionPatient",), "ordered by slice location"),
        (("ImagePositionPatient", "SliceLocation"), "ordered by instance number"),
        (
            ("ImagePositionPatient", "SliceLocation", "InstanceNumber"),
            "ordered by file name",
        ),
    ],
)
def test_without_positions_the_next_best_order_is_taken_and_named(
    tmp_path: Path, write_dicom: Any, missing: tuple[str, ...], note: str
) -> None:
    facts: dict[str, Any] = {"ImagePositionPatient": [0, 0, 0]}
    for name, place in (("b", 3), ("c", 1), ("a", 2)):
        facts |= {"SliceLocation": -place, "InstanceNumber": 7 - place}
        write_dicom(f"s/{name}.dcm", **facts | dict.fromkeys(missing))
    (series,) = read(tmp_path / "s").series
    names = "".join(header.identity.path[0] for header in series.headers)
    assert names == {"slice": "bac", "insta": "bac", "file ": "abc"}[note.split("by ")[1][:5]]
    assert any(written.startswith(note) for written in series.notes)


def test_repeated_positions_are_kept_and_noted(tmp_path: Path, write_dicom: Any) -> None:
    for index, z_mm in enumerate((0.0, 5.0, 5.0, 10.0)):
        write_dicom(f"s/{index}.dcm", ImagePositionPatient=[0, 0, z_mm])
    (series,) = read(tmp_path / "s").series
    assert len(series) == 4
    assert series.notes == ("1 of 4 slices repeat a position",)


def test_an_image_that_lies_there_twice_is_noted(tmp_path: Path, write_dicom: Any) -> None:
    for index in range(2):
        write_dicom(f"s/{index}.dcm", SOPInstanceUID="1.2.3")
    (series,) = read(tmp_path / "s").series
    assert len(series) == 2
    assert series.notes == ("1 of 2 images carry the SOP Instance UID of another",)


def test_gaps_and_mixed_thickness_are_noted(tmp_path: Path, write_dicom: Any) -> None:
    for index, z_mm in enumerate((0.0, 5.0, 10.0, 25.0, 30.0)):
        write_dicom(
            f"s/{index}.dcm",
            ImagePositionPatient=[0, 0, z_mm],
            SliceThickness=5 if index else 2.5,
        )
    (series,) = read(tmp_path / "s").series
    assert series.notes == (
        "1 gap, the widest of 15 mm where slices are 5 mm apart",
        "slices of several thicknesses: 2.5, 5 mm",
    )


def test_a_tilted_gantry_is_noted_with_its_angle(tmp_path: Path, write_dicom: Any) -> None:
    """The slices of a tilted gantry lie above one another along the table, not the normal."""
    tilt = np.radians(18.5)
    for index in range(3):
        write_dicom(
            f"s/{index}.dcm",
            ImageOrientationPatient=[1, 0, 0, 0, float(np.cos(tilt)), float(-np.sin(tilt))],
            ImagePositionPatient=[0, 0, 5.0 * index],
        )
    (series,) = read(tmp_path / "s").series
    assert series.notes == ("the gantry was tilted by 18.5 degrees: the slices are sheared",)


def test_series_are_told_apart_by_their_uid(tmp_path: Path, write_dicom: Any) -> None:
    for index in range(4):
        write_dicom(f"s/{index}.dcm", SeriesInstanceUID=f"1.2.{index % 2}")
    series = read(tmp_path / "s").series
    assert [one.series_instance_uid for one in series] == ["1.2.0", "1.2.1"]
    assert [instances(one) for one in series] == [[1, 3], [2, 4]]


def test_a_series_of_two_matrices_is_split_and_says_so(tmp_path: Path, write_dicom: Any) -> None:
    for index, side in enumerate((16, 16, 24)):
        write_dicom(f"s/{index}.dcm", np.full((side, side), 1064, np.int16))
    series = read(tmp_path / "s", size=None).series
    assert [len(one) for one in series] == [2, 1]
    for one in series:
        assert one.notes[-1] == "the series mixes orientations or matrices and is split by them"


def test_files_without_a_series_uid_are_a_series_by_folder(
    tmp_path: Path, write_dicom: Any
) -> None:
    for name in ("s/a/1", "s/a/2", "s/b/1"):
        write_dicom(name, SeriesInstanceUID=None)
    assert [len(series) for series in read(tmp_path / "s").series] == [2, 1]


def test_a_file_a_folder_and_a_zip_give_the_same_slices(tmp_path: Path, write_dicom: Any) -> None:
    rng = np.random.default_rng(0)
    paths = [
        write_dicom(f"s/{index}.dcm", rng.integers(0, 2000, (16, 16)).astype(np.int16))
        for index in range(3)
    ]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "s.zip", "w", method) as archive:
            for path in paths:
                archive.write(path, f"deep/er/{path.name}")
        whole = [
            np.stack([one.hu for one in read(inputs).series[0]])
            for inputs in (tmp_path / "s", tmp_path / "s.zip", paths)
        ]
        np.testing.assert_array_equal(whole[0], whole[1])
        np.testing.assert_array_equal(whole[0], whole[2])


def test_paths_are_relative_to_the_input(
    tmp_path: Path, write_dicom: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write_dicom("a/x/1.dcm"), write_dicom("b/1.dcm")

    def paths(*inputs: Path | str) -> list[str]:
        found = read(inputs[0] if len(inputs) == 1 else inputs).series
        return [header.identity.path for series in found for header in series.headers]

    assert paths(first) == ["1.dcm"]
    assert paths(tmp_path / "a") == ["x/1.dcm"]
    assert paths(tmp_path / "a", tmp_path / "b") == ["a/x/1.dcm", "b/1.dcm"]
    assert paths(first, second) == ["a/x/1.dcm", "b/1.dcm"]
    monkeypatch.chdir(tmp_path / "a")
    assert paths(".") == ["x/1.dcm"]
    assert paths("x/1.dcm") == ["1.dcm"]


def test_a_file_that_two_inputs_share_is_read_once(tmp_path: Path, write_dicom: Any) -> None:
    path = write_dicom("a/1.dcm")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (series,) = read([tmp_path / "a", path, tmp_path / "link"]).series
    assert len(series) == 1


def test_a_folder_that_links_to_itself_ends(tmp_path: Path, write_dicom: Any) -> None:
    write_dicom("a/1.dcm")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    assert [len(series) for series in read(tmp_path / "a").series] == [1]


def test_hidden_files_are_left_out(tmp_path: Path, write_dicom: Any) -> None:
    write_dicom("a/1.dcm")
    write_dicom("a/.2.dcm")
    write_dicom("a/.git/3.dcm")
    reading = read(tmp_path / "a")
    assert [len(series) for series in reading.series] == [1]
    assert not reading.refusals


def test_the_header_scan_decodes_no_pixel(
    write_dicom: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_arguments: Any) -> None:
        raise AssertionError

    path = write_dicom("a.dcm")
    monkeypatch.setattr("ctiqa.images.pixels.decode_frame", decode)
    assert len(read(path).series) == 1


def test_a_series_is_read_slice_by_slice_as_it_is_walked(tmp_path: Path, write_dicom: Any) -> None:
    for index in range(3):
        write_dicom(f"s/{index}.dcm", np.full((16, 16), 1024 + index, np.int16))
    (series,) = read(tmp_path / "s", size=None).series
    walk = iter(series)
    assert next(walk).hu[0, 0] == 0
    (tmp_path / "s" / "1.dcm").unlink()
    with pytest.raises(Exception, match=r"1\.dcm"):
        next(walk)


def test_threads_decode_what_one_thread_decodes(
    tmp_path: Path, write_dicom: Any, re_encode: Any
) -> None:
    rng = np.random.default_rng(0)
    syntaxes = [
        uid.ExplicitVRLittleEndian,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
        uid.JPEGLosslessSV1,
        uid.RLELossless,
    ]
    for index in range(20):
        stored = rng.integers(0, 4000, (64, 64)).astype(np.uint16)
        re_encode(write_dicom(f"s/{index}.dcm", stored), syntaxes[index % 5])
        (tmp_path / "s" / f"{index}.dcm").unlink()
    (series,) = read(tmp_path / "s", size=None).series
    one_by_one = [header.load().hu for header in series.headers]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda header: header.load().hu, [*series.headers] * 5))
    for index, hu in enumerate(together):
        np.testing.assert_array_equal(hu, one_by_one[index % 20])


def test_a_header_can_be_sent_to_another_process(write_dicom: Any) -> None:
    (series,) = read(write_dicom("a.dcm")).series
    sent = pickle.loads(pickle.dumps(series.headers[0]))  # noqa: S301 (our own bytes)
    assert sent == series.headers[0]
    np.testing.assert_array_equal(sent.load().hu, series[0].hu)


def test_no_object_holds_the_name_the_number_or_the_birthday_of_a_patient(
    write_dicom: Any,
) -> None:
    reading = read([write_dicom("a.dcm"), write_dicom("b.dcm", Modality="MR")])
    ct_slice = reading.series[0][0]
    told = repr((reading, dataclasses.astuple(ct_slice.identity), ct_slice.notes))
    for secret in ("Somebody", "hospital-4711", "19700101"):
        assert secret not in told


def test_the_patient_key_is_a_pseudonym(write_dicom: Any) -> None:
    identity = read(write_dicom("a.dcm")).series[0].headers[0].identity
    assert identity.patient_key == patient_key("hospital-4711")
    assert len(identity.patient_key) == 12
    assert identity.patient_key != patient_key("hospital-4712")


def test_without_a_patient_the_study_stands_for_one(write_dicom: Any) -> None:
    first, second = (
        read(write_dicom("a.dcm", PatientID=None, StudyInstanceUID=study)).series[0].headers[0]
        for study in ("1.2.3", "1.2.4")
    )
    assert first.identity.patient_key != second.identity.patient_key


def test_a_file_without_preamble_and_meta_header_is_read(tmp_path: Path, write_dicom: Any) -> None:
    """ACR-NEMA and its heirs begin with group 8 at once."""
    dataset = pydicom.dcmread(write_dicom("a.dcm"))
    for implicit in (True, False):
        bare = io.BytesIO()
        fresh = pydicom.Dataset()
        fresh.update({element.tag: element for element in dataset})
        pydicom.dcmwrite(bare, fresh, implicit_vr=implicit, little_endian=True)
        path = tmp_path / f"bare-{implicit}"
        path.write_bytes(bare.getvalue())
        assert read(path).series[0][0].hu[256, 256] == 40
