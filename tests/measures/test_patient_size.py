"""A disc of water has its own diameter, and SSDE the factors of AAPM 204 and 293."""

from pathlib import Path

import numpy as np
import pytest

from ctiqa.images.phantom import chest_slice, shoulder_slice, water_slice
from ctiqa.images.series import read
from ctiqa.measures.patient_size import (
    BODY_PHANTOM_MM,
    HEAD_PHANTOM_MM,
    PatientSize,
    patient_size,
    ssde_mgy,
)


def size_of(hu: np.ndarray, pixel_mm: float) -> PatientSize:
    found = patient_size(hu, pixel_mm=pixel_mm)
    assert found is not None
    return found


@pytest.mark.parametrize("diameter_mm", [160, 240, 320])
def test_a_disc_of_water_has_its_own_diameter_in_every_sense(diameter_mm: float) -> None:
    disc = water_slice(radius_mm=diameter_mm / 2, pixel_mm=0.7)
    found = size_of(disc.hu, disc.pixel_mm)
    assert found.water_equivalent_mm == pytest.approx(diameter_mm, rel=0.01)
    # The outline runs along blocks of 4 pixels.
    assert found.effective_mm == pytest.approx(diameter_mm, abs=8 * 0.7)
    assert found.area_mm2 == pytest.approx(np.pi * diameter_mm**2 / 4, rel=0.03)
    assert found.cut_off_mm == 0


def test_noise_does_not_change_the_size() -> None:
    disc = water_slice(radius_mm=120, pixel_mm=0.7)
    noise = 40 * np.random.default_rng(0).standard_normal(disc.hu.shape, dtype=np.float32)
    assert size_of(disc.hu + noise, 0.7).water_equivalent_mm == pytest.approx(240, rel=0.01)


def test_an_ellipse_has_the_root_of_its_axes_as_effective_diameter() -> None:
    shoulder = shoulder_slice()
    found = size_of(shoulder.hu, shoulder.pixel_mm)
    assert found.lateral_mm == pytest.approx(344, rel=0.02)
    assert found.ap_mm == pytest.approx(170, rel=0.03)
    assert found.effective_mm == pytest.approx(np.sqrt(344 * 170), rel=0.02)
    # Two discs of bone weigh more than the water in their place.
    water_mm2 = np.pi * (172 * 85 + 2 * 22**2 * 0.8)
    assert found.water_equivalent_mm == pytest.approx(2 * np.sqrt(water_mm2 / np.pi), rel=0.01)


def test_lungs_make_the_water_equivalent_smaller_than_the_patient() -> None:
    chest = chest_slice(level=0.5)
    found = size_of(chest.hu, chest.pixel_mm)
    assert found.water_equivalent_mm < 0.9 * 2 * np.sqrt(found.area_mm2 / np.pi)


def test_the_pixel_is_the_measure() -> None:
    hu = chest_slice(level=0.5, size=256, pixel_mm=1.5).hu
    small, large = size_of(hu, 0.75), size_of(hu, 1.5)
    assert large.water_equivalent_mm == pytest.approx(2 * small.water_equivalent_mm)
    assert large.effective_mm == pytest.approx(2 * small.effective_mm)


def test_a_cut_off_body_says_so_and_looks_smaller() -> None:
    disc = water_slice(radius_mm=150, pixel_mm=0.7).hu
    cut = np.ascontiguousarray(disc[:, 100:])
    whole, part = size_of(disc, 0.7), size_of(cut, 0.7)
    assert part.cut_off_mm > 100
    assert part.water_equivalent_mm < whole.water_equivalent_mm


def test_air_has_no_size() -> None:
    assert patient_size(np.full((64, 64), -1000, np.float32), pixel_mm=1) is None


# AAPM Report 204, tables 1D (phantom of 32 cm) and 2D (16 cm).
@pytest.mark.parametrize(
    ("phantom_mm", "diameter_cm", "factor"),
    [
        (BODY_PHANTOM_MM, 10, 2.57),
        (BODY_PHANTOM_MM, 20, 1.78),
        (BODY_PHANTOM_MM, 32, 1.14),
        (BODY_PHANTOM_MM, 40, 0.85),
        (HEAD_PHANTOM_MM, 16, 1.01),
        (HEAD_PHANTOM_MM, 20, 0.86),
    ],
)
def test_the_factors_are_those_of_aapm_204(
    phantom_mm: float, diameter_cm: float, factor: float
) -> None:
    dose = ssde_mgy(1, water_equivalent_mm=10 * diameter_cm, phantom_mm=phantom_mm)
    assert dose == pytest.approx(factor, abs=0.006)


def test_a_head_takes_the_factor_of_aapm_293() -> None:
    dose = ssde_mgy(50, water_equivalent_mm=180, phantom_mm=HEAD_PHANTOM_MM, head=True)
    assert dose == pytest.approx(50 * 1.9852 * np.exp(-0.0486 * 18))
    body = ssde_mgy(50, water_equivalent_mm=180, phantom_mm=BODY_PHANTOM_MM, head=True)
    assert body == ssde_mgy(50, water_equivalent_mm=180, phantom_mm=BODY_PHANTOM_MM)


def test_a_large_patient_gets_less_than_a_small_one_from_the_same_scan() -> None:
    doses = [
        ssde_mgy(10, water_equivalent_mm=size, phantom_mm=BODY_PHANTOM_MM)
        for size in (150, 250, 350)
    ]
    assert doses == sorted(doses, reverse=True)


@pytest.mark.parametrize("size_mm", [60, 470, float("nan")])
def test_no_factor_is_made_up_outside_the_published_range(size_mm: float) -> None:
    assert np.isnan(ssde_mgy(10, water_equivalent_mm=size_mm, phantom_mm=BODY_PHANTOM_MM))


def test_a_real_body_that_leaves_the_field_of_view_is_said_to(real_ct: Path) -> None:
    for folder, cut_off in (("train/RIDER-0117", True), ("train/CRLM-CT-1004", False)):
        ct_slice = read(real_ct / folder).series[0][25]
        found = patient_size(ct_slice.hu, pixel_mm=ct_slice.pixel_mm, padding=ct_slice.padding)
        assert found is not None
        assert (found.cut_off_mm > 10) == cut_off
        assert 200 < found.water_equivalent_mm < 350
