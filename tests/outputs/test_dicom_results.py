"""A DICOM report says what was found, number for number, of images that it names."""

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.sr import srread
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, EnhancedSRStorage

from ctiqa.card import Card
from ctiqa.errors import CtiqaError
from ctiqa.images.phantom import write_phantom_series
from ctiqa.images.series import Reading, read
from ctiqa.outputs import dicom_results
from ctiqa.outputs.dicom_results import check_highdicom, write_dicom_results
from ctiqa.outputs.sr_codes import SCHEME, SERIES_MEASURES, SLICE_MEASURES
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

WriteDicom = Callable[..., Path]

CARD = Card(name="a model", outputs=1, size=64, windows_hu=((2000.0, 0.0),))
SHA = "ab" * 32
# A third has no end as a decimal, and the noise needs all digits of a double.
PARTS = {"score_noise": 1 / 3, "score_sharpness": 0.1 + 0.2, "score_streaks": 1.0}


def result(place: int, **facts: Any) -> SliceResult:
    odd = place % 2 == 1
    told = {
        "path": f"{place}.dcm",
        "score": 1 / (place + 3),
        "noise_hu": None if place == 2 else 10 + np.pi * place,
        "status": "caution" if odd else "ok",
        "reasons": ("kernel B70f not in training", "tube voltage 80 kV") if odd else (),
        **PARTS,
    }
    return SliceResult(**(told | facts))


def report_on(reading: Reading, *rows: SliceResult, step: int = 1) -> ScoreReport:
    """Return a report on the slices of a reading, of the rows or of made-up ones."""
    slices, summaries, given = [], [], iter(rows)
    for series in reading.series:
        mine = [
            replace(
                next(given, None) or result(place), series_instance_uid=series.series_instance_uid
            )
            for place in range(len(series.headers[::step]))
        ]
        slices += mine
        summaries.append(SeriesSummary.of(mine, notes=("a gap of 3 mm",)))
    return ScoreReport(
        slices=tuple(slices), series=tuple(summaries), card=CARD, model_sha256=SHA, step=step
    )


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom_series(folder, slices=4, size=64, pixel_mm=6)
    return folder


@pytest.fixture(scope="module")
def made(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ScoreReport, Path, Path]:
    """Return a report, its structured report and its page."""
    reading = read(phantom, size=64)
    report = report_on(reading)
    (sr, sc), refusals = write_dicom_results(report, reading, tmp_path_factory.mktemp("out"))
    assert not refusals
    return report, sr, sc


def groups(file: Path) -> list[Any]:
    """Return the measurement groups of a report, as highdicom reads them: the series' first."""
    return list(srread(file).content.get_image_measurement_groups())


def numbers(group: Any) -> dict[tuple[str, str | None], float]:
    """Return the numbers of a group by the codes of what is measured and how it was derived."""
    found = {}
    for one in group.get_measurements():
        derivation = one.derivation
        found[one.name.value, derivation and derivation.value] = one.value
    return found


def errors(file: Path) -> list[str]:
    checked = subprocess.run(
        ["/usr/bin/env", "dciodvfy", str(file)], capture_output=True, text=True, check=False
    )
    return [line for line in checked.stderr.splitlines() if line.startswith("Error")]


def items(item: Dataset, name: str) -> list[Dataset]:
    """Return the children of a content item that bear a code, read by pydicom alone."""
    return [
        child
        for child in item.ContentSequence
        if child.ConceptNameCodeSequence[0].CodeValue == name
    ]


def test_every_number_of_every_slice_is_read_back_exactly(
    made: tuple[ScoreReport, Path, Path],
) -> None:
    report, file, _ = made
    slices = groups(file)[1:]
    assert len(slices) == len(report.slices)
    for row, group in zip(report.slices, slices, strict=True):
        expected = {
            (measure.name.value, None): getattr(row, measure.field)
            for measure in SLICE_MEASURES
            if getattr(row, measure.field) is not None
        }
        assert numbers(group) == expected


def test_the_first_group_sums_up_the_series(made: tuple[ScoreReport, Path, Path]) -> None:
    report, file, _ = made
    (summary,) = report.series
    assert summary.worst is not None
    assert summary.best is not None
    ends = {"score_worst": summary.worst["score"], "score_best": summary.best["score"]}
    assert numbers(groups(file)[0]) == {
        (measure.name.value, measure.derivation and measure.derivation.value): ends.get(
            measure.field, getattr(summary, measure.field, None)
        )
        for measure in SERIES_MEASURES
    }


