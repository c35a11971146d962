"""What holds for every kind: drawn, recorded, replayed, and a fixed map of images."""

import json
from pathlib import Path

import numpy as np
import pytest

from ctiqa.degrade.degradation import Degradation
from ctiqa.degrade.kinds import KINDS, draw, from_record, to_record
from ctiqa.dose.apodisation import HANN
from ctiqa.dose.simulate import Scan
from ctiqa.errors import RecipeError
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.images.series import read
from ctiqa.measures.body import body_mask
from ctiqa.measures.global_noise import global_noise_hu

SCAN = Scan(3e5, HANN)
NOISE_HU = 12.0
ADDED_FIELDS = ("motion", "sparse_views", "starvation")

every_kind = pytest.mark.parametrize("kind", KINDS)


def degraded(degradation: Degradation, ct_slice: CTSlice) -> FloatImage:
    return degradation.prepare(ct_slice, SCAN, noise_hu=NOISE_HU)(ct_slice.hu)


def test_the_kinds_of_issue_5_are_there() -> None:
    assert set(KINDS) == {
        "bilateral",
        "blur",
        "edge_enhancement",
        "median",
        "motion",
        "non_local_means",
        "sparse_views",
        "starvation",
        "total_variation",
        "wavelet",
    }


@every_kind
def test_the_same_state_draws_the_same_and_another_state_something_else(kind: str) -> None:
    draws = [draw(kind, np.random.default_rng(seed)) for seed in (0, 0, *range(1, 9))]
    assert draws[0] == draws[1]
    assert len({str(one) for one in draws}) > 4
    assert {one.kind for one in draws} == {kind}


@every_kind
def test_a_record_survives_json_and_replays_the_same_bytes(kind: str, abdomen: CTSlice) -> None:
    drawn = draw(kind, np.random.default_rng(3))
    record = to_record(drawn)
    assert all(isinstance(value, str | int | float) for value in record.values())
    again = from_record(json.loads(json.dumps(record)))
    assert again == drawn
    assert degraded(again, abdomen).tobytes() == degraded(drawn, abdomen).tobytes()


@every_kind
def test_a_degradation_changes_the_body_and_neither_its_input_nor_the_padding(
    kind: str, abdomen: CTSlice
) -> None:
    before = abdomen.hu.copy()
    after = degraded(draw(kind, np.random.default_rng(4)), abdomen)
    assert np.array_equal(abdomen.hu, before)
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert np.isfinite(after).all()
    assert np.array_equal(after[abdomen.padding], before[abdomen.padding])
    assert (after - before)[body_mask(before)].std() > 0.5


@pytest.mark.parametrize("kind", ADDED_FIELDS)
def test_what_arises_in_the_rays_adds_the_same_to_every_image_of_a_slice(
    kind: str, abdomen: CTSlice
) -> None:
    operator = draw(kind, np.random.default_rng(5)).prepare(abdomen, SCAN, noise_hu=NOISE_HU)
    other = np.full_like(abdomen.hu, 40)
    assert operator(other) - other == pytest.approx(operator(abdomen.hu) - abdomen.hu, abs=1e-3)


@pytest.mark.parametrize(
    "nothing",
    [
        {"kind": "blur", "sigma_mm": 0},
        {"kind": "edge_enhancement", "gain": 1, "peak_per_mm": 0.3},
        {"kind": "sparse_views", "views": 720},
        {"kind": "motion", "shift_mm": 0, "direction": 1, "centre": 0.5, "span": 0.5},
        {"kind": "starvation", "inserts": 0, "radius_mm": 5, "attenuation_per_mm": 0.1},
        {"kind": "starvation", "inserts": 2, "radius_mm": 5, "attenuation_per_mm": 0},
        {"kind": "total_variation", "strength": 0},
        {"kind": "bilateral", "strength": 0},
        {"kind": "non_local_means", "strength": 0},
        {"kind": "wavelet", "strength": 0},
        {"kind": "median", "strength": 0},
        {"kind": "median", "strength": 1, "share": 0},
    ],
    ids=str,
)
def test_no_strength_returns_the_slice_bit_for_bit(
    nothing: dict[str, str | float], abdomen: CTSlice
) -> None:
    assert degraded(from_record(nothing), abdomen).tobytes() == abdomen.hu.tobytes()


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"kind": "fog"},
        {"kind": ["blur"]},
        {"kind": "blur"},
        {"kind": "blur", "sigma_mm": 1.0, "colour": 2},
        {"kind": "blur", "sigma_mm": "wide"},
        {"kind": "blur", "sigma_mm": float("nan")},
        {"kind": "blur", "sigma_mm": -1.0},
        {"kind": "edge_enhancement", "gain": 0.5, "peak_per_mm": 0.3},
        {"kind": "edge_enhancement", "gain": 2.0, "peak_per_mm": 0.0},
        {"kind": "sparse_views", "views": 100},
        {"kind": "sparse_views", "views": 120, "first": 6},
        {"kind": "motion", "shift_mm": -1.0, "direction": 0.0, "centre": 0.5, "span": 0.5},
        {"kind": "motion", "shift_mm": 1.0, "direction": 0.0, "centre": 1.5, "span": 0.5},
        {"kind": "motion", "shift_mm": 1.0, "direction": 0.0, "centre": 0.5, "span": 0.0},
        {"kind": "starvation", "inserts": 1.5, "radius_mm": 5.0, "attenuation_per_mm": 0.1},
        {"kind": "starvation", "inserts": -1, "radius_mm": 5.0, "attenuation_per_mm": 0.1},
        {"kind": "starvation", "inserts": 1, "radius_mm": 0.0, "attenuation_per_mm": 0.1},
        {"kind": "wavelet", "strength": float("inf")},
        {"kind": "wavelet", "strength": 1.0, "share": 1.5},
    ],
    ids=str,
)
def test_a_record_of_nothing_possible_is_refused_in_one_sentence(record: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="degradation") as refused:
        from_record(record)
    assert "\n" not in str(refused.value)


def test_an_unknown_kind_cannot_be_drawn() -> None:
    with pytest.raises(RecipeError, match=r"is one of bilateral, blur, .* not 'fog'"):
        draw("fog", np.random.default_rng(0))


@every_kind
def test_real_slices_are_degraded_visibly_and_stay_finite(kind: str, real_ct: Path) -> None:
    # On ten slices of train/ the standard deviation in the body was 1.5 to 330 HU.
    series = read(real_ct / "train" / "CRLM-CT-1006").series[0]
    ct_slice = series[20]
    noise_hu = global_noise_hu(ct_slice.hu)
    drawn = draw(kind, np.random.default_rng(0))
    after = drawn.prepare(ct_slice, SCAN, noise_hu=noise_hu)(ct_slice.hu)
    assert 0.5 < (after - ct_slice.hu)[body_mask(ct_slice.hu)].std() < 500
