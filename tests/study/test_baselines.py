"""What the trivial baselines may and may not know."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import isotonic_regression

from ctiqa.measures.agreement import agreement, mse
from ctiqa.measures.correlation import krocc, srocc
from ctiqa.study.baselines import (
    CONSTANT,
    DOSE_ALONE,
    NOISE_ALONE,
    MonotoneMap,
    self_label,
    trivial_baselines,
)
from ctiqa.study.evidence import EvidenceTable, TrainingImages

VALUES = hnp.arrays(np.float64, 12, elements=st.integers(-20, 20).map(lambda v: v / 4))


def train_and_test(seed: int = 0) -> tuple[TrainingImages, EvidenceTable]:
    """Return images whose label falls with the logarithm of their noise, and noise with dose."""
    rng = np.random.default_rng(seed)

    def draw() -> TrainingImages:
        dose = np.tile([1.0, 0.75, 0.5, 0.25], 20)
        noise_hu = 10 * np.exp(rng.normal(0, 0.3, 20)).repeat(4) / np.sqrt(dose)
        reference = 1.3 - 0.25 * np.log(noise_hu) + rng.normal(0, 0.01, 80)
        return TrainingImages(reference, dose, noise_hu)

    test = draw()
    return draw(), EvidenceTable(
        test.reference, test.reference, dose=test.dose, noise_hu=test.noise_hu
    )


@given(VALUES, VALUES, hnp.arrays(np.float64, 9, elements=st.floats(-30, 30)))
def test_a_monotone_map_never_falls_and_keeps_every_order(
    reading: np.ndarray, reference: np.ndarray, probe: np.ndarray
) -> None:
    fitted = MonotoneMap.fit(reading, reference)
    assume(fitted.at.size > 1)
    probe = np.unique(np.round(probe, 3))
    assert (np.diff(fitted(probe)) > 0).all()


@given(VALUES)
def test_a_map_of_rising_data_goes_through_the_data(reading: np.ndarray) -> None:
    reading = np.unique(reading)
    fitted = MonotoneMap.fit(reading, np.exp(reading))
    assert fitted(reading) == pytest.approx(np.exp(reading))


def test_a_map_is_isotonic_regression_at_the_middle_of_its_steps() -> None:
    reading, reference = np.arange(6.0), np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0])
    fitted = MonotoneMap.fit(reading, reference)
    assert fitted.value.tolist() == np.unique(isotonic_regression(reference).x).tolist()
    assert fitted.at.tolist() == [0, 1.5, 3.5, 5]
    # Beyond its ends it goes on at its mean slope: (6 - 1) / 5.
    assert fitted(np.array([-1.0, 7.0])) == pytest.approx([0.0, 8.0])


@given(VALUES, VALUES)
def test_a_map_stays_within_the_references_it_was_fitted_to(
    reading: np.ndarray, reference: np.ndarray
) -> None:
    fitted = MonotoneMap.fit(reading, reference)
    assert reference.min() <= fitted.value.min() <= fitted.value.max() <= reference.max()


def test_readings_that_run_against_the_reference_map_to_their_mean() -> None:
    fitted = MonotoneMap.fit(np.arange(5.0), np.arange(5.0)[::-1].copy())
    assert fitted(np.array([-3.0, 2.0, 9.0])).tolist() == [2.0, 2.0, 2.0]


def test_rank_correlations_of_noise_alone_do_not_depend_on_its_map() -> None:
    train, table = train_and_test()
    assert table.noise_hu is not None
    mapped = trivial_baselines(table, train)[NOISE_ALONE]
    plain = -table.noise_hu
    assert srocc(mapped, table.reference) == pytest.approx(srocc(plain, table.reference))
    assert krocc(mapped, table.reference) == pytest.approx(krocc(plain, table.reference))


def test_noise_alone_predicts_labels_that_follow_the_noise() -> None:
    train, table = train_and_test()
    assert agreement(trivial_baselines(table, train)[NOISE_ALONE], table.reference).plcc > 0.99


def test_dose_alone_is_the_mean_training_label_of_each_dose() -> None:
    train, table = train_and_test()
    assert train.dose is not None
    assert table.dose is not None
    predicted = trivial_baselines(table, train)[DOSE_ALONE]
    for level in (1.0, 0.75, 0.5, 0.25):
        expected = train.reference[train.dose == level].mean()
        assert predicted[table.dose == level] == pytest.approx(expected)


def test_the_constant_is_the_mean_of_the_training_labels_not_of_the_tested_ones() -> None:
    train, table = train_and_test()
    constant = trivial_baselines(table, train)[CONSTANT]
    assert np.unique(constant).tolist() == [train.reference.mean()]
    assert mse(constant, table.reference) >= np.var(table.reference)


def test_an_image_without_a_noise_reading_gets_the_mean_of_the_others() -> None:
    train, table = train_and_test()
    assert table.noise_hu is not None
    table.noise_hu[[3, 7]] = math.nan, 0.0
    predicted = trivial_baselines(table, train)[NOISE_ALONE]
    others = np.delete(predicted, [3, 7])
    assert predicted[[3, 7]] == pytest.approx(others.mean())


def test_training_images_without_a_noise_reading_are_not_learnt_from() -> None:
    train, table = train_and_test()
    assert train.noise_hu is not None
    assert train.dose is not None
    some = np.arange(80) >= 8
    with_gaps = train.noise_hu.copy()
    with_gaps[~some] = math.nan
    expected = TrainingImages(train.reference[some], train.dose[some], train.noise_hu[some])
    gaps = TrainingImages(train.reference, train.dose, with_gaps)
    left, right = (trivial_baselines(table, known)[NOISE_ALONE] for known in (gaps, expected))
    assert left.tolist() == right.tolist()


def test_a_baseline_without_its_column_is_left_out() -> None:
    train, table = train_and_test()
    bare = EvidenceTable(table.score, table.reference)
    assert list(trivial_baselines(bare, train)) == [CONSTANT]
    assert list(trivial_baselines(table, TrainingImages(train.reference))) == [CONSTANT]
    blind = EvidenceTable(table.score, table.reference, noise_hu=np.full(80, math.nan))
    assert list(trivial_baselines(blind, train)) == [CONSTANT]


def test_the_labeller_by_itself_falls_with_the_dose_of_a_real_slice(real_ct: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("skimage")
    from ctiqa.dose.simulate import calibrate, lower_dose
    from ctiqa.images.ct_slice import CTSlice, Identity

    path = next(iter(sorted(real_ct.glob("train/*/*.dcm"))[30:]))
    file = pydicom.dcmread(path)
    hu = file.pixel_array * float(file.RescaleSlope) + float(file.RescaleIntercept)
    hu = np.maximum(hu, -1000).astype(np.float32)
    routine = CTSlice(hu, float(file.PixelSpacing[0]), Identity(path.name))
    (scan,) = calibrate([routine])
    labels = [
        self_label(lower_dose(routine, dose_fraction=dose, scan=scan, rng=np.random.default_rng(0)))
        for dose in (1.0, 0.5, 0.25)
    ]
    assert 1 > labels[0] > labels[1] > labels[2] > 0
    assert self_label(routine) == labels[0]
