"""Planted detail: where it lies, how a scanner shows it, how much of it is left."""

from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from ctiqa.corpus.detail import REFERENCE_SIGMA_MM, Disc, draw_discs, share_seen, visible
from ctiqa.images.ct_slice import FloatImage, Mask

PIXEL_MM = 0.7
SHAPE = (256, 256)


@pytest.fixture
def body() -> Mask:
    rows, columns = np.mgrid[:256, :256]
    return np.asarray(np.hypot((rows - 128) / 80, (columns - 128) / 110) < 1)


def shown(sigma_mm: float, body: Mask) -> FloatImage:
    discs = draw_discs(body, pixel_mm=PIXEL_MM, rng=np.random.default_rng(0))
    return visible(discs, shape=SHAPE, pixel_mm=PIXEL_MM, sigma_mm=sigma_mm)


def seen(sigma_mm: float, body: Mask) -> float:
    """Return r of a scanner without noise, nothing done to its image."""
    nothing = np.zeros(SHAPE, np.float32)
    own, ideal = shown(sigma_mm, body), shown(REFERENCE_SIGMA_MM, body)
    return share_seen(lambda hu: hu, nothing, nothing, own=own, ideal=ideal)


def test_discs_lie_inside_the_body_and_apart(body: Mask) -> None:
    discs = draw_discs(body, pixel_mm=PIXEL_MM, rng=np.random.default_rng(1))
    assert len(discs) == 120
    assert all(body[round(disc.row), round(disc.column)] for disc in discs)
    for one, other in combinations(discs, 2):
        distance = np.hypot(one.row - other.row, one.column - other.column) * PIXEL_MM
        assert distance > one.radius_mm + other.radius_mm


def test_without_room_there_is_no_detail_and_no_claim() -> None:
    assert draw_discs(np.zeros(SHAPE, bool), pixel_mm=1.0, rng=np.random.default_rng(0)) == []
    nothing = np.zeros(SHAPE, np.float32)
    assert np.isnan(share_seen(lambda hu: hu, nothing, nothing, own=nothing, ideal=nothing))


@pytest.mark.parametrize("sigma_mm", [0.35, 0.8])
def test_a_disc_holds_its_contrast_times_its_area_however_blurred(sigma_mm: float) -> None:
    disc = Disc(127.3, 128.6, radius_mm=2.0, contrast_hu=25.0)
    image = visible([disc], shape=SHAPE, pixel_mm=PIXEL_MM, sigma_mm=sigma_mm)
    expected = 25.0 * np.pi * (2.0 / PIXEL_MM) ** 2
    assert float(image.sum()) == pytest.approx(expected, rel=0.02)


def test_at_the_reference_resolution_all_of_it_is_seen(body: Mask) -> None:
    assert seen(REFERENCE_SIGMA_MM, body) == pytest.approx(1.0, abs=1e-6)


def test_a_softer_scanner_shows_less_and_a_sharper_one_more(body: Mask) -> None:
    shares = [seen(sigma_mm, body) for sigma_mm in (0.36, 0.43, 0.5, 0.7, 1.0, 1.5)]
    assert shares == sorted(shares, reverse=True)
    assert shares[1] > 1


@pytest.mark.parametrize(
    ("sigma_mm", "least", "most"), [(0.35, 1.09, 1.15), (0.65, 0.83, 0.89), (0.85, 0.68, 0.74)]
)
@pytest.mark.parametrize("pixel_mm", [0.5, 0.7, 0.95])
def test_kernels_show_the_share_that_the_physics_page_tells(
    sigma_mm: float, least: float, most: float, pixel_mm: float, body: Mask
) -> None:
    nothing = np.zeros(SHAPE, np.float32)
    discs = draw_discs(body, pixel_mm=pixel_mm, rng=np.random.default_rng(0))
    own, ideal = (
        visible(discs, shape=SHAPE, pixel_mm=pixel_mm, sigma_mm=each)
        for each in (sigma_mm, REFERENCE_SIGMA_MM)
    )
    assert least <= share_seen(lambda hu: hu, nothing, nothing, own=own, ideal=ideal) <= most


def test_a_body_hardly_wider_than_a_disc_still_gets_one() -> None:
    narrow = np.zeros(SHAPE, bool)
    narrow[100:108, 50:200] = True
    assert draw_discs(narrow, pixel_mm=PIXEL_MM, rng=np.random.default_rng(0))


def test_exaggerated_detail_counts_against_it(body: Mask) -> None:
    nothing, own = np.zeros(SHAPE, np.float32), shown(0.5, body)
    shares = [
        share_seen(lambda hu, by=gain: by * hu, nothing, nothing, own=own, ideal=own)
        for gain in (1.0, 1.15, 1.3, 1.8, 5.0)
    ]
    assert shares == pytest.approx([1.0, 1.15, 1.0, 0.5, 0.0], abs=1e-6)


def test_blur_counts_the_same_whether_scanner_or_filter_made_it(body: Mask) -> None:
    more_px = np.sqrt(0.8**2 - 0.5**2) / PIXEL_MM
    nothing = np.zeros(SHAPE, np.float32)
    filtered = share_seen(
        lambda hu: np.asarray(ndimage.gaussian_filter(hu, more_px), np.float32),
        nothing,
        nothing,
        own=shown(0.5, body),
        ideal=shown(REFERENCE_SIGMA_MM, body),
    )
    assert filtered == pytest.approx(seen(0.8, body), abs=0.01)
