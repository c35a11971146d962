"""The description is the network: shapes, parameters and operations are those it has."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ctiqa.model.cnn_vit import CnnVit, NetworkShape
from ctiqa.model.comparators import make_network
from ctiqa.model.describe import describe, network_figure, operations

COMPACT = NetworkShape(
    windows=((350, 40), (1500, -600)),
    unshuffle=4,
    blocks=(32, 32, 32, 32),
    padding=1,
    down_channels=16,
    crop=(8, 120),
    patch=8,
    width=192,
    depth=6,
    heads=3,
    mlp=768,
)


def test_the_paper_costs_what_vit_b_16_costs_and_its_convolutions() -> None:
    # torchvision.models.ViT_B_16_Weights: _ops 17.564, its head of 1000 classes included.
    vit = 17.564e9 - 768 * 1000 + 768
    sides = [510, 508, 506, 504]
    filters = [(1, 8), (8, 16), (16, 32), (32, 64)]
    stem = sum(9 * taken * given * s**2 for (taken, given), s in zip(filters, sides, strict=True))
    stem += 4 * 64 * 3 * 252**2
    macs = sum(step.macs for step in describe(NetworkShape()))
    assert macs == pytest.approx(vit + stem, abs=0.001e9)


def test_operations_are_those_of_the_layers_by_hand(small: NetworkShape) -> None:
    with torch.device("meta"):
        network = CnnVit(small)
        found = operations(network, torch.empty(1, 64, 64), torch.ones(1))
    tokens, width = 10, 16
    attention = 4 * tokens * width**2 + 2 * tokens**2 * width
    assert found["stem.0"] == 9 * 4 * 64**2
    assert found["embed"] == 9 * 3 * 8 * 8 * width
    assert found["blocks.1.attention"] == attention
    assert found["blocks.1.mlp"] == 2 * tokens * width * 32
    assert found["head"] == width
    assert found[""] == sum(found[name] for name in ("stem", "embed", "blocks", "head"))


@pytest.mark.parametrize(
    "changes",
    [
        *({}, {"blocks": ()}, {"unshuffle": 2, "depth": 3}, {"outputs": 4}),
        *({"down_bn_relu": False}, {"sees_pixel_mm": True}, {"sees_grain": True}),
    ],
    ids=str,
)
def test_the_steps_add_up_to_the_network(small: NetworkShape, changes: dict[str, Any]) -> None:
    shape = replace(small, **changes)
    network, steps = CnnVit(shape), describe(shape)
    assert sum(step.parameters for step in steps) == sum(p.numel() for p in network.parameters())
    assert (
        sum(step.macs for step in steps)
        == operations(network, torch.zeros(1, 64, 64), torch.ones(1))[""]
    )


# GMAC of torchvision's *_Weights (_ops) for three channels of 224 x 224 pixels and 1000 classes;
# weights of the first convolution for each channel; side of its map; what the last layer takes.
COMPARED = {
    "resnet50": (4.089, 64 * 7 * 7, 112, 2048),
    "densenet121": (2.834, 64 * 7 * 7, 112, 1024),
    "vgg16_bn": (15.47, 64 * 3 * 3, 224, 4096),
    "googlenet": (1.498, 64 * 7 * 7, 112, 1024),
}


@pytest.mark.parametrize("name", COMPARED)
def test_a_comparator_costs_what_torchvision_says_but_for_its_first_and_last_layer(
    name: str,
) -> None:
    published, first, side, taken = COMPARED[name]
    steps = describe(NetworkShape(size=224, blocks=(), crop=(0, 112)), name)
    changed = (3 - 1) * first * side**2 + (1000 - 1) * taken
    assert sum(step.macs for step in steps) == pytest.approx(1e9 * published - changed, abs=0.001e9)


@pytest.mark.parametrize("name", COMPARED)
def test_the_steps_of_a_comparator_add_up_to_it_and_fit_a_terminal(name: str) -> None:
    shape = NetworkShape(windows=((350, 40), (1500, -600)), unshuffle=4, blocks=(), crop=(0, 128))
    with torch.device("meta"):
        network = make_network(name, shape)
    steps, figure = describe(shape, name), network_figure(shape, name)
    assert sum(step.parameters for step in steps) == sum(p.numel() for p in network.parameters())
    assert [step.shape for step in steps[:3]] == [(512, 512), (2, 512, 512), (32, 128, 128)]
    assert (steps[-1].name, steps[-1].shape) == ("linear to 1", (1,))
    assert figure.title == f"Figure 2. {name}, in place of the CNN-ViT"
    assert max(len(line) for row in figure.rows for box in row for line in box) <= 80


def test_a_comparator_is_shown_by_the_layers_at_its_top() -> None:
    shape = NetworkShape(blocks=(), crop=(0, 256))
    assert [step.name for step in describe(shape, "densenet121")][2:] == [
        "conv 7 x 7 stride 2, batch norm, ReLU, max pool",
        "denseblock1: 6 x DenseLayer",
        "transition1",
        "denseblock2: 12 x DenseLayer",
        "transition2",
        "denseblock3: 24 x DenseLayer",
        "transition3",
        "denseblock4: 16 x DenseLayer, batch norm",
        "linear to 1",
    ]


def test_the_steps_are_those_of_the_paper() -> None:
    assert [(step.name, step.shape) for step in describe(NetworkShape())] == [
        ("slice in HU", (512, 512)),
        ("W350 L40 HU to [-1, 1]", (1, 512, 512)),
        ("conv 3 x 3, batch norm, ReLU", (8, 510, 510)),
        ("conv 3 x 3, batch norm, ReLU", (16, 508, 508)),
        ("conv 3 x 3, batch norm, ReLU", (32, 506, 506)),
        ("conv 3 x 3, batch norm, ReLU", (64, 504, 504)),
        ("conv 2 x 2 stride 2, batch norm, ReLU", (3, 252, 252)),
        ("crop 16:240", (3, 224, 224)),
        ("patches of 16 x 16, linear", (768, 14, 14)),
        ("class token in front, sum with positions", (197, 768)),
        ("layer norm", (197, 768)),
        ("attention of 12 heads, sum", (197, 768)),
        ("layer norm", (197, 768)),
        ("linear to 3072, GELU, linear to 768, sum", (197, 768)),
        ("layer norm of the class token", (768,)),
        ("linear to 1", (1,)),
    ]


def test_what_a_step_yields_is_what_the_next_one_takes() -> None:
    steps = {step.name: step for step in describe(COMPACT)}
    assert steps["W350 L40, W1500 L-600 HU to [-1, 1]"].shape == (2, 512, 512)
    assert steps["pixels unshuffled by 4"].shape == (32, 128, 128)
    assert steps["conv 1 x 1, batch norm, ReLU"].shape == (16, 128, 128)
    assert steps["crop 8:120"].shape == (16, 112, 112)
    assert steps["attention of 3 heads, sum"].times == 6


def test_the_figure_has_a_box_for_each_step_and_the_totals() -> None:
    figure = network_figure(NetworkShape())
    for row, step in zip(figure.rows, describe(NetworkShape()), strict=True):
        assert row[0][0].startswith(step.name)
    assert "85.8 M parameters, 23.8 G multiply-accumulates" in figure.notes[-1]
    assert figure.rows[2][0][0].split()[-8:] == ["8", "x", "510", "x", "510", "96", "18.7", "M"]


def test_the_figure_fits_a_terminal() -> None:
    for shape in (NetworkShape(), COMPACT):
        lines = [line for row in network_figure(shape).rows for box in row for line in box]
        assert max(map(len, lines)) <= 80
