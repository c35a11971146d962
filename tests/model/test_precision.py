"""A network trained in bfloat16 must mean the same in float32, where it is exported and used."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from ctiqa.model.cnn_vit import CnnVit, NetworkShape, Patches
from ctiqa.model.comparators import Comparator
from ctiqa.model.grain import Grain

SHAPES = {
    "unshuffled by four": NetworkShape(
        windows=((350, 40), (1500, -600)),
        unshuffle=4,
        blocks=(32, 32),
        padding=1,
        down_channels=16,
        crop=(8, 120),
        patch=8,
        width=192,
        depth=2,
        heads=3,
        mlp=768,
    ),
    "told the grain": NetworkShape(
        blocks=(8,), padding=1, width=96, depth=2, heads=3, mlp=192, sees_grain=True, outputs=8
    ),
    "the paper's stem": NetworkShape(
        blocks=(8, 16), padding=1, width=96, depth=2, heads=3, mlp=192
    ),
}


@pytest.mark.parametrize("patch", [4, 8, 16, 32])
def test_patches_are_the_convolution_whose_stride_is_its_side(patch: int) -> None:
    torch.manual_seed(0)
    patches = Patches(16, 24, patch, stride=patch)
    x = torch.randn(2, 16, 64, 64)
    convolution = nn.functional.conv2d(x.double(), patches.weight.double(), stride=patch)
    torch.testing.assert_close(
        patches(x), (convolution + patches.bias.double()[:, None, None]).float()
    )


@pytest.mark.parametrize("patch", [4, 8, 16, 32])
def test_patches_in_bfloat16_differ_by_rounding_alone(patch: int) -> None:
    torch.manual_seed(0)
    patches = Patches(16, 24, patch, stride=patch)
    x = torch.randn(2, 16, 64, 64)
    with torch.no_grad():
        exact = patches(x)
        rounded = patches.to(torch.bfloat16)(x.to(torch.bfloat16)).float()
    assert (rounded - exact).norm() < 0.01 * exact.norm()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_every_layer_in_bfloat16_differs_from_float32_by_rounding_alone(
    shape: NetworkShape,
) -> None:
    torch.manual_seed(0)
    network = CnnVit(shape).eval().to(memory_format=torch.channels_last)
    seen: dict[str, list[torch.Tensor]] = {}
    for name, module in network.named_modules():
        # In place, the ReLU behind a batch norm has overwritten what the norm returned.
        # The grain is measured in single precision whatever the rest does (test_grain.py).
        if name and not isinstance(module, nn.BatchNorm2d | Grain):
            module.register_forward_hook(
                lambda _m, _i, output, name=name: seen.setdefault(name, []).append(
                    output.float().clone()
                )
            )
    hu = torch.randn(2, 512, 512) * 300
    with torch.inference_mode():
        network(hu, torch.ones(len(hu)))
        with torch.autocast("cpu", torch.bfloat16):
            network(hu, torch.ones(len(hu)))
    errors = {
        name: float((rounded - exact).norm() / exact.norm())
        for name, (exact, rounded) in seen.items()
    }
    assert max(errors.values()) < 0.05, errors


# VGG has 134 million weights and no kind of layer that these have not.
@pytest.mark.parametrize("name", ["resnet50", "densenet121", "googlenet"])
def test_every_layer_of_a_comparator_in_bfloat16_differs_by_rounding_alone(name: str) -> None:
    # Each layer for itself: fifty of them, not trained yet, make chaos of a rounding error.
    torch.manual_seed(0)
    shape = NetworkShape(size=64, blocks=(), crop=(0, 16))
    network = Comparator(name, shape).eval().to(memory_format=torch.channels_last)
    errors: dict[str, float] = {}

    def compare(module: nn.Module, inputs: Any, exact: torch.Tensor, *, layer: str) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            rounded = module.forward(*inputs)
        assert rounded.dtype == torch.bfloat16
        errors[layer] = float((rounded.float() - exact).norm() / exact.norm())

    for layer, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(partial(compare, layer=layer))
    with torch.inference_mode():
        network(torch.randn(2, 64, 64) * 300, torch.ones(2))
    assert len(errors) > 50
    assert max(errors.values()) < 0.01, errors
