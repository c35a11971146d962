"""A picture of the page is the slice round its body, in the windows that it asks for."""

import base64
from io import BytesIO

import numpy as np
from PIL import Image

from ctiqa.images.phantom import abdomen_slice, chest_slice, water_slice
from ctiqa.images.window import LUNG, SOFT_TISSUE
from ctiqa.outputs.report_pictures import Picture, extremes, pictures_of
from ctiqa.scoring.result import SliceResult


def pixels(picture: Picture) -> np.ndarray:
    kind, _, data = picture.source.partition(",")
    assert kind == "data:image/png;base64"
    image = Image.open(BytesIO(base64.b64decode(data)))
    assert image.size == (picture.width_px, picture.height_px)
    return np.asarray(image)


def rows(*scores: float | None) -> list[SliceResult]:
    return [
        SliceResult(path=f"{number}.dcm", score=score, status="ok")
        for number, score in enumerate(scores)
    ]


def test_a_pixel_of_the_picture_is_a_pixel_of_the_slice_in_its_window() -> None:
    ct_slice = chest_slice(level=0.5, size=256, pixel_mm=1.5)
    soft, lung = pictures_of(ct_slice)
    for picture, window in ((soft, SOFT_TISSUE), (lung, LUNG)):
        whole = np.rint(window.apply(ct_slice.hu) * 255)
        shown = pixels(picture)
        windows = np.lib.stride_tricks.sliding_window_view(whole, shown.shape)
        assert (windows == shown).all(axis=(2, 3)).sum() == 1


def test_lungs_are_shown_in_their_own_window_and_an_abdomen_is_not() -> None:
    assert [
        picture.caption.split(" (")[0]
        for picture in pictures_of(chest_slice(level=0.5, size=256, pixel_mm=1.5))
    ] == [
        "soft tissue",
        "lung",
    ]
    (only,) = pictures_of(abdomen_slice(level=0.5, size=256, pixel_mm=1.5))
    assert only.caption.startswith("soft tissue (W 350, L 40 HU), ")


def test_the_caption_says_how_much_of_the_patient_is_shown() -> None:
    (only,) = pictures_of(water_slice(radius_mm=80, pixel_mm=0.5))
    width, height = (
        float(side) for side in only.caption.split("), ")[1].removesuffix(" mm").split(" x ")
    )
    # Eight pixels of margin on each side; the body is known in blocks of four.
    assert abs(width - (160 + 8)) <= 4
    assert width == height


def test_a_slice_without_a_body_is_shown_whole() -> None:
    empty = water_slice(radius_mm=80).with_hu(np.full((512, 512), -1000, np.float32))
    (only,) = pictures_of(empty)
    assert pixels(only).shape == (512, 512)


def test_a_map_stands_over_the_same_part_of_the_slice() -> None:
    ct_slice = water_slice(radius_mm=100)
    lost = np.zeros_like(ct_slice.hu)
    lost[:, 300:] = 1.0
    soft, tinted = pictures_of(ct_slice, maps=lambda shown: lost if shown is ct_slice else None)
    over = pixels(tinted)[:, : soft.width_px]
    coloured = np.ptp(over.astype(int), axis=2).max(axis=0) > 0
    left = np.flatnonzero(coloured)[0]
    np.testing.assert_array_equal(over[:, :left], pixels(soft)[:, :left, None].repeat(3, axis=2))
    assert coloured[left:].all()
    assert tinted.height_px == soft.height_px


def test_nothing_is_drawn_over_a_slice_where_nobody_can_tell() -> None:
    assert len(pictures_of(abdomen_slice(level=0.3, size=256, pixel_mm=1.5), maps=None)) == 1


def test_the_lowest_scores_come_first_and_the_best_is_not_among_them() -> None:
    worst, best = extremes(rows(0.5, 0.2, None, 0.9, 0.1, 0.4))
    assert [row.score for row in worst] == [0.1, 0.2, 0.4]
    assert best.score == 0.9


def test_a_score_of_zero_is_a_score() -> None:
    worst, best = extremes(rows(0.3, 0.0, None))
    assert ([row.score for row in worst], best.score) == ([0.0], 0.3)


def test_a_lone_scored_slice_is_the_best_one() -> None:
    assert extremes(rows(None, 0.4))[0] == ()
    assert extremes(rows(None, 0.4))[1].score == 0.4
