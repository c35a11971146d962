"""A slice that the model cannot judge gets no score, a doubtful one gets words (METHOD 4, O1)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ctiqa.card import Card, TrainingRange
from ctiqa.images.ct_slice import Acquisition, CTSlice
from ctiqa.scoring.applicability import judge

MakeSlice = Callable[..., CTSlice]


def test_a_slice_like_those_of_the_training_is_scored_without_a_word(
    make_slice: MakeSlice, card: Card
) -> None:
    verdict = judge(make_slice(), card, noise_hu=10)
    assert (verdict.status, verdict.reasons) == ("ok", ())


def test_a_constant_slice_is_not_scored(make_slice: MakeSlice, card: Card) -> None:
    verdict = judge(make_slice(np.full((64, 64), 40, np.float32)), card, noise_hu=0)
    assert (verdict.status, verdict.reasons) == ("not_scored", ("every pixel is 40 HU",))


@pytest.mark.parametrize(("side", "status"), [(16, "not_scored"), (24, "ok")])
def test_a_slice_with_less_than_a_tenth_of_body_is_not_scored(
    make_slice: MakeSlice, card: Card, side: int, status: str
) -> None:
    # 16 x 16 of 64 x 64 is 6 %, 24 x 24 is 14 %.
    hu = np.full((64, 64), -1000, np.float32)
    hu[8 : 8 + side, 8 : 8 + side] = 40
    assert judge(make_slice(hu), card, noise_hu=10).status == status


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