def test_pydicom_alone_reads_units_status_reasons_and_notes(
    made: tuple[ScoreReport, Path, Path],
) -> None:
    report, file, _ = made
    dataset = pydicom.dcmread(file)
    (container,) = items(dataset, "126010")
    first, *rest = items(container, "125007")
    assert [note.TextValue for note in items(first, "121106")] == ["a gap of 3 mm"]
    for row, group in zip(report.slices, rest, strict=True):
        (status,) = items(group, "status")
        assert status.ConceptCodeSequence[0].CodeValue == row.status
        assert tuple(one.TextValue for one in items(group, "reason")) == row.reasons
        for code, unit in (("score", "1"), ("noise", "[hnsf'U]")):
            for number in items(group, code):
                (value,) = number.MeasuredValueSequence
                assert value.MeasurementUnitsCodeSequence[0].CodeValue == unit
    assert [one.CodingSchemeDesignator for one in dataset.CodingSchemeIdentificationSequence] == [
        SCHEME
    ]


def test_each_slice_names_its_own_image_and_the_evidence_names_all(
    made: tuple[ScoreReport, Path, Path], phantom: Path
) -> None:
    headers = read(phantom).series[0].headers
    uids = [header.identity.sop_instance_uid for header in headers]
    file = made[1]
    named = [group.source_images[0].referenced_sop_instance_uid for group in groups(file)[1:]]
    assert named == uids
    (study,) = pydicom.dcmread(file).CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert study.StudyInstanceUID == headers[0].identity.study_instance_uid
    assert series.SeriesInstanceUID == headers[0].identity.series_instance_uid
    assert [one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence] == uids


def test_the_model_stands_as_observer_and_as_algorithm_of_the_score_alone(
    made: tuple[ScoreReport, Path, Path],
) -> None:
    content = srread(made[1]).content
    (observer,) = content.get_observer_contexts()
    device = observer.observer_identifying_attributes
    assert (device.name, device.model_name, device.serial_number) == ("ctiqa", CARD.name, SHA)
    container = items(items(pydicom.dcmread(made[1]), "126010")[0], "125007")[1]
    (score,), (noise,) = items(container, "score"), items(container, "noise")
    assert items(score, "111001")[0].TextValue == CARD.name
    assert SHA in items(score, "111002")[0].TextValue
    assert items(noise, "111001")[0].TextValue == "ctiqa global noise"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not on the path")
def test_an_independent_validator_finds_no_error(made: tuple[ScoreReport, Path, Path]) -> None:
    assert [errors(file) for file in made[1:]] == [[], []]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not on the path")
def test_the_validator_does_find_an_error_where_one_is(
    made: tuple[ScoreReport, Path, Path], tmp_path: Path
) -> None:
    dataset = pydicom.dcmread(made[1])
    del dataset.CompletionFlag
    dataset.save_as(tmp_path / "broken.dcm")
    assert errors(tmp_path / "broken.dcm")


def test_patient_and_study_are_those_of_the_images(
    made: tuple[ScoreReport, Path, Path], phantom: Path
) -> None:
    source = pydicom.dcmread(min(phantom.iterdir()))
    for file in made[1:]:
        dataset = pydicom.dcmread(file)
        for keyword in ("PatientID", "PatientName", "PatientSex", "StudyInstanceUID", "StudyDate"):
            assert dataset[keyword].value == source[keyword].value
        assert dataset.SeriesInstanceUID != source.SeriesInstanceUID


def test_the_same_results_are_the_same_instances_and_other_results_are_others(
    made: tuple[ScoreReport, Path, Path], phantom: Path, tmp_path: Path
) -> None:
    report, *files = made
    reading = read(phantom, size=64)
    again, _ = write_dicom_results(report, reading, tmp_path)
    assert [file.name for file in again] == [file.name for file in files]
    changed = report_on(reading, result(0, score=0.99))
    other_model = replace(report, model_sha256="cd" * 32)
    for other in (changed, other_model):
        names = [file.name for file in write_dicom_results(other, reading, tmp_path)[0]]
        assert not {*names} & {file.name for file in files}


