"""The body is the largest dense thing, whole, with its lungs and without the table."""

from pathlib import Path

import numpy as np
import pytest

from ctiqa.images.ct_slice import FloatImage, Mask
from ctiqa.images.phantom import chest_slice
from ctiqa.images.series import read
from ctiqa.measures.body import body_mask, cut_off_px


def disc(radius: float, *, row: float = 0, column: float = 0) -> Mask:
    line = np.arange(256) - 127.5
    return np.hypot(line[:, None] - row, line[None, :] - column) < radius


@pytest.fixture
def patient() -> FloatImage:
    """Return a trunk with two lungs of air-like density."""
    hu = np.full((256, 256), -1000, np.float32)
    hu[disc(90)] = 40
    hu[disc(30, column=-40)] = -850
    hu[disc(30, column=40)] = -850
    return hu


def test_the_body_is_found_to_a_block_at_its_edge(patient: FloatImage) -> None:
    body = body_mask(patient)
    assert not body[~disc(95)].any()
    assert body[disc(85)].all()


def test_the_lungs_belong_to_the_body(patient: FloatImage) -> None:
    body = body_mask(patient)
    assert body[disc(30, column=-40)].all()
    assert body[disc(30, column=40)].all()


def test_a_wide_lung_behind_a_thin_wall_belongs_to_the_body(patient: FloatImage) -> None:
    patient[disc(50, column=-34)] = -850  # leaves 6 pixels of wall
    assert body_mask(patient)[disc(48, column=-34)].all()


def test_the_table_does_not_belong_to_it(patient: FloatImage) -> None:
    patient[230:236, 20:236] = -200
    assert not body_mask(patient)[226:].any()


def test_an_arm_apart_does_not_belong_to_it(patient: FloatImage) -> None:
    patient[disc(14, column=112)] = 40
    assert not body_mask(patient)[disc(12, column=112)].any()


def test_noise_does_not_move_the_body(patient: FloatImage) -> None:
    noise = 100 * np.random.default_rng(0).standard_normal(patient.shape, dtype=np.float32)
    moved = body_mask(patient) ^ body_mask(patient + noise)
    assert moved.mean() < 0.01


def test_air_holds_no_body() -> None:
    assert not body_mask(np.full((256, 256), -1000, np.float32)).any()


def test_a_matrix_that_four_does_not_divide_keeps_its_shape(patient: FloatImage) -> None:
    assert body_mask(patient[:255, :253]).shape == (255, 253)


def test_a_synthetic_chest_fills_its_outline() -> None:
    body = body_mask(chest_slice(level=1.0, size=256, pixel_mm=1.5).hu)
    area_cm2 = body.sum() * 0.15**2
    assert 500 < area_cm2 < 900
    assert body[128, 128]


def lung(column: float) -> Mask:
    return disc(45, column=column)


def test_a_lung_behind_a_thin_wall_belongs_to_the_body(patient: FloatImage) -> None:
    patient[lung(-42)] = -850  # 3 px of wall are left beside it
    assert body_mask(patient)[disc(40, column=-42)].all()


def test_a_lung_whose_wall_the_field_of_view_cuts_off_belongs_to_the_body(
    patient: FloatImage,
) -> None:
    patient[lung(-42)] = -850
    cut = np.ascontiguousarray(patient[:, 45:])
    assert body_mask(cut)[disc(40, column=-42)[:, 45:]].mean() > 0.98


def test_clear_air_that_the_body_nearly_encloses_stays_outside(patient: FloatImage) -> None:
    patient[lung(-42)] = -1000
    patient[120:136, :50] = -1000
    assert not body_mask(patient)[disc(35, column=-42)].any()


def test_a_mattress_does_not_belong_to_it(patient: FloatImage) -> None:
    line = np.arange(256)
    under = (line[:, None] > 200) & (line[:, None] < 230) & (abs(line[None, :] - 128) < 100)
    patient[under & (patient < -900)] = -800
    body = body_mask(patient)
    assert not body[under & ~disc(95)].any()


def test_the_edge_of_the_field_is_counted_where_the_body_meets_it(patient: FloatImage) -> None:
    assert cut_off_px(body_mask(patient)) == 0
    cut = body_mask(np.ascontiguousarray(patient[:, 60:]))
    assert cut_off_px(cut) == cut[:, 0].sum() > 100
    padding = np.zeros(patient.shape, bool)
    padding[:, :60] = True
    padded = np.where(padding, np.float32(-1000), patient)
    assert cut_off_px(body_mask(padded), padding) == pytest.approx(cut[:, 0].sum(), abs=8)


def test_the_lungs_of_real_slices_belong_to_the_body(real_ct: Path) -> None:
    # A thin wall in front of both lungs; a wall that the field of view cuts off.
    for folder, index, lung_share in (
        ("more/TCGA-VQ-AA6F", 0, 0.44),
        ("train/RIDER-0117", 31, 0.34),
        ("train/RIDER-0117", 49, 0.44),
    ):
        hu = read(real_ct / folder).series[0][index].hu
        body = body_mask(hu)
        inside = (hu < -700) & body
        assert inside.mean() > lung_share * body.mean(), folder
