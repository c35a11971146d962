"""A map lies where quality is lost, on the slice's own pixels, and costs a score nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from scipy import ndimage

import ctiqa
from ctiqa.errors import ModelError
from ctiqa.images.ct_slice import AIR_HU, CTSlice, Identity
from ctiqa.images.phantom import abdomen_slice
from ctiqa.measures.body import body_mask
from ctiqa.scoring.quality_map import QualityMap, quality_map
from ctiqa.scoring.scorer import Scorer

SIZE, CELL_PX = 128, 8
ABDOMEN = abdomen_slice(level=0.5, size=SIZE, pixel_mm=3)

Change = Callable[[onnx.ModelProto], None]


@pytest.fixture(scope="module")
def scorer(map_model: Path) -> Scorer:
    return Scorer(map_model)


@pytest.fixture
def changed(map_model: Path, tmp_path: Path) -> Callable[[Change], Path]:
    """Return a writer of the model with a change to its network."""

    def write(change: Change) -> Path:
        network = onnx.load(map_model)
        change(network)
        path = tmp_path / "changed.onnx"
        path.write_bytes(network.SerializeToString())
        return path

    return write


def without_map(network: onnx.ModelProto) -> None:
    del network.graph.output[1]


def slice_of(hu: np.ndarray) -> CTSlice:
    return CTSlice(hu.astype(np.float32), 3.0, Identity("a.dcm"))


def noisy_right_half() -> CTSlice:
    noise = np.random.default_rng(0).normal(0, 60, ABDOMEN.hu.shape).astype(np.float32)
    noise[:, : SIZE // 2] = 0
    return ABDOMEN.with_hu(ABDOMEN.hu + noise)


def test_a_map_lights_up_where_noise_is_added_and_nowhere_else(scorer: Scorer) -> None:
    before, after = (
        quality_map(each, scorer).on_pixels() for each in (ABDOMEN, noisy_right_half())
    )
    middle = SIZE // 2
    # The edge of the noise is seen in the cell beside it, which reaches into the next.
    left = (slice(None), slice(middle - 2 * CELL_PX))
    np.testing.assert_array_equal(after[left], before[left])
    body = body_mask(noisy_right_half().hu)
    right = body.copy()
    right[:, : middle + CELL_PX] = False
    assert after[right].mean() > before[right].mean() + 0.3


def test_a_map_flips_with_its_slice(scorer: Scorer) -> None:
    ct_slice = noisy_right_half()
    found = quality_map(ct_slice, scorer).on_pixels()
    for axis in (0, 1):
        flipped = ct_slice.with_hu(np.ascontiguousarray(np.flip(ct_slice.hu, axis)))
        again = quality_map(flipped, scorer).on_pixels()
        np.testing.assert_allclose(again, np.flip(found, axis), atol=1e-5)


def test_a_map_is_zero_outside_the_body_and_in_range_inside(scorer: Scorer) -> None:
    hu = ABDOMEN.hu.copy()
    hu[:20] = np.random.default_rng(1).normal(AIR_HU, 80, (20, SIZE))  # noise in the air
    found = quality_map(slice_of(hu), scorer)
    pixels, body = found.on_pixels(), body_mask(hu)
    assert scorer.loss_map(hu, 0.7)[:2].min() > 0.3
    assert not pixels[~body].any()
    assert pixels[body].min() >= 0
    assert pixels[body].max() <= 1
    cells = body.reshape(16, CELL_PX, 16, CELL_PX).any(axis=(1, 3))
    assert not found.loss[~cells].any()


def test_between_the_centres_of_its_cells_a_map_is_bilinear_as_scipy_has_it() -> None:
    loss = np.random.default_rng(2).random((16, 16), np.float32)
    found = QualityMap(loss=loss, size=SIZE, body=np.ones((SIZE, SIZE), bool)).on_pixels()
    centres = (np.arange(SIZE) + 0.5) / CELL_PX - 0.5
    places = np.meshgrid(centres, centres, indexing="ij")
    expected = ndimage.map_coordinates(loss, places, order=1, mode="nearest")
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_the_network_says_of_the_air_does_not_reach_into_the_body() -> None:
    body = np.zeros((SIZE, SIZE), bool)
    body[32:96, 32:96] = True
    loss = np.ones((16, 16), np.float32)
    loss[4:12, 4:12] = 0.25
    found = QualityMap(loss=loss, size=SIZE, body=body).on_pixels()
    np.testing.assert_allclose(found[body], 0.25, atol=1e-6)


@pytest.mark.parametrize("matrix", [96, 100, 120])
def test_a_small_slice_has_the_map_of_its_padded_self(scorer: Scorer, matrix: int) -> None:
    edge = (SIZE - matrix) // 2
    inner = ABDOMEN.hu[edge : edge + matrix, edge : edge + matrix]
    padded = np.pad(inner, edge, constant_values=AIR_HU)
    found = quality_map(slice_of(inner), scorer)
    np.testing.assert_array_equal(
        found.loss[found.loss > 0], scorer.loss_map(padded, 0.7)[found.loss > 0]
    )
    whole = QualityMap(loss=found.loss, size=SIZE, body=np.pad(found.body, edge)).on_pixels()
    assert found.on_pixels().shape == (matrix, matrix)
    np.testing.assert_array_equal(found.on_pixels(), whole[edge:-edge, edge:-edge])


def test_a_large_slice_has_no_map_where_it_was_cropped(scorer: Scorer) -> None:
    large = slice_of(np.pad(noisy_right_half().hu, 16, mode="edge"))
    found = quality_map(large, scorer).on_pixels()
    assert found.shape == (160, 160)
    inner = found[16:-16, 16:-16]
    assert inner.max() > 0.3
    assert found.sum() == pytest.approx(inner.sum())


def test_scores_are_the_same_whether_the_model_has_a_map_and_whoever_asks_for_it(
    map_model: Path, changed: Callable[[Change], Path]
) -> None:
    slices = [ABDOMEN, noisy_right_half()]
    bare = ctiqa.score(slices, model=changed(without_map))
    scorer = Scorer(map_model)
    before = ctiqa.score(slices, model=scorer)
    quality_map(ABDOMEN, scorer)
    after = ctiqa.score(slices, model=scorer)
    scores = [[row.score for row in report.slices] for report in (bare, before, after)]
    assert scores[0] == scores[1] == scores[2]
    assert scores[0][0] is not None


def test_a_score_does_not_make_the_engine_work_out_the_map(
    changed: Callable[[Change], Path],
) -> None:
    """A map that cannot be worked out is found out by whoever asks for it."""

    def impossible(network: onnx.ModelProto) -> None:
        graph = network.graph
        far = onnx.numpy_helper.from_array(np.full(16, 999, np.int64), "far")
        graph.initializer.append(far)
        clip = next(node for node in graph.node if node.output[0] == "loss_map")
        clip.output[0] = "clipped"
        graph.node.append(onnx.helper.make_node("Gather", ["clipped", "far"], ["loss_map"], axis=1))

    scorer = Scorer(changed(impossible))
    assert scorer.score_batch(ABDOMEN.hu[np.newaxis], 0.7).shape == (1, 1)
    with pytest.raises(ModelError, match="failed"):
        scorer.loss_map(ABDOMEN.hu, 0.7)


def test_a_model_without_a_map_is_refused_in_one_sentence(
    changed: Callable[[Change], Path],
) -> None:
    scorer = Scorer(changed(without_map))
    assert not scorer.has_map
    with pytest.raises(ModelError, match=r"train one by 'ctiqa quality-map'$"):
        quality_map(ABDOMEN, scorer)


def test_a_map_of_no_numbers_is_refused(changed: Callable[[Change], Path]) -> None:
    def damage(network: onnx.ModelProto) -> None:
        kernel = next(one for one in network.graph.initializer if one.name == "laplacian")
        kernel.CopyFrom(
            onnx.numpy_helper.from_array(np.full((1, 1, 3, 3), np.nan, np.float32), "laplacian")
        )

    with pytest.raises(ModelError, match="weights are damaged"):
        Scorer(changed(damage)).loss_map(ABDOMEN.hu, 0.7)


@pytest.mark.parametrize("hu", [np.zeros((64, 64), np.float32), np.zeros((SIZE, SIZE))])
def test_a_slice_of_another_shape_or_type_is_a_mistake_of_the_caller(
    scorer: Scorer, hu: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=r"\(N, 128, 128\) float32"):
        scorer.loss_map(hu, 0.7)


def renamed(network: onnx.ModelProto) -> None:
    network.graph.node.append(onnx.helper.make_node("Identity", ["loss_map"], ["other"]))
    network.graph.output[1].name = "other"


def oblong(network: onnx.ModelProto) -> None:
    pool = next(node for node in network.graph.node if node.op_type == "AveragePool")
    for attribute in pool.attribute:
        attribute.ints[:] = [8, 4]
    network.graph.output[1].type.tensor_type.shape.dim[2].dim_value = 32


def uneven(network: onnx.ModelProto) -> None:
    pool = next(node for node in network.graph.node if node.op_type == "AveragePool")
    for attribute in pool.attribute:
        attribute.ints[:] = [9, 9]
    for axis in (1, 2):
        network.graph.output[1].type.tensor_type.shape.dim[axis].dim_value = 14


def twice(network: onnx.ModelProto) -> None:
    network.graph.node.append(onnx.helper.make_node("Identity", ["loss_map"], ["other"]))
    network.graph.output.append(network.graph.output[1])
    network.graph.output[2].name = "other"


@pytest.mark.parametrize("change", [renamed, oblong, uneven, twice])
def test_a_second_output_that_is_no_map_on_square_cells_is_refused(
    changed: Callable[[Change], Path], change: Change
) -> None:
    with pytest.raises(ModelError, match="disagree"):
        Scorer(changed(change))