def test_an_interval_and_a_grade_stand_beside_their_number(phantom: Path, tmp_path: Path) -> None:
    reading = read(phantom, size=64)
    graded = result(0, reader_score=3.2, reader_low=2.5, reader_high=1 / 0.3)
    (file, _), _ = write_dicom_results(report_on(reading, graded), reading, tmp_path)
    group = items(items(pydicom.dcmread(file), "126010")[0], "125007")[1]
    (grade,) = items(group, "reader-score")
    for code, value in (("reader-low", 2.5), ("reader-high", 1 / 0.3)):
        (end,) = items(grade, code)
        assert end.RelationshipType == "HAS PROPERTIES"
        assert end.MeasuredValueSequence[0].FloatingPointValue == value


def test_a_zip_is_reported_like_its_folder(
    made: tuple[ScoreReport, Path, Path], phantom: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "scan.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in phantom.iterdir():
            archive.write(file, file.name)
    files, _ = write_dicom_results(made[0], read(packed, size=64), tmp_path / "out")
    assert [file.name for file in files] == [file.name for file in made[1:]]


def test_with_a_step_each_result_still_names_its_own_image(phantom: Path, tmp_path: Path) -> None:
    reading = read(phantom, size=64)
    (file, _), _ = write_dicom_results(report_on(reading, step=2), reading, tmp_path)
    uids = [one.identity.sop_instance_uid for one in reading.series[0].headers[::2]]
    named = [group.source_images[0].referenced_sop_instance_uid for group in groups(file)[1:]]
    assert named == uids


def comments(file: Path) -> list[str]:
    first = items(items(pydicom.dcmread(file), "126010")[0], "125007")[0]
    return [one.TextValue for one in items(first, "121106")]


def test_a_slice_without_a_valid_uid_counts_in_the_series_and_has_no_group(
    write_dicom: WriteDicom, tmp_path: Path
) -> None:
    write_dicom("scan/0.dcm")
    write_dicom("scan/1.dcm", SOPInstanceUID=b"1.02.x")
    reading = read(tmp_path / "scan", size=64)
    (file, _), _ = write_dicom_results(report_on(reading), reading, tmp_path / "out")
    series, *slices = groups(file)
    assert len(slices) == 1
    assert numbers(series)["n-scored", None] == 2
    assert "1 scored slices have no valid SOPInstanceUID and no group of their own" in comments(
        file
    )


def test_copies_of_an_image_have_one_group_and_different_slices_of_one_uid_none(
    write_dicom: WriteDicom, tmp_path: Path
) -> None:
    for number, uid in enumerate(("1.2.1", "1.2.2", "1.2.2", "1.2.3", "1.2.3")):
        write_dicom(f"scan/{number}.dcm", SOPInstanceUID=uid)
    reading = read(tmp_path / "scan", size=64)
    rows = [result(0), result(1), result(2), result(3), replace(result(3), path="copy.dcm")]
    (file, _), _ = write_dicom_results(report_on(reading, *rows), reading, tmp_path / "out")
    named = [group.source_images[0].referenced_sop_instance_uid for group in groups(file)[1:]]
    assert named == ["1.2.1", "1.2.3"]
    assert any("2 scored slices share a SOPInstanceUID" in note for note in comments(file))


def test_a_group_names_its_frame_of_a_multi_frame_image(
    write_dicom: WriteDicom, tmp_path: Path
) -> None:
    path = write_dicom("many.dcm", np.full((3, 16, 16), 1064, np.int16), NumberOfFrames=3)
    dataset = pydicom.dcmread(path)
    dataset.SOPClassUID = EnhancedCTImageStorage
    dataset.save_as(path)
    reading = read(path, size=64)
    assert len(reading.series[0].headers) == 3
    files, _ = write_dicom_results(report_on(reading), reading, tmp_path / "out")
    images = [group.source_images[0] for group in groups(files[0])[1:]]
    assert [image.referenced_frame_numbers for image in images] == [[1], [2], [3]]
    assert {image.referenced_sop_class_uid for image in images} == {EnhancedCTImageStorage}
    if shutil.which("dciodvfy"):
        assert not errors(files[0])


def test_foreign_characters_and_malformed_fields_do_not_spoil_the_report(
    write_dicom: WriteDicom, tmp_path: Path
) -> None:
    write_dicom(
        "scan/0.dcm",
        SpecificCharacterSet="ISO_IR 100",
        PatientName="Müller^Jürgen".encode("latin-1"),
        PatientSex="W",
        PatientBirthDate=b"unknown ",
        StudyDate=b"0000",
        StudyTime=b"noon",
        SeriesNumber=b"-7",
    )
    reading = read(tmp_path / "scan", size=64)
    files, _ = write_dicom_results(report_on(reading), reading, tmp_path / "out")
    for file in files:
        dataset = pydicom.dcmread(file)
        assert str(dataset.PatientName) == "Müller^Jürgen"
        assert not dataset.PatientSex
        assert not dataset.PatientBirthDate
        assert not dataset.StudyDate
        assert dataset.SeriesNumber > 0
        if shutil.which("dciodvfy"):
            assert not errors(file)


def test_what_the_images_leave_incomplete_is_not_carried_over(
    write_dicom: WriteDicom, tmp_path: Path
) -> None:
    path = write_dicom("scan/0.dcm", PatientIdentityRemoved="YES")
    source = pydicom.dcmread(path)
    whole, bare, reference = Dataset(), Dataset(), Dataset()
    whole.CodeValue, whole.CodingSchemeDesignator, whole.CodeMeaning = "1", "99SITE", "chest"
    bare.CodeMeaning = "abdomen"
    reference.ReferencedSOPInstanceUID = "1.2.3"
    source.ProcedureCodeSequence = [bare, whole]
    source.DeidentificationMethodCodeSequence = [bare]
    source.ReferencedStudySequence = [reference]
    source.save_as(path)
    reading = read(tmp_path / "scan", size=64)
    files, _ = write_dicom_results(report_on(reading), reading, tmp_path / "out")
    for file in files:
        dataset = pydicom.dcmread(file)
        assert [item.CodeMeaning for item in dataset.ProcedureCodeSequence] == ["chest"]
        assert dataset.DeidentificationMethod == "not stated by the images"
        assert not dataset.get("ReferencedStudySequence")
        assert "DeidentificationMethodCodeSequence" not in dataset
        if shutil.which("dciodvfy"):
            assert not errors(file)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"StudyInstanceUID": None}, "names no valid StudyInstanceUID"),
        ({"SeriesInstanceUID": b"1.02.x"}, "names no valid StudyInstanceUID and SeriesInstanceUID"),
        ({"SOPInstanceUID": b"1.02.x"}, "no scored slice has a valid SOPInstanceUID of its own"),
    ],
)
def test_a_series_that_no_archive_could_file_is_refused_in_a_sentence_and_others_go_on(
    write_dicom: WriteDicom, tmp_path: Path, phantom: Path, facts: dict[str, Any], words: str
) -> None:
    path = write_dicom("scan/0.dcm", **facts)
    reading = read([path, phantom], size=64)
    files, refusals = write_dicom_results(report_on(reading), reading, tmp_path / "out")
    assert len(files) == 2
    (refusal,) = refusals
    assert words in refusal


