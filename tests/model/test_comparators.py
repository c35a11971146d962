"""The networks of Table 4 are torchvision's but for their two ends, and have the CNN-ViT's face."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ctiqa.model.choice import COMPARATORS
from ctiqa.model.cnn_vit import CnnVit, NetworkShape
from ctiqa.model.comparators import Comparator, make_network

SIDE = torch.tensor([0.7])

# Parameters with three channels and 1000 classes, of the *_Weights in torchvision.models; weights
# of the first convolution for each channel; what the last layer takes.
PUBLISHED = {
    "resnet50": (25_557_032, 64 * 7 * 7, 2048),
    "densenet121": (7_978_856, 64 * 7 * 7, 1024),
    "vgg16_bn": (138_365_992, 64 * 3 * 3, 4096),
    "googlenet": (6_624_904, 64 * 7 * 7, 1024),
}


def sizes(*, size: int = 64, unshuffle: int = 1, outputs: int = 1, **others: Any) -> NetworkShape:
    return NetworkShape(
        size=size, unshuffle=unshuffle, outputs=outputs, blocks=(), crop=(0, 16), **others
    )


@pytest.fixture(scope="module", params=PUBLISHED)
def network(request: pytest.FixtureRequest) -> Comparator:
    """Return a comparator whose batch norms have seen noise, in double precision."""
    torch.manual_seed(0)
    made = Comparator(request.param, sizes()).double()
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    made(noise(8, sd_hu=100), SIDE)
    return made.eval()


def noise(count: int, *, sd_hu: float) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    return 40 + sd_hu * torch.randn(count, 64, 64, generator=draw).double()


def held(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_every_comparator_is_tested_here() -> None:
    assert set(PUBLISHED) == set(COMPARATORS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_comparator_is_that_of_torchvision_but_for_its_first_and_last_layer(name: str) -> None:
    with torch.device("meta"):
        made = make_network(name, sizes())
    published, first, taken = PUBLISHED[name]
    assert held(made) == published - (3 - 1) * first - (1000 - 1) * (taken + 1)


@pytest.mark.parametrize(("size", "unshuffle", "outputs"), [(64, 1, 1), (256, 4, 4)])
@pytest.mark.parametrize("name", PUBLISHED)
def test_slices_get_as_many_scores_as_there_are_outputs_even_one_alone_in_training(
    name: str, size: int, unshuffle: int, outputs: int
) -> None:
    # The least size that a recipe may have; with less, batch norm refuses to learn from one slice.
    windows = ((350.0, 40.0), (1500.0, -600.0))
    with torch.device("meta"):
        made = make_network(
            name, sizes(size=size, unshuffle=unshuffle, outputs=outputs, windows=windows)
        )
        first = next(layer for layer in made.modules() if isinstance(layer, nn.Conv2d))
        assert first.weight.shape[1] == first.in_channels == 2 * unshuffle**2
        for count in (1, 3):
            assert made(torch.empty(count, size, size), SIDE).shape == (count, outputs)


def test_the_same_seed_draws_the_same_weights(network: Comparator) -> None:
    torch.manual_seed(0)
    again = Comparator(network.name, sizes())
    for (name, ours), theirs in zip(again.named_parameters(), network.parameters(), strict=True):
        assert torch.equal(ours.double(), theirs), name


def test_a_score_does_not_depend_on_its_batch(network: Comparator) -> None:
    hu = noise(3, sd_hu=60)
    with torch.inference_mode():
        alone = torch.cat([network(each[None], SIDE) for each in hu])
        torch.testing.assert_close(network(hu, SIDE), alone, rtol=0, atol=1e-9)


def test_noise_changes_the_score(network: Comparator) -> None:
    with torch.inference_mode():
        clean, noisy = network(noise(1, sd_hu=0), SIDE), network(noise(1, sd_hu=60), SIDE)
    assert (clean - noisy).abs() > 1e-3


def test_what_the_window_cuts_off_does_not_count(network: Comparator) -> None:
    hu = noise(1, sd_hu=0)
    hu[:, 20:30, 20:30] = 216.0  # W350 L40 ends at 215
    further = hu.clone()
    further[:, 20:30, 20:30] = 3000.0
    with torch.inference_mode():
        assert torch.equal(network(further, SIDE), network(hu, SIDE))


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    network = Comparator("googlenet", sizes(outputs=4))
    network(noise(4, sd_hu=60).float(), SIDE).square().sum().backward()
    still = [name for name, each in network.named_parameters() if not each.grad.abs().max() > 0]
    assert still == []


def test_without_a_name_the_network_is_the_cnn_vit_and_without_blocks_the_vit() -> None:
    with torch.device("meta"):
        network = make_network("", sizes())
    assert isinstance(network, CnnVit)
    # METHOD 1.3, row 26: what is left of the convolutions is the one that halves the slice.
    assert [layer.stride for layer in network.stem if isinstance(layer, nn.Conv2d)] == [(2, 2)]


@pytest.mark.parametrize(("module", "heavy"), [("choice", "torch"), ("comparators", "torchvision")])
def test_names_need_no_torch_and_a_cnn_vit_no_torchvision(module: str, heavy: str) -> None:
    code = f"import sys, ctiqa.model.{module}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
