"""The label of every cell: what it must be, and what it must follow."""

import numpy as np
import pytest

from ctiqa.corpus.label import IDEAL, WINDOWS, references
from ctiqa.corpus.loss_map import CELLS, LossMap, from_bytes, loss_map, to_bytes
from ctiqa.images.ct_slice import FloatImage, Mask
from ctiqa.images.phantom import chest_slice
from ctiqa.measures.body import body_mask
from ctiqa.measures.fidelity import Reference

metrics = pytest.importorskip("skimage.metrics")

SHAPE = (256, 256)
SIDE = SHAPE[0] // CELLS
BOX = (slice(20, 230), slice(3, 256))


@pytest.fixture(scope="module")
def clean() -> FloatImage:
    return chest_slice(level=0.6, size=SHAPE[0], pixel_mm=1.4).hu


@pytest.fixture(scope="module")
def body(clean: FloatImage) -> Mask:
    return body_mask(clean)


@pytest.fixture(scope="module")
def against(clean: FloatImage, body: Mask) -> dict[str, Reference]:
    return references(clean[BOX], region=body[BOX])


def noisy(clean: FloatImage, sd_hu: FloatImage | float) -> FloatImage:
    noise = np.random.default_rng(0).standard_normal(clean.shape).astype(np.float32)
    return (clean + noise * np.asarray(sd_hu, np.float32)).astype(np.float32)


def lost(image: FloatImage, against: dict[str, Reference], *, detail: float = 1.0) -> LossMap:
    return loss_map(image, against, recipe=IDEAL, detail=detail, box=BOX, shape=SHAPE)


def test_the_reference_itself_loses_nothing_anywhere(
    clean: FloatImage, against: dict[str, Reference]
) -> None:
    assert np.nanmax(lost(clean, against)) == pytest.approx(0, abs=1e-6)


def test_lost_detail_is_lost_in_every_cell(
    clean: FloatImage, against: dict[str, Reference]
) -> None:
    assert np.nanmin(lost(clean, against, detail=0.7)) == pytest.approx(0.3, abs=1e-6)


def test_cells_outside_the_body_have_no_label(
    clean: FloatImage, body: Mask, against: dict[str, Reference]
) -> None:
    seen = np.zeros(SHAPE, bool)
    seen[BOX] = body[BOX]
    share = seen.reshape(CELLS, SIDE, CELLS, SIDE).mean(axis=(1, 3))
    assert np.array_equal(~np.isnan(lost(clean, against)), share >= 0.5)


def test_a_cell_has_the_label_of_its_own_surroundings(
    clean: FloatImage, body: Mask, against: dict[str, Reference]
) -> None:
    image = noisy(clean, 30)
    found = lost(image, against)
    inside = body.reshape(CELLS, SIDE, CELLS, SIDE).all(axis=(1, 3))
    row, column = max(
        zip(*np.nonzero(inside), strict=True), key=lambda at: inside_around(*at, inside)
    )
    near = np.s_[(row - 1) * SIDE : (row + 2) * SIDE, (column - 1) * SIDE : (column + 2) * SIDE]
    values = []
    for name, (low, high) in zip(IDEAL.windows, IDEAL.psnr_limits_db, strict=True):
        a, b = (WINDOWS[name].apply(each).astype(float) for each in (image, clean))
        _, similar = metrics.structural_similarity(a, b, data_range=1.0, full=True)
        psnr_db = metrics.peak_signal_noise_ratio(b[near], a[near], data_range=1.0)
        normalised = np.clip((psnr_db - low) / (high - low), 0, 1)
        values.append(0.5 * normalised + 0.5 * similar[near].mean())
    assert found[row, column] == pytest.approx(1 - np.mean(values), abs=1e-4)


def inside_around(row: int, column: int, inside: Mask) -> int:
    return int(inside[row - 1 : row + 2, column - 1 : column + 2].sum())


def test_the_half_with_more_noise_loses_more(
    clean: FloatImage, against: dict[str, Reference]
) -> None:
    sd_hu = np.full(SHAPE, 10.0, np.float32)
    sd_hu[:, 128:] = 30
    even, half = lost(noisy(clean, 10), against), lost(noisy(clean, sd_hu), against)
    more = half - even
    assert np.nanmax(np.abs(more[:, : CELLS // 2 - 3])) == pytest.approx(0, abs=1e-6)
    assert np.nanmin(more[:, CELLS // 2 + 3 :]) >= 0
    assert np.nanmedian(more[:, CELLS // 2 + 3 :]) > 0.05


def test_a_stored_map_comes_back_within_its_step(
    clean: FloatImage, against: dict[str, Reference]
) -> None:
    found = lost(noisy(clean, 20), against)
    back = from_bytes(to_bytes(found))
    assert np.array_equal(np.isnan(back), np.isnan(found))
    assert np.nanmax(np.abs(back - found)) <= 0.5 / 254 + 1e-6
