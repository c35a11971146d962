"""A simulated series is valid derived DICOM, repeatable, and whole or not there."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest

from ctiqa.dose import derived
from ctiqa.dose.derived import Simulation, simulate, simulate_series
from ctiqa.dose.series import LowerDose
from ctiqa.errors import ReadError, WriteError
from ctiqa.images.ct_slice import FloatImage, Mask
from ctiqa.images.phantom import write_phantom_series
from ctiqa.images.series import Series, read
from ctiqa.measures.global_noise import soft_tissue

LOWER = LowerDose((0.5, 0.25))


class Broken:
    """Pixels that turn out to be damaged when they are wanted."""

    def decode(self) -> tuple[FloatImage, Mask | None]:
        raise ValueError("the code stream ends early")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a small synthetic series of three slices."""
    folder = tmp_path_factory.mktemp("source") / "scan"
    write_phantom_series(folder, slices=3, kind="abdomen", size=256, pixel_mm=1.5)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def simulated(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    """Return the series at half and quarter dose."""
    return simulate(scan, tmp_path_factory.mktemp("lower"), lower=LOWER)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, by its path there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def the_series(scan: Path) -> Series:
    (series,) = read(scan, size=None).series
    return series


def test_each_dose_gets_a_folder_with_every_slice(scan: Path, simulated: Simulation) -> None:
    (series,) = simulated.series
    assert [folder.name for folder in series.folders] == ["scan-dose-0.50", "scan-dose-0.25"]
    for folder in series.folders:
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            path.name for path in scan.iterdir()
        )
    assert series.slices == 3
    assert simulated.refusals == ()


def test_the_images_say_that_they_are_derived_and_from_what(
    scan: Path, simulated: Simulation
) -> None:
    half, quarter = simulated.series[0].folders
    source = pydicom.dcmread(scan / "0001.dcm")
    image = pydicom.dcmread(quarter / "0001.dcm")
    assert image.ImageType[0] == "DERIVED"
    assert image.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert image.StudyInstanceUID == source.StudyInstanceUID
    assert image.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert image.ImagePositionPatient == source.ImagePositionPatient
    other = pydicom.dcmread(half / "0001.dcm")
    uids = {one.SeriesInstanceUID for one in (source, image, other)}
    assert len(uids) == len({one.SOPInstanceUID for one in (source, image, other)}) == 3
    assert len({one.SeriesNumber for one in (source, image, other)}) == 3
    for folder in (half, quarter):
        assert len({pydicom.dcmread(path).SeriesInstanceUID for path in folder.iterdir()}) == 1


def test_the_derivation_names_dose_quanta_window_and_seed(simulated: Simulation) -> None:
    series = simulated.series[0]
    text = pydicom.dcmread(series.folders[1] / "0001.dcm").DerivationDescription
    for words in (
        "25 % of the dose",
        "quanta per unattenuated ray",
        "exp(",
        "seed 0",
        "This slice",
    ):
        assert words in text
    assert f"{series.quanta[0]:.4g} to {series.quanta[1]:.4g}" in text
    assert len(text) < 1024


def test_the_written_noise_is_what_the_dose_asks_for(scan: Path, simulated: Simulation) -> None:
    # Quarter dose adds three times the variance of the scan's own noise, half dose once.
    source = np.stack([one.hu for one in the_series(scan)])
    tissue = np.stack([soft_tissue(hu) for hu in source])
    added = [
        (np.stack([one.hu for one in the_series(folder)]) - source)[tissue].var()
        for folder in simulated.series[0].folders
    ]
    assert added[1] / added[0] == pytest.approx(3, rel=0.05)


def test_the_same_seed_writes_the_same_bytes_with_any_number_of_threads(
    scan: Path, simulated: Simulation, tmp_path: Path
) -> None:
    again = simulate(scan, tmp_path, lower=LOWER, threads=1).series[0].folders
    for first, second in zip(simulated.series[0].folders, again, strict=True):
        assert contents(first) == contents(second)


def test_another_seed_writes_another_series(
    scan: Path, simulated: Simulation, tmp_path: Path
) -> None:
    lower = replace(LOWER, seed=1)
    (folder, _) = simulate(scan, tmp_path, lower=lower).series[0].folders
    first = pydicom.dcmread(simulated.series[0].folders[0] / "0001.dcm")
    second = pydicom.dcmread(folder / "0001.dcm")
    assert first.PixelData != second.PixelData
    assert first.SeriesInstanceUID != second.SeriesInstanceUID


def test_every_second_slice_is_taken_on_request(scan: Path, tmp_path: Path) -> None:
    (series,) = simulate(scan, tmp_path, lower=LowerDose((0.5,)), step=2).series
    assert series.slices == len(list(series.folders[0].iterdir())) == 2


