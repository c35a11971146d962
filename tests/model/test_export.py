"""What is exported needs no PyTorch, says what it is, and returns what PyTorch returned."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from ctiqa.card import Card
from ctiqa.errors import ModelError
from ctiqa.model import export as module
from ctiqa.model.export import export
from ctiqa.scoring.scorer import Scorer

SIDES = torch.linspace(0.5, 0.9, 9)

CARD = Card(name="small", outputs=4, size=64, windows_hu=((350.0, 40.0),), notes=("Grüße",))


@pytest.fixture
def network(make: Any) -> Any:
    made = make(outputs=4)
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-1, 1)
            layer.running_var.uniform_(0.5, 2)
    return made


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported") / "small.onnx"


@pytest.fixture
def path(exported: Path, network: nn.Module, capfd: pytest.CaptureFixture[str]) -> Path:
    """Return the file of ``network``, made once."""
    if not exported.exists():
        export(network.train(), CARD, exported)
        assert capfd.readouterr() == ("", ""), "the exporter speaks"
    return exported


def test_the_engine_returns_what_pytorch_returns_for_any_number_of_slices(
    path: Path, network: nn.Module
) -> None:
    scorer = Scorer(path)
    hu = 300 * torch.randn(9, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        ours = network(hu, SIDES).numpy()
    for count in (1, 2, 9):
        np.testing.assert_allclose(
            scorer.score_batch(hu[:count].numpy(), SIDES[:count].numpy()),
            ours[:count],
            rtol=0,
            atol=1e-3,
        )


def test_the_card_comes_back_from_the_file(path: Path) -> None:
    assert Scorer(path).card == CARD


def test_one_file_holds_everything(path: Path) -> None:
    assert [each.name for each in path.parent.iterdir()] == ["small.onnx"]


def test_the_file_opens_in_the_oldest_engine_that_is_allowed(path: Path) -> None:
    # ONNX Runtime 1.20, the least that pyproject.toml names: IR version 10, operators up to 21.
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 10
    assert [(each.domain, each.version <= 21) for each in model.opset_import] == [("", True)]


def test_batch_norm_is_folded_into_the_convolutions(path: Path) -> None:
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(path).graph.node}


def test_large_weights_are_stored_in_half_precision(path: Path, network: nn.Module) -> None:
    large = [each for each in network.parameters() if each.numel() >= 1024]
    stored = [onnx.numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer]
    assert sum(each.size for each in stored if each.dtype == np.float16) == sum(
        each.numel() for each in large
    )
    assert max(each.size for each in stored if each.dtype == np.float32) < 1024


def test_weights_too_large_for_half_precision_stay_single(make: Any, tmp_path: Path) -> None:
    network = make(outputs=4)
    with torch.no_grad():
        network.embed.weight.mul_(1e7)
    export(network, CARD, tmp_path / "x.onnx")
    stored = map(onnx.numpy_helper.to_array, onnx.load(tmp_path / "x.onnx").graph.initializer)
    single = [each for each in stored if each.size >= 1024 and each.dtype == np.float32]
    assert [np.abs(each).max() > 65504 for each in single] == [True]


def test_weights_stay_single_where_half_precision_would_change_a_score(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HALVED_TOLERANCE", 0.0)
    export(network, CARD, tmp_path / "x.onnx")
    stored = map(onnx.numpy_helper.to_array, onnx.load(tmp_path / "x.onnx").graph.initializer)
    assert {each.dtype for each in stored if each.dtype.kind == "f"} == {np.dtype(np.float32)}


def test_the_file_does_not_say_where_the_code_lay(path: Path) -> None:
    data = path.read_bytes()
    for place in (str(Path(module.__file__).parent), str(Path(sys.prefix)), ".py"):
        assert place.encode() not in data


def test_an_export_that_scores_otherwise_is_refused_and_not_written(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    other = onnx.load(path)
    head = next(each for each in other.graph.initializer if each.name.endswith("head.bias"))
    moved = onnx.numpy_helper.to_array(head) + np.float32(2e-3)
    head.CopyFrom(onnx.numpy_helper.from_array(moved, head.name))
    del other.metadata_props[:]
    monkeypatch.setattr(module, "_traced", lambda *_: other)
    with pytest.raises(ModelError, match=r"by 0\.00\d+ on 1 slices, over 0\.0001"):
        export(network, CARD, tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_card_of_another_network_is_refused(make: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"returns 1 scores a slice, but its card says 4"):
        export(make(outputs=1), CARD, tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


class SideBySide(nn.Module):
    """Two networks as one."""

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, hu: Tensor, pixel_mm: Tensor) -> Tensor:
        return torch.cat([each(hu, pixel_mm) for each in self.networks], dim=1)


def test_a_network_that_is_told_the_grain_carries_over(make: Any, tmp_path: Path) -> None:
    network, path = make(outputs=4, sees_grain=True), tmp_path / "grain.onnx"
    export(network, CARD, path)
    hu = 300 * torch.randn(9, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = network(hu, torch.ones(9))
    np.testing.assert_allclose(Scorer(path).score_batch(hu.numpy(), 1.0), expected, atol=1e-3)


def test_the_side_of_a_pixel_travels_with_a_network_that_sees_it(make: Any, tmp_path: Path) -> None:
    network, path = make(outputs=4, sees_pixel_mm=True), tmp_path / "sees.onnx"
    export(network, CARD, path)
    hu = 300 * torch.randn(9, 64, 64, generator=torch.Generator().manual_seed(2))
    scorer = Scorer(path)
    with torch.inference_mode():
        ours = network(hu, SIDES).numpy()
    theirs = scorer.score_batch(hu.numpy(), SIDES.numpy())
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-3)
    assert np.abs(scorer.score_batch(hu.numpy(), 0.9)[0] - theirs[0]).max() > 1e-4


def test_networks_side_by_side_export_as_one(make: Any, tmp_path: Path) -> None:
    both = SideBySide([make(seed=1, depth=1), make(seed=2, depth=1)]).eval()
    card = Card(name="both", outputs=2, size=64, windows_hu=((350.0, 40.0),))
    export(both, card, tmp_path / "both.onnx")
    session = ort.InferenceSession(tmp_path / "both.onnx")
    hu = np.zeros((5, 64, 64), np.float32)
    (scores,) = session.run(["scores"], {"hu": hu})
    with torch.inference_mode():
        np.testing.assert_allclose(
            scores, both(torch.from_numpy(hu), SIDES[:5]).numpy(), rtol=0, atol=1e-3
        )
