"""Every image that goes in comes out as a row, in order, in bounded memory."""

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ctiqa
from ctiqa.card import Card
from ctiqa.errors import ModelError, ReadError
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.global_noise import global_noise_hu
from ctiqa.scoring.predict import Scorer, score

MakeSlice = Callable[..., CTSlice]
WriteDicom = Callable[..., Path]
WriteModel = Callable[..., Path]


def water(number: int, side: int = 64) -> np.ndarray:
    """Return stored values of water with 10 HU of noise, 1024 standing for 0 HU."""
    noise = np.random.default_rng(number).normal(0, 10, (side, side))
    return (noise + 1024).round().astype(np.int16)


@pytest.fixture
def scan(write_dicom: WriteDicom) -> Path:
    """Return a folder of five slices."""
    paths = [write_dicom(f"scan/{number}.dcm", water(number)) for number in range(5)]
    return paths[0].parent


def test_a_row_tells_which_image_how_it_was_made_and_which_model_scored(
    model: Path, make_slice: MakeSlice
) -> None:
    ct_slice = make_slice(number=3)
    (row,) = score([ct_slice], model=model).slices
    mean = float(ct_slice.hu.mean()) / 1000
    assert row.score == pytest.approx(mean + 0.15, abs=1e-6)
    assert row.members == pytest.approx([mean, mean + 0.1, mean + 0.2, mean + 0.3], abs=1e-6)
    assert row.noise_hu == global_noise_hu(ct_slice.hu)
    assert (row.status, row.reasons) == ("ok", ())
    assert (row.path, row.sop_instance_uid, row.instance_number) == ("scan/3.dcm", "1.3.3", 3)
    assert (row.z_mm, row.pixel_mm, row.kvp, row.kernel) == (3.0, 0.75, 120.0, "B30f")
    assert (row.scanner, row.body_part, row.model) == ("Edge", "CHEST", "mean")
    assert row.model_sha256 == Scorer(model).sha256


@pytest.mark.parametrize(("level", "expected"), [(-160, 0.0), (100, 0.25), (900, 1.0)])
def test_a_score_is_the_mean_of_the_members_clipped_to_0_and_1(
    model: Path, make_slice: MakeSlice, level: float, expected: float
) -> None:
    hu = np.full((64, 64), level, np.float32)
    hu[:, ::2] += 1
    hu[:, 1::2] -= 1
    (row,) = score([make_slice(hu)], model=model).slices
    assert row.score == pytest.approx(expected, abs=1e-6)


def test_a_folder_is_scored_in_the_order_of_its_slices(model: Path, scan: Path) -> None:
    report = score(scan, model=model)
    assert [row.z_mm for row in report.slices] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [row.path for row in report.slices] == [f"{number}.dcm" for number in range(5)]


def test_the_same_slices_score_the_same_however_they_are_given(model: Path, scan: Path) -> None:
    reading = ctiqa.read(scan, size=64)
    volume = np.stack([ct_slice.hu for ct_slice in reading.series[0]])
    ways = [
        scan,
        str(scan),
        [scan],
        sorted(scan.iterdir()),
        reading,
        reading.series[0],
        list(reading.series[0]),
        iter(reading.series[0]),
    ]
    scores = [[row.score for row in score(way, model=model).slices] for way in ways]
    scores.append([row.score for row in score(volume, model=model, hu=True, pixel_mm=1).slices])
    scores.append([row.score for row in score(scan, model=Scorer(model)).slices])
    assert all(each == scores[0] for each in scores)


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (2, 3), (64, 2)])
def test_batches_and_threads_change_nothing(
    model: Path, scan: Path, batch: int, threads: int
) -> None:
    assert score(scan, model=model, batch=batch, threads=threads) == score(scan, model=model)


def test_one_slice_of_an_array_is_scored(model: Path) -> None:
    report = score(np.zeros((64, 64)) + np.eye(64), model=model, hu=True, pixel_mm=0.7)
    assert [row.instance_number for row in report.slices] == [1]


@pytest.mark.parametrize("told", [{}, {"hu": True}, {"pixel_mm": 0.7}])
def test_an_array_without_its_unit_is_refused(model: Path, told: dict[str, float]) -> None:
    with pytest.raises(ReadError, match="hu=True"):
        score(np.zeros((2, 64, 64)), model=model, **told)