def test_a_series_simulated_again_gets_fresh_noise(scan: Path, tmp_path: Path) -> None:
    # Half of a half with the same seed: equal noise would add up to twice, not to root two.
    half = simulate(scan, tmp_path, lower=LowerDose((0.5,))).series[0].folders[0]
    again = simulate(half, tmp_path, lower=LowerDose((0.5,))).series[0].folders[0]
    source, first, second = (
        np.stack([one.hu for one in the_series(folder)]) for folder in (scan, half, again)
    )
    correlation = np.corrcoef((first - source).ravel(), (second - first).ravel())[0, 1]
    assert abs(correlation) < 0.05


def test_a_damaged_slice_is_refused_and_the_others_are_written(scan: Path, tmp_path: Path) -> None:
    series = the_series(scan)
    headers = list(series.headers)
    headers[1] = replace(headers[1], pixels=Broken())
    result = simulate_series(
        replace(series, headers=tuple(headers)), tmp_path, lower=LOWER, name="scan"
    )
    assert [refusal.path for refusal in result.refusals] == [headers[1].identity.path]
    assert "damaged" in result.refusals[0].reason
    assert result.slices == 2
    assert [len(list(folder.iterdir())) for folder in result.folders] == [2, 2]


def test_where_no_slice_can_be_read_no_series_appears(scan: Path, tmp_path: Path) -> None:
    series = the_series(scan)
    headers = tuple(replace(header, pixels=Broken()) for header in series.headers)
    result = simulate_series(replace(series, headers=headers), tmp_path, lower=LOWER, name="scan")
    assert result.folders == ()
    assert len(result.refusals) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_series_that_is_there_is_not_touched(scan: Path, tmp_path: Path) -> None:
    there = tmp_path / "scan-dose-0.25"
    there.mkdir()
    (there / "mine.txt").write_text("mine")
    with pytest.raises(WriteError, match=r"scan-dose-0\.25 is there already: delete it"):
        simulate(scan, tmp_path, lower=LOWER)
    assert contents(tmp_path) == {"scan-dose-0.25/mine.txt": b"mine"}


@pytest.mark.parametrize("failure", [WriteError("the disk is full"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_nothing(
    failure: BaseException, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def fails(*arguments: Any, **options: Any) -> Path:
        if len(written) == 3:
            raise failure
        written.append(write(*arguments, **options))
        return written[-1]

    write: Callable[..., Path] = derived.write_derived
    monkeypatch.setattr(derived, "write_derived", fails)
    with pytest.raises(type(failure)):
        simulate(scan, tmp_path, lower=LOWER, threads=1)
    assert written
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_does_not_get_into_the_next(scan: Path, tmp_path: Path) -> None:
    left = tmp_path / ".scan-dose-0.50.part"
    left.mkdir()
    (left / "stale.dcm").write_bytes(b"half")
    simulate(scan, tmp_path, lower=LOWER)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan-dose-0.25", "scan-dose-0.50"]
    assert not (tmp_path / "scan-dose-0.50" / "stale.dcm").exists()


def test_an_oblong_odd_matrix_keeps_its_shape_and_its_padding(
    write_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    stored = np.full((97, 80), 1064, np.int16)
    stored[:, :9] = -2000
    source = write_dicom("odd/0.dcm", stored, PixelPaddingValue=-2000)
    (series,) = simulate(source, tmp_path / "out", lower=LowerDose((0.125,))).series
    assert series.folders[0].name == "odd-dose-0.125"
    (path,) = series.folders[0].iterdir()
    image = pydicom.dcmread(path)
    assert (image.Rows, image.Columns) == (97, 80)
    ours, theirs = read(path, size=None).series[0][0], read(source, size=None).series[0][0]
    assert ours.padding is not None
    assert np.array_equal(ours.padding, theirs.padding)
    assert (ours.hu[~ours.padding] != theirs.hu[~ours.padding]).mean() > 0.9


def test_series_of_one_folder_are_told_apart(
    write_dicom: Callable[..., Path], tmp_path: Path
) -> None:
    write_dicom("both/a.dcm")
    write_dicom("both/b.dcm", SeriesInstanceUID="1.2.3")
    simulation = simulate(tmp_path / "both", tmp_path / "out", lower=LowerDose((0.5,)))
    names = [series.folders[0].name for series in simulation.series]
    assert names == ["both-dose-0.50", "both-2-dose-0.50"]


def test_nifti_is_refused_in_a_sentence(scan: Path, tmp_path: Path) -> None:
    volume = np.full((32, 32, 2), -1000, np.int16)
    file = tmp_path / "in" / "volume.nii.gz"
    file.parent.mkdir()
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), file)
    with pytest.raises(ReadError, match="needs a DICOM source; give the scan as DICOM"):
        simulate(file, tmp_path / "out", lower=LOWER)
    both = simulate([file, scan], tmp_path / "out", lower=LowerDose((0.5,)))
    assert [refusal.path.rsplit("/", 1)[-1] for refusal in both.refusals] == ["volume.nii.gz"]
    assert len(both.series) == 1


def test_progress_runs_to_its_end(scan: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    simulate(scan, tmp_path, lower=LOWER, progress=lambda done, of: told.append((done, of)))
    assert told == sorted(told)
    assert told[-1] == (9, 9)  # three slices measured, six images written
