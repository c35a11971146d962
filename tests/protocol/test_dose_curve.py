"""A dose curve falls with dose, obeys the noise law where the scan does, and repeats itself."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

import ctiqa
from ctiqa.card import Card, TrainingRange
from ctiqa.dose.simulate import Scan, lower_dose
from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.images.phantom import water_slice, write_phantom_series
from ctiqa.images.series import Reading, Series
from ctiqa.images.slice_header import SliceHeader
from ctiqa.measures.global_noise import global_noise_hu
from ctiqa.protocol import dose_curve as module
from ctiqa.protocol.dose_curve import dose_curves
from ctiqa.protocol.dose_result import COLUMNS, MODEL_COLUMNS, DoseCurves
from ctiqa.protocol.lowest_dose import Goal, lowest_dose
from ctiqa.scoring.intake import _InMemory
from ctiqa.scoring.scorer import Scorer

SIZE, PIXEL_MM = 256, 1.4
DOSES = (0.5, 0.25)
KEEP = Goal(0.95, relative=True)


class NoiseMeter(Scorer):
    """A model whose score is 1 - log10(noise) / 4: linear in the logarithm of the dose."""

    def __init__(self, *, noise_hu: tuple[float, float] | None = None) -> None:
        self.card = Card(
            name="noise meter",
            outputs=1,
            size=SIZE,
            windows_hu=((2000.0, 0.0),),
            training_range=TrainingRange(noise_hu=noise_hu),
        )
        self.sha256, self.device = 64 * "0", "cpu"

    def parts_batch(self, hu: FloatImage, _pixel_mm: object) -> npt.NDArray[np.float32]:
        # Lung alone shows no noise that could be measured, and is given some.
        noise_hu = [np.nan_to_num(global_noise_hu(each), nan=20.0) for each in hu]
        said = 1 - np.log10(np.add(noise_hu, 0.1)) / 4
        return np.array(said, np.float32).reshape(-1, 1, 1)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scan") / "scan"
    write_phantom_series(folder, slices=5, size=SIZE, pixel_mm=PIXEL_MM)
    return folder


def curves_of(reading: Reading, **wishes: object) -> DoseCurves:
    wanted = {"doses": DOSES, "goal": KEEP, "threads": 2} | wishes
    return dose_curves(reading, NoiseMeter(), **wanted)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found(scan: Path) -> DoseCurves:
    return curves_of(ctiqa.read(scan, size=SIZE))


def test_the_score_falls_and_the_noise_rises_from_the_full_dose_down(found: DoseCurves) -> None:
    (curve,) = found.curves
    assert [point.dose_fraction for point in curve.points] == [1.0, 0.5, 0.25]
    scores = [point.score for point in curve.points]
    assert scores == sorted(scores, reverse=True)
    noise_hu = [point.noise_hu for point in curve.points]
    assert noise_hu == sorted(noise_hu)
    assert all(point.score_low <= point.score <= point.score_high for point in curve.points)
    assert {point.slices for point in curve.points} == {5}


def test_a_curve_is_the_same_with_the_same_seed_whatever_the_threads(
    found: DoseCurves, scan: Path
) -> None:
    reading = ctiqa.read(scan, size=SIZE)
    assert curves_of(reading, threads=1).to_dict() == found.to_dict()
    assert curves_of(reading, seed=1).curves != found.curves


def water_series(*, quanta: float, slices: int = 4) -> Series:
    """Return water scanned with as many quanta as our own physics has it."""
    clean = water_slice(radius_mm=110, pixel_mm=PIXEL_MM, size=SIZE)
    # A thousandth of the dose of a scan without noise: all of its noise is then simulated.
    made = Scan(quanta=1000 * quanta)
    headers = []
    for index in range(slices):
        rng = np.random.default_rng(index)
        noisy = lower_dose(clean, dose_fraction=0.001, scan=made, rng=rng)
        identity = replace(clean.identity, path=f"{index}.dcm", sop_instance_uid=f"1.{index}")
        pixels = _InMemory(noisy.hu, None)
        headers.append(
            SliceHeader(
                identity, clean.acquisition, PIXEL_MM, 5.0 * index, SIZE, SIZE, pixels, SIZE
            )
        )
    return Series("1.2", "1.3", tuple(headers))


def test_water_obeys_the_noise_law_and_half_its_dose_is_found_from_the_score_it_costs() -> None:
    doses = (0.7, 0.35, 0.25)
    (curve,) = curves_of(Reading((water_series(quanta=2e5),), ()), doses=doses).curves
    # Quantum noise goes with 1/sqrt(dose); 10 quanta^2 of electronic noise do not count here.
    for point in curve.points:
        assert point.noise_law_ratio == pytest.approx(1, abs=0.06)
        assert point.dose_by_noise == pytest.approx(point.dose_fraction, rel=0.12)
    # Half the dose costs log10(sqrt(2)) / 4 of this score.
    half = Goal(curve.points[0].score - np.log10(2) / 8, relative=False)
    tried = np.array([point.dose_fraction for point in curve.points[::-1]])
    scores = np.array([point.score for point in curve.points[::-1]])
    _, (low, high) = lowest_dose(tried, scores, half)
    assert low == high == pytest.approx(0.5, rel=0.12)


def test_a_series_that_is_too_short_is_named_and_the_others_go_on(
    found: DoseCurves, scan: Path
) -> None:
    whole = ctiqa.read(scan, size=SIZE)
    (series,) = whole.series
    short = replace(series, headers=series.headers[:2])
    curves = curves_of(Reading((short, series), ()))
    assert curves.curves == found.curves
    (refusal,) = curves.refusals
    assert "needs 3 slices that can be scored, and of the 2 taken of this series 2 can" in (
        refusal.reason
    )
    with pytest.raises(ReadError, match="no series could be drawn against dose"):
        curves_of(Reading((short,), ()))


def test_a_slice_that_cannot_be_read_is_named_and_the_curve_is_that_of_the_others(
    tmp_path: Path,
) -> None:
    files = write_phantom_series(tmp_path, slices=4, size=SIZE, pixel_mm=PIXEL_MM)
    reading = ctiqa.read(tmp_path, size=SIZE)
    files[1].unlink()
    curves = curves_of(reading)
    assert curves.curves[0].points[0].slices == 3
    (refusal,) = curves.refusals
    assert refusal.path == files[1].name
    assert files[1].name not in refusal.reason
    assert "1 of 4 slices: not scored, since it could not be read" in curves.curves[0].notes


def test_progress_never_falls_and_ends_at_the_number_of_steps(scan: Path) -> None:
    told: list[tuple[int, int]] = []
    curves_of(ctiqa.read(scan, size=SIZE), progress=lambda *step: told.append(step), threads=1)
    assert told == sorted(told)
    assert told[-1] == (5 * 4, 5 * 4)


def test_noise_beyond_the_training_is_said_with_its_doses(scan: Path) -> None:
    meter = NoiseMeter(noise_hu=(1.0, 20.0))
    reading = ctiqa.read(scan, size=SIZE)
    (curve,) = dose_curves(reading, meter, doses=(0.1,), goal=KEEP, step=2).curves
    assert any("training (1 to 20 HU) at dose 0.1" in note for note in curve.notes)


def test_a_table_has_the_models_own_interval_only_where_it_tells_one(
    found: DoseCurves, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found.columns == COLUMNS
    assert [len(list(row)) for row in found.table()] == [len(COLUMNS)] * 3

    row = SimpleNamespace(score=0.6, noise_hu=20.0, score_low=0.5, score_high=0.8)

    def score(slices: Iterable[CTSlice], **_: object) -> SimpleNamespace:
        return SimpleNamespace(slices=[row for _ in slices])

    monkeypatch.setattr(module, "score", score)
    bounded = curves_of(ctiqa.read(scan, size=SIZE))
    assert bounded.columns == (*COLUMNS, *MODEL_COLUMNS)
    assert [list(row)[-2:] for row in bounded.table()] == [[0.5, 0.8]] * 3