@pytest.mark.parametrize("foreign", [7, [7], {"a": 1}, [np.zeros((64, 64))]])
def test_what_holds_no_slices_is_refused(model: Path, foreign: object) -> None:
    with pytest.raises(ReadError, match="cannot be scored"):
        score(foreign, model=model)  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize("option", ["step", "batch", "threads"])
def test_a_step_batch_or_thread_count_below_one_is_a_mistake_of_the_caller(
    model: Path, scan: Path, option: str
) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        score(scan, model=model, **{option: 0})


def test_every_second_slice_of_each_series_is_scored_with_a_step_of_two(
    model: Path, write_dicom: WriteDicom
) -> None:
    for number in range(3):
        write_dicom(f"both/a{number}.dcm", water(number))
    for number in range(3):
        last = write_dicom(f"both/b{number}.dcm", water(number), SeriesInstanceUID="1.2.9")
    report = score(last.parent, model=model, step=2)
    assert [row.path for row in report.slices] == ["a0.dcm", "a2.dcm", "b0.dcm", "b2.dcm"]
    assert [series.slices for series in report.series] == [2, 2]
    assert report.step == 2


def test_a_damaged_image_gets_its_reason_and_the_others_go_on(model: Path, scan: Path) -> None:
    whole = (scan / "2.dcm").read_bytes()
    (scan / "2.dcm").write_bytes(whole[:-1000])
    report = score(scan, model=model)
    assert len(report) == 5
    (lost,) = report.refused
    assert (lost.path, lost.score, lost.members) == ("2.dcm", None, ())
    assert len(lost.reasons) == 1
    assert sum(row.score is not None for row in report.slices) == 4


def test_pixels_that_cannot_be_decoded_count_in_their_series(model: Path, scan: Path) -> None:
    reading = ctiqa.read(scan, size=64)
    for path in sorted(scan.iterdir())[1:3]:
        path.unlink()
    report = score(reading, model=model)
    (series,) = report.series
    assert (series.slices, series.scored, series.not_scored) == (5, 3, 2)
    assert [row.path for row in report.refused] == ["1.dcm", "2.dcm"]
    assert all("check the file" in row.reasons[0] for row in report.refused)
    assert not any(row.path in row.reasons[0] for row in report.refused)


def test_a_path_that_does_not_exist_is_a_row_too(model: Path, tmp_path: Path) -> None:
    report = score(tmp_path / "nowhere", model=model)
    assert [(row.status, row.score) for row in report.slices] == [("not_scored", None)]
    assert report.series == ()


def test_a_matrix_of_another_size_is_padded_and_said(model: Path, write_dicom: WriteDicom) -> None:
    path = write_dicom("small.dcm", water(0, side=48))
    (row,) = score(path, model=model).slices
    assert row.status == "caution"
    assert "padded from 48 x 48 to 64 x 64" in row.reasons
    padded = np.full((64, 64), -1000, np.float32)
    padded[8:56, 8:56] = water(0, side=48) - 1024.0
    expected = Scorer(model).score_batch(padded[np.newaxis], 0.7).mean()
    assert row.score == pytest.approx(max(float(expected), 0), abs=1e-6)


def test_a_tilted_gantry_gives_caution(model: Path, write_dicom: WriteDicom) -> None:
    cosine, sine = np.cos(np.radians(15)), np.sin(np.radians(15))
    for number in range(3):
        path = write_dicom(
            f"tilted/{number}.dcm",
            water(number),
            ImageOrientationPatient=[1, 0, 0, 0, cosine, -sine],
            ImagePositionPatient=[-100, -100, 5.0 * number],
            GantryDetectorTilt=15,
        )
    report = score(path.parent, model=model)
    assert {row.status for row in report.slices} == {"caution"}
    assert all("tilt" in row.reasons[0] for row in report.slices)


def test_a_slice_without_soft_tissue_has_no_noise(model: Path, make_slice: MakeSlice) -> None:
    hu = make_slice().hu - 300
    (row,) = score([make_slice(hu)], model=model).slices
    assert row.noise_hu is None


