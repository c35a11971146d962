"""The body is the largest dense thing, whole, without the table."""

import numpy as np
import pytest

from ctiqa.images.ct_slice import FloatImage, Mask
from ctiqa.images.phantom import chest_slice
from ctiqa.measures.body import body_mask


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


def test_a_lung_behind_a_thin_wall_belongs_to_the_body(patient: FloatImage) -> None:
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
