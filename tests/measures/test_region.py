"""The region that rules find is the region that was drawn, or that the manifest names."""

import numpy as np
import pytest

from ctiqa.images.anatomy import draw_abdomen, draw_chest
from ctiqa.images.canvas import Canvas
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.phantom import abdomen_slice, chest_slice, ct_noise, water_slice
from ctiqa.measures.body import body_mask, cut_off_px
from ctiqa.measures.region import Region, body_region

PIXEL_MM = 0.75
BONE_HU, BRAIN_HU, MUSCLE_HU, AIR_HU = 900.0, 35.0, 55.0, -1000.0


def region(hu: FloatImage) -> Region | None:
    body = body_mask(hu)
    cut_off_mm = cut_off_px(body) * PIXEL_MM
    return body_region(hu, body, pixel_mm=PIXEL_MM, cut_off_mm=cut_off_mm)


def head() -> FloatImage:
    # 150 x 190 mm with a skull of 8 mm under 6 mm of scalp.
    canvas = Canvas.of_air(512, PIXEL_MM)
    canvas.ellipse(MUSCLE_HU, (0, 0), (75, 95))
    canvas.ellipse(BONE_HU, (0, 0), (69, 89))
    canvas.ellipse(BRAIN_HU, (0, 0), (61, 81))
    return canvas.hu


def limb(*, airway: bool) -> FloatImage:
    # A thigh of 150 mm, or, with an airway of 16 mm and a vertebra, a neck of the same girth.
    canvas = Canvas.of_air(512, PIXEL_MM)
    canvas.ellipse(MUSCLE_HU, (0, 0), (75, 70))
    canvas.ellipse(BONE_HU, (0, 15), (14, 14))
    if airway:
        canvas.ellipse(AIR_HU, (0, -25), (8, 8))
    return canvas.hu


@pytest.mark.parametrize("noise_hu", [0.0, 60.0])
@pytest.mark.parametrize(
    ("expected", "hu"),
    [
        ("chest", chest_slice(level=0.5, pixel_mm=PIXEL_MM).hu),
        ("abdomen", abdomen_slice(level=0.5, pixel_mm=PIXEL_MM).hu),
        ("phantom", water_slice(radius_mm=100, pixel_mm=PIXEL_MM).hu),
        ("head", head()),
        ("neck", limb(airway=True)),
        ("extremity", limb(airway=False)),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_was_drawn_is_what_is_seen_at_any_dose(
    expected: Region, hu: FloatImage, noise_hu: float
) -> None:
    noise = ct_noise(sd_hu=max(noise_hu, 1e-3), rng=np.random.default_rng(0), pixel_mm=PIXEL_MM)
    assert region(hu + noise) == expected


def test_patients_of_any_build_have_a_chest_and_an_abdomen() -> None:
    for seed in range(4):
        chest = draw_chest(level=0.5, seed=seed, pixel_mm=PIXEL_MM, size=512)
        abdomen = draw_abdomen(level=0.7, seed=seed, pixel_mm=PIXEL_MM, size=512)
        assert (region(chest), region(abdomen)) == ("chest", "abdomen")


def test_a_disc_of_many_tissues_is_no_phantom() -> None:
    canvas = Canvas.of_air(512, PIXEL_MM)
    canvas.ellipse(-100, (0, 0), (130, 130))
    canvas.ellipse(MUSCLE_HU, (0, 0), (110, 110))
    canvas.ellipse(-100, (0, 0), (70, 70))
    assert region(canvas.hu) == "abdomen"


def test_a_turned_or_mirrored_slice_shows_the_same_region() -> None:
    for hu in (head(), chest_slice(level=0.5, pixel_mm=PIXEL_MM).hu):
        turned = np.ascontiguousarray(hu[::-1])
        assert region(turned) == region(hu) == region(np.ascontiguousarray(hu[:, ::-1]))


def test_air_has_no_region_and_a_small_piece_of_a_body_none_either() -> None:
    air = np.full((64, 64), AIR_HU, np.float32)
    assert region(air) is None
    assert region(air + 1040) is None
