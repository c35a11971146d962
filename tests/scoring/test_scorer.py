"""A model file is opened, checked against its card and run; everything else is refused."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import ctiqa
from ctiqa.card import Card
from ctiqa.errors import ModelError
from ctiqa.scoring.scorer import Scorer

WriteModel = Callable[..., Path]


def test_a_scorer_knows_the_card_and_the_hash_of_its_file(model: Path, card: Card) -> None:
    scorer = Scorer(model)
    assert scorer.card == card
    assert scorer.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()


def test_a_batch_is_scored_as_the_network_says(model: Path) -> None:
    hu = np.stack([np.full((64, 64), level, np.float32) for level in (-1000, 0, 500)])
    expected = np.float32([[-1.0], [0.0], [0.5]]) + np.float32([0, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(Scorer(model).score_batch(hu, 0.7), expected, atol=1e-6)


def test_the_parts_of_a_score_are_told_member_by_member(
    write_model: WriteModel, card: Card
) -> None:
    text = json.dumps(json.loads(card.to_json()) | {"parts": ["score", "noise"]})
    scorer = Scorer(write_model(card_text=text))
    hu = np.zeros((2, 64, 64), np.float32)
    expected = np.float32([[[0, 0.1], [0.2, 0.3]]] * 2)
    np.testing.assert_allclose(scorer.parts_batch(hu, 0.7), expected, atol=1e-6)
    np.testing.assert_allclose(scorer.score_batch(hu, 0.7), expected[:, :, 0], atol=1e-6)


def test_a_score_does_not_depend_on_its_batch_or_on_threads(model: Path) -> None:
    hu = np.random.default_rng(0).normal(0, 100, (9, 64, 64)).astype(np.float32)
    together = Scorer(model, threads=2).score_batch(hu, 0.7)
    alone = [
        Scorer(model, threads=1).score_batch(hu[number : number + 1], 0.7) for number in range(9)
    ]
    np.testing.assert_array_equal(np.concatenate(alone), together)


@pytest.mark.parametrize(
    "hu", [np.zeros((1, 32, 64), np.float32), np.zeros((64, 64), np.float32), np.zeros((1, 64, 64))]
)
def test_a_batch_of_another_shape_or_type_is_a_mistake_of_the_caller(
    model: Path, hu: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=r"\(N, 64, 64\) float32"):
        Scorer(model).score_batch(hu, 0.7)


@pytest.mark.parametrize("pixel_mm", [0, [0.7, -1], [0.7, np.nan]])
def test_the_side_of_a_pixel_is_above_zero(model: Path, pixel_mm: Any) -> None:
    with pytest.raises(ValueError, match="above 0 mm"):
        Scorer(model).score_batch(np.zeros((2, 64, 64), np.float32), pixel_mm)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: No such file"):
        Scorer(tmp_path / "none.onnx")


@pytest.mark.parametrize("data", [b"", b"PK\3\4 no model", bytes(1000)])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "odd.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"odd\.onnx"):
        Scorer(path)


def test_a_truncated_model_is_refused(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:200])
    with pytest.raises(ModelError, match="copy or export it again"):
        Scorer(model)


def test_a_model_without_a_card_is_refused(write_model: WriteModel) -> None:
    with pytest.raises(ModelError, match="carries no card"):
        Scorer(write_model("foreign.onnx", card_text=""))


@pytest.mark.parametrize(
    "change", [{"size": 512}, {"outputs": 1}, {"parts": ["score"] * 3}, {"parts": ["noise"]}]
)
def test_a_card_that_disagrees_with_its_network_is_refused(
    write_model: WriteModel, card: Card, change: dict[str, Any]
) -> None:
    text = json.dumps(json.loads(card.to_json()) | change)
    with pytest.raises(ModelError, match="disagree"):
        Scorer(write_model(card_text=text))


def test_weights_that_give_no_numbers_are_refused(model: Path) -> None:
    network = onnx.load(model)
    step = next(each for each in network.graph.initializer if each.name == "steps")
    step.CopyFrom(onnx.numpy_helper.from_array(np.full(4, np.nan, np.float32), "steps"))
    model.write_bytes(network.SerializeToString())
    with pytest.raises(ModelError, match="weights are damaged"):
        Scorer(model).score_batch(np.zeros((1, 64, 64), np.float32), 0.7)


@pytest.mark.parametrize("device", ["tpu", "cuda:", "cpu:1", "cuda:-1", ""])
def test_a_device_that_does_not_exist_is_refused(model: Path, device: str) -> None:
    with pytest.raises(ModelError, match="no device is called"):
        Scorer(model, device=device)


@pytest.mark.parametrize("device", ["cuda", "gpu", "cuda:1"])
def test_a_graphics_card_is_never_replaced_in_silence(
    model: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match="onnxruntime-gpu"):
        Scorer(model, device=device)


def test_an_installation_without_a_model_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.resources.files", lambda _package: tmp_path)
    with pytest.raises(ModelError, match="name one with --model"):
        ctiqa.Scorer()