def test_a_series_without_a_score_is_refused(write_dicom: WriteDicom, tmp_path: Path) -> None:
    reading = read(write_dicom("0.dcm"), size=64)
    nothing = SliceResult(path="0.dcm", status="not_scored", reasons=("every pixel is 40 HU",))
    report = report_on(reading, nothing)
    files, (refusal,) = write_dicom_results(report, reading, tmp_path / "out")
    assert not files
    assert "no slice was scored" in refusal


def test_a_nifti_volume_is_refused(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    volume = np.zeros((16, 16, 2), np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "volume.nii")
    reading = read(tmp_path / "volume.nii", size=64)
    files, (refusal,) = write_dicom_results(report_on(reading), reading, tmp_path / "out")
    assert not files
    assert "it is no DICOM" in refusal


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_results, "find_spec", lambda _name: None)
    with pytest.raises(CtiqaError, match=r"pip install 'ctiqa\[sr\]'"):
        check_highdicom()


def test_the_page_is_a_grey_image_that_names_nobody_and_refers_to_worst_and_best(
    made: tuple[ScoreReport, Path, Path], phantom: Path
) -> None:
    page = pydicom.dcmread(made[2])
    assert page.pixel_array.shape == (page.Rows, page.Columns)
    assert page.pixel_array.max() > 200
    assert page.BurnedInAnnotation == "NO"
    headers = read(phantom).series[0].headers
    shown = [one.ReferencedSOPInstanceUID for one in page.SourceImageSequence]
    # Made-up scores fall along the table.
    assert shown == [headers[-1].identity.sop_instance_uid, headers[0].identity.sop_instance_uid]


def test_a_report_is_enhanced_sr_of_the_measurement_report_template(
    made: tuple[ScoreReport, Path, Path],
) -> None:
    document = srread(made[1])
    assert document.SOPClassUID == EnhancedSRStorage
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert isinstance(document.content, highdicom.sr.MeasurementReport)