def test_slices_of_two_series_are_summed_up_apart(model: Path, make_slice: MakeSlice) -> None:
    mixed = [make_slice(number=number, series=f"1.{number % 2}") for number in range(1, 7)]
    report = score(mixed, model=model)
    assert [series.series_instance_uid for series in report.series] == ["1.1", "1.0"]
    assert [series.slices for series in report.series] == [3, 3]


def test_progress_is_told_to_the_end(model: Path, make_slice: MakeSlice) -> None:
    told: list[tuple[int, int | None]] = []
    slices = [make_slice(number=number) for number in range(7)]
    score(slices, model=model, batch=2, progress=lambda *count: told.append(count))
    score(iter(slices), model=model, batch=4, progress=lambda *count: told.append(count))
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7), (4, None), (7, None)]


def test_a_generator_is_never_read_far_ahead(model: Path, make_slice: MakeSlice) -> None:
    taken = done = furthest = 0
    template = make_slice()

    def slices() -> Iterator[CTSlice]:
        nonlocal taken, furthest
        for _ in range(60):
            taken += 1
            furthest = max(furthest, taken - done)
            yield template

    def progress(count: int, _total: int | None) -> None:
        nonlocal done
        done = count

    score(slices(), model=model, batch=2, threads=2, progress=progress)
    # Two batches a thread may be under way, and one is being drawn.
    assert 2 < furthest <= 10


def test_memory_does_not_grow_with_the_length_of_a_series(
    model: Path, make_slice: MakeSlice
) -> None:
    template = make_slice()

    def peak(count: int) -> int:
        slices = (
            replace(template, hu=template.hu.copy(), identity=replace(template.identity, path="p"))
            for _ in range(count)
        )
        tracemalloc.start()
        score(slices, model=model, batch=2, threads=2)
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # Held, 300 more slices of 64 x 64 would be 5 MB; their rows are about 0.5 MB.
    assert peak(350) - peak(50) < 2_000_000


def test_parts_of_the_score_stand_beside_it_where_the_model_tells_them(
    write_model: WriteModel, card: Card, make_slice: MakeSlice
) -> None:
    in_parts = replace(card, parts=("score", "noise"))
    bright = make_slice(np.full((64, 64), 300, np.float32) + make_slice().hu)
    told = score([bright], model=write_model(card_text=in_parts.to_json()))
    plain = score([bright], model=write_model(card_text=card.to_json()))
    assert told.columns == (*plain.columns, "score_noise")
    row, values = told.slices[0], told.to_dict()["slices"][0]
    # Two members of two parts: the mean HU in thousands plus 0 and 0.2, plus 0.1 and 0.3.
    assert row.score_noise == pytest.approx(row.score + 0.1, abs=1e-6)
    assert len(row.members) == 2
    assert values["score_noise"] == row.score_noise
    assert not any(name.startswith("score_") for name in plain.to_dict()["slices"][0])
    assert "score_sharpness" not in values


def test_a_failing_model_ends_the_run_at_once(
    model: Path, make_slice: MakeSlice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_scorer: Scorer, *_batch: object) -> None:
        raise ModelError("out of memory")

    monkeypatch.setattr(Scorer, "parts_batch", fail)
    drawn = iter([make_slice()] * 1000)
    with pytest.raises(ModelError, match="out of memory"):
        score(drawn, model=model, threads=1, batch=1)
    assert len(list(drawn)) > 900


def test_no_name_and_no_identifier_of_a_patient_is_in_a_result(model: Path, scan: Path) -> None:
    words = repr(score(scan, model=model))
    assert "Somebody" not in words
    assert "4711" not in words
    assert ctiqa.read(scan).series[0].headers[0].identity.patient_key not in words


def test_rows_stand_by_series_however_the_slices_come(model: Path, make_slice: MakeSlice) -> None:
    slices = [make_slice(number=number, series=f"1.{number % 2}") for number in range(5)]
    report = score(iter(slices), model=model)
    found = {
        summary.series_instance_uid: [row.instance_number for row in rows]
        for summary, rows in report.by_series()
    }
    assert found == {"1.0": [0, 2, 4], "1.1": [1, 3]}
