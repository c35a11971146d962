"""A slice that the model cannot judge gets no score, a doubtful one gets words (METHOD 4, O1)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from ctiqa.card import Card, TrainingRange
from ctiqa.images.ct_slice import Acquisition, CTSlice
from ctiqa.images.phantom import abdomen_slice, chest_slice, ct_noise, water_slice
from ctiqa.images.series import read
from ctiqa.scoring.applicability import judge
from ctiqa.scoring.scorer import Scorer

MakeSlice = Callable[..., CTSlice]


def test_a_slice_like_those_of_the_training_is_scored_without_a_word(
    make_slice: MakeSlice, card: Card
) -> None:
    verdict = judge(make_slice(), card, noise_hu=10)
    assert (verdict.status, verdict.reasons) == ("ok", ())


def test_a_constant_slice_is_not_scored(make_slice: MakeSlice, card: Card) -> None:
    verdict = judge(make_slice(np.full((64, 64), 40, np.float32)), card, noise_hu=0)
    assert (verdict.status, verdict.reasons) == ("not_scored", ("every pixel is 40 HU",))


@pytest.mark.parametrize(("side", "scored"), [(16, False), (24, True)])
def test_a_slice_with_less_than_a_tenth_of_body_is_not_scored(
    make_slice: MakeSlice, card: Card, side: int, *, scored: bool
) -> None:
    # 16 x 16 of 64 x 64 is 6 %, 24 x 24 is 14 %.
    hu = np.full((64, 64), -1000, np.float32)
    hu[8 : 8 + side, 8 : 8 + side] = 40
    assert (judge(make_slice(hu), card, noise_hu=10).status != "not_scored") is scored


@pytest.mark.parametrize(
    ("fact", "value", "words"),
    [
        ("kvp", 80.0, "tube voltage 80 kV outside training (100 to 140)"),
        ("slice_thickness_mm", 0.5, "slice thickness 0.5 mm outside training (1 to 5)"),
        ("kernel", "B70f", "kernel B70f not in training"),
        ("body_part", "HEAD", "body part HEAD not in training"),
    ],
)
def test_an_acquisition_outside_the_training_gives_caution_in_words(
    make_slice: MakeSlice, card: Card, fact: str, value: Any, words: str
) -> None:
    ct_slice = make_slice()
    changed = replace(ct_slice, acquisition=replace(ct_slice.acquisition, **{fact: value}))
    verdict = judge(changed, card, noise_hu=10)
    assert (verdict.status, verdict.reasons) == ("caution", (words,))


def test_noise_and_pixels_outside_the_training_give_caution(
    make_slice: MakeSlice, card: Card
) -> None:
    verdict = judge(replace(make_slice(), pixel_mm=1.2), card, noise_hu=75.25)
    assert verdict.reasons == (
        "pixel size 1.2 mm outside training (0.6 to 0.9)",
        "noise 75.25 HU outside training (5 to 60)",
    )


def test_a_silent_header_is_no_reason_for_caution(make_slice: MakeSlice, card: Card) -> None:
    silent = replace(make_slice(), acquisition=Acquisition())
    assert judge(silent, card, noise_hu=float("nan")).status == "ok"


def test_a_silent_card_is_no_reason_for_caution(make_slice: MakeSlice, card: Card) -> None:
    silent = replace(card, training_range=TrainingRange())
    assert judge(make_slice(), silent, noise_hu=500).status == "ok"


def test_rounding_case_and_more_words_are_no_reason_for_caution(
    make_slice: MakeSlice, card: Card
) -> None:
    ct_slice = make_slice()
    acquisition = replace(ct_slice.acquisition, kernel="b30F", body_part="TH CT Chest WO CE")
    same = replace(ct_slice, acquisition=acquisition, pixel_mm=0.9004)
    assert judge(same, card, noise_hu=10).status == "ok"


def test_what_the_reader_changed_in_a_slice_is_repeated(make_slice: MakeSlice, card: Card) -> None:
    padded = replace(make_slice(), notes=("padded from 48 x 48 to 64 x 64",))
    verdict = judge(padded, card, noise_hu=10)
    assert (verdict.status, verdict.reasons) == ("caution", padded.notes)


def test_of_the_notes_of_a_series_a_tilt_is_repeated_and_gaps_are_not(
    make_slice: MakeSlice, card: Card
) -> None:
    notes = ("2 gaps, the widest of 10 mm", "the gantry was tilted by 18.5 degrees")
    verdict = judge(make_slice(), card, noise_hu=10, series_notes=notes)
    assert (verdict.status, verdict.reasons) == ("caution", notes[1:])


TRUNK = TrainingRange(
    kernels=("B30f",),
    body_regions=("CHEST", "LIVER"),
    noise_per_mm=(0.2, 0.6),
    water_equivalent_mm=(200.0, 380.0),
    cut_off_mm=(0.0, 300.0),
)


def reasons(
    ct_slice: CTSlice, trained: TrainingRange = TRUNK, **acquisition: Any
) -> tuple[str, ...]:
    """Return the reasons for a drawn slice, blurred and with 15 HU of noise as a scan has it."""
    noise = ct_noise(sd_hu=15, rng=np.random.default_rng(0), pixel_mm=ct_slice.pixel_mm)
    noisy = replace(
        ct_slice,
        hu=ndimage.gaussian_filter(ct_slice.hu, 1.2) + noise,
        acquisition=Acquisition(**acquisition),
    )
    card = Card(name="trunk", outputs=1, windows_hu=((2000.0, 0.0),), training_range=trained)
    verdict = judge(noisy, card, noise_hu=15)
    assert verdict.status == ("caution" if verdict.reasons else "ok")
    return verdict.reasons


@pytest.mark.parametrize("make", [chest_slice, abdomen_slice])
def test_a_trunk_without_tags_is_known_by_its_image(make: Callable[..., CTSlice]) -> None:
    assert reasons(make(level=0.5)) == ()


def test_the_image_decides_where_the_tag_uses_a_word_the_card_does_not() -> None:
    assert reasons(abdomen_slice(level=0.5), body_part="ABDOMEN") == ()
    assert reasons(chest_slice(level=0.5), body_part="Oncology") == ()


def test_a_region_the_model_never_saw_is_told_even_under_a_familiar_tag() -> None:
    only_chest = replace(TRUNK, body_regions=("CHEST",))
    assert reasons(abdomen_slice(level=0.5), only_chest) == (
        "the image shows an abdomen, but training only chest",
    )


def test_a_tag_that_the_image_contradicts_is_told() -> None:
    (reason,) = reasons(chest_slice(level=0.5), body_part="HEAD")
    assert reason == "body part HEAD in the header, but the image shows a chest"


def test_a_phantom_is_told_whatever_its_tag_says() -> None:
    told = reasons(water_slice(radius_mm=150), body_part="CHEST")
    assert "the image shows a uniform phantom, but training only abdomen and chest" in told
    assert "body part CHEST in the header, but the image shows a uniform phantom" in told


def test_regions_of_the_images_in_the_card_go_before_its_tags() -> None:
    seen = replace(TRUNK, image_regions=("phantom",), water_equivalent_mm=(100.0, 400.0))
    assert not [each for each in reasons(water_slice(radius_mm=150), seen) if "shows" in each]


def test_an_unknown_kernel_of_familiar_grain_is_no_reason_but_a_sharp_name_is() -> None:
    chest = chest_slice(level=0.5)
    assert reasons(chest, kernel="FC18") == ()
    assert reasons(chest, kernel="B70f") == ("kernel B70f not in training",)


def test_an_iterative_kernel_is_told_by_its_name() -> None:
    (reason,) = reasons(chest_slice(level=0.5), kernel="I40f/2")
    assert reason == "kernel I40f/2 is one of an iterative reconstruction and not in training"


@pytest.mark.parametrize("limits", [(0.1, 0.2), (0.7, 0.9)])
def test_noise_finer_or_coarser_than_that_of_training_is_told(
    limits: tuple[float, float],
) -> None:
    (reason,) = reasons(chest_slice(level=0.5), replace(TRUNK, noise_per_mm=limits))
    assert reason.startswith("noise frequency")


def test_a_denoised_slice_with_sharp_edges_is_told() -> None:
    ct_slice = chest_slice(level=0.5)
    coarse = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, (512, 512)), 2.5)
    noisy = ct_slice.with_hu(ct_slice.hu + np.float32(8 / coarse.std()) * coarse.astype("f4"))
    wide = replace(TRUNK, noise_per_mm=(0.01, 9.0))
    card = Card(name="trunk", outputs=1, windows_hu=((2000.0, 0.0),), training_range=wide)
    (reason,) = judge(noisy, card, noise_hu=8).reasons
    assert reason.endswith("denoised or reconstructed iteratively")


def test_metal_is_told_with_its_area_and_a_speck_is_not() -> None:
    ct_slice = chest_slice(level=0.5)
    for side, told in ((3, False), (10, True)):
        hu = ct_slice.hu.copy()
        hu[330 : 330 + side, 250 : 250 + side] = 9000
        assert bool(reasons(ct_slice.with_hu(hu))) is told
    assert reasons(ct_slice.with_hu(hu))[0].startswith("metal over ")


def test_a_patient_larger_or_smaller_than_those_of_training_is_told_unless_cut_off() -> None:
    small = replace(TRUNK, water_equivalent_mm=(400.0, 500.0))
    chest = chest_slice(level=0.5)
    (reason,) = reasons(chest, small)
    assert reason.startswith("water-equivalent diameter")
    cut = chest.with_hu(np.ascontiguousarray(np.roll(chest.hu, 100, axis=1)))
    assert reasons(cut, small) == ()


def test_a_body_cut_off_further_than_in_training_is_told() -> None:
    chest = chest_slice(level=0.5)
    cut = chest.with_hu(np.ascontiguousarray(np.roll(chest.hu, 100, axis=1)))
    (reason,) = reasons(cut, replace(TRUNK, cut_off_mm=(0.0, 20.0)))
    assert reason.startswith("body cut off along")


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("extra/QMNx85rKkkg", "the image shows a head"),
        ("extra/C3L-00189", "kernel LUNG not in training"),
        ("more/LIDC-IDRI-0005", ""),
    ],
)
def test_real_scans_get_the_caution_that_they_need(real_ct: Path, folder: str, words: str) -> None:
    card = Scorer().card
    series = read(real_ct / folder).series[0]
    verdicts = [judge(one, card, noise_hu=15) for one in list(series)[::4]]
    told = sum(any(words in reason for reason in each.reasons) for each in verdicts)
    if words:
        assert told >= len(verdicts) / 2
    else:
        assert sum(each.status == "ok" for each in verdicts) >= len(verdicts) / 2
