"""Weights from ImageNet mean here what they mean in torchvision."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from ctiqa.errors import ModelError
from ctiqa.model.imagenet import load_imagenet_vit

MAP = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))


class Given(nn.Module):
    """In place of the convolutions: a map, whatever comes in."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(MAP[: len(x)], (4, 4, 4, 4))


@pytest.fixture
def theirs() -> VisionTransformer:
    torch.manual_seed(3)
    vit = VisionTransformer(
        image_size=24, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    ).eval()
    for parameter in vit.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return vit


def as_pth(tensors: dict[str, Tensor], folder: Path) -> Path:
    torch.save(tensors, folder / "vit.pth")
    return folder / "vit.pth"


def as_safetensors(tensors: dict[str, Tensor], folder: Path) -> Path:
    safetensors.torch.save_file(tensors, folder / "vit.safetensors")
    return folder / "vit.safetensors"


def with_old_names(tensors: dict[str, Tensor], folder: Path) -> Path:
    """Name the perceptron as torchvision's own file of ViT-B/16 does."""
    renamed = {
        name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): tensor
        for name, tensor in tensors.items()
    }
    assert "encoder.layers.encoder_layer_1.mlp.linear_2.bias" in renamed
    return as_pth(renamed, folder)


@pytest.mark.parametrize("save", [as_pth, as_safetensors, with_old_names])
def test_the_transformer_returns_what_torchvision_returns(
    make: Any, theirs: VisionTransformer, tmp_path: Path, save: Callable[..., Path]
) -> None:
    ours = make()
    head, stem = ours.head.weight.clone(), ours.stem[0].weight.clone()
    load_imagenet_vit(ours, save(theirs.state_dict(), tmp_path))
    assert torch.equal(ours.head.weight, head)
    assert torch.equal(ours.stem[0].weight, stem)
    theirs.heads = nn.Sequential(ours.head)
    ours.stem = Given()
    torch.testing.assert_close(
        ours(torch.zeros(2, 64, 64), torch.ones(2)), theirs(MAP), rtol=0, atol=1e-5
    )


def test_what_the_network_is_told_beside_the_slice_keeps_its_weights(
    make: Any, theirs: VisionTransformer, tmp_path: Path
) -> None:
    ours = make(sees_grain=True, sees_pixel_mm=True)
    before = ours.grain.linear.weight.clone(), ours.scale.weight.clone()
    load_imagenet_vit(ours, as_pth(theirs.state_dict(), tmp_path))
    assert torch.equal(ours.grain.linear.weight, before[0])
    assert torch.equal(ours.scale.weight, before[1])
    class_token = theirs.state_dict()["class_token"]
    torch.testing.assert_close(ours.class_token.data, class_token)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"depth": 3}, "holds nothing for blocks.2.attention.out.bias; take its depth"),
        ({"depth": 1}, "holds blocks.1.attention.out.bias as well; take its depth"),
        ({"mlp": 64}, "what becomes blocks.0.mlp.0.weight is (32, 16), but the recipe needs"),
        ({"crop": (0, 32)}, "what becomes position is (1, 10, 16), but the recipe needs (1, 17"),
        ({"down_channels": 4}, "what becomes embed.weight is (16, 3, 8, 8)"),
    ],
)
def test_another_vit_is_refused_by_the_tensor_that_does_not_fit(
    make: Any,
    theirs: VisionTransformer,
    tmp_path: Path,
    changes: dict[str, Any],
    words: str,
) -> None:
    path = as_pth(theirs.state_dict(), tmp_path)
    network = make(**changes)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ModelError) as refused:
        load_imagenet_vit(network, path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert all(torch.equal(each, before[name]) for name, each in network.state_dict().items())


def cut_short(path: Path) -> None:
    whole = as_pth({"a": torch.zeros(1000)}, path.parent).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def with_code(path: Path) -> None:
    torch.save(nn.Linear(2, 2), path)


def with_a_list(path: Path) -> None:
    torch.save([torch.zeros(1)], path)


def with_numbers(path: Path) -> None:
    torch.save({"class_token": 1}, path)


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        ("no.pth", lambda _: None, "No such file or directory; name a file"),
        ("no.safetensors", lambda _: None, "No such file or directory; name a file"),
        ("folder.pth", Path.mkdir, "Is a directory"),
        ("empty.pth", Path.touch, "is damaged or holds more than tensors"),
        ("empty.safetensors", Path.touch, "is damaged or holds more than tensors"),
        ("text.pth", lambda path: path.write_text("hello, this is text"), "is damaged"),
        ("text.safetensors", lambda path: path.write_text("hello, this is text"), "is damaged"),
        ("cut.pth", cut_short, "is damaged"),
        ("code.pth", with_code, "is damaged or holds more than tensors"),
        ("list.pth", with_a_list, "holds no state dict"),
        ("numbers.pth", with_numbers, "holds no state dict"),
        (
            "resnet.pth",
            lambda path: torch.save({"layer1.0.conv1.weight": torch.zeros(1)}, path),
            "holds layer1.0.conv1.weight, which no ViT of torchvision has",
        ),
    ],
)
def test_a_file_of_another_kind_is_refused_in_words(
    make: Any, tmp_path: Path, name: str, spoil: Callable[[Path], Any], words: str
) -> None:
    path = tmp_path / name
    spoil(path)
    with pytest.raises(ModelError) as refused:
        load_imagenet_vit(make(), path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
