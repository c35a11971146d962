"""The network is the paper's, sees what it should see, and nothing else."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ctiqa.errors import RecipeError
from ctiqa.model.cnn_vit import Attention, CnnVit, NetworkShape, attention

SIDES = torch.tensor([0.5, 0.7, 0.9])


def test_attention_is_equation_2_worked_out_by_hand() -> None:
    # d_k = 1, so the weights are softmax([0, ln 3]) = [1/4, 3/4] for the first query.
    q, k = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [math.log(3)]])
    v = torch.tensor([[8.0], [4.0]])
    torch.testing.assert_close(attention(q, k, v), torch.tensor([[5.0], [6.0]]))


def test_attention_is_what_pytorch_computes_as_one_kernel() -> None:
    q, k, v = torch.randn(3, 2, 4, 197, 16, generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(attention(q, k, v), functional.scaled_dot_product_attention(q, k, v))


def test_multi_head_attention_is_that_of_pytorch_with_the_same_weights() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(24, 3), nn.MultiheadAttention(24, 3, batch_first=True)
    theirs.in_proj_weight, theirs.in_proj_bias = ours.qkv.weight, ours.qkv.bias
    theirs.out_proj = ours.out  # type: ignore[assignment]  # PyTorch's own class of Linear
    x = torch.randn(2, 10, 24)
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0])


def test_the_paper_has_the_parameters_of_vit_b_16_and_of_five_convolutions() -> None:
    with torch.device("meta"):
        network = CnnVit(NetworkShape())
    held = sum(parameter.numel() for parameter in network.parameters())
    # torchvision.models.ViT_B_16_Weights: num_params 86567656, of which 769000 are its head's.
    vit = 86_567_656 - 769_000
    convolutions = [(1, 8, 9), (8, 16, 9), (16, 32, 9), (32, 64, 9), (64, 3, 4)]
    stem = sum((taken * area + 3) * given for taken, given, area in convolutions)
    assert held == vit + stem + 769


@pytest.mark.parametrize(
    ("blocks", "side"),
    [((), 256), ((8,), 255), ((8, 16), 254), ((8, 16, 32, 64), 252), ((8, 16, 32, 64, 128), 251)],
)
def test_without_padding_each_block_costs_the_map_one_pixel(
    blocks: tuple[int, ...], side: int
) -> None:
    # METHOD 1.3, row 15, for a slice of 512 pixels.
    shape = NetworkShape(blocks=blocks, width=8, depth=1, heads=1, mlp=8)
    assert shape.map_side == side == map_of(shape).shape[-1]
    assert replace(shape, padding=1).map_side == 256


def map_of(shape: NetworkShape) -> Tensor:
    """Return what the stem gives, computed without numbers."""
    with torch.device("meta"):
        network = CnnVit(shape).eval()
        seen: list[Tensor] = []
        network.stem.register_forward_hook(lambda *args: seen.append(args[-1]))
        network(torch.empty(1, shape.size, shape.size), torch.ones(1))
    return seen[0]


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("unshuffle", [1, 2, 4])
def test_a_slice_gets_as_many_scores_as_there_are_outputs(
    make: Any, slices: Tensor, outputs: int, unshuffle: int
) -> None:
    crop = (0, 64 // max(unshuffle, 2))
    assert make(outputs=outputs, unshuffle=unshuffle, crop=crop)(slices, SIDES).shape == (
        3,
        outputs,
    )


def test_a_score_does_not_depend_on_its_batch(make: Any, slices: Tensor) -> None:
    network = make()
    alone = torch.cat([network(each[None], SIDES[:1]) for each in slices])
    torch.testing.assert_close(network(slices, SIDES), alone, rtol=0, atol=1e-5)  # METHOD 4, I9


def test_the_side_of_a_pixel_counts_only_where_the_network_sees_it(
    make: Any, slices: Tensor
) -> None:
    other = SIDES.flip(0)
    sees, blind = make(sees_pixel_mm=True), make()
    assert torch.equal(blind(slices, SIDES), blind(slices, other))
    first, second = sees(slices, SIDES), sees(slices, other)
    assert (first[[0, 2]] != second[[0, 2]]).all()
    torch.testing.assert_close(first[1], second[1])  # both orders have the same one in the middle


def test_with_and_without_padding_the_crop_holds_the_same_but_for_a_shift(
    make: Any, slices: Tensor
) -> None:
    # METHOD 1.3, row 15: n blocks without padding shift the map by n / 2 pixels.
    padded, bare = make(padding=1, crop=(5, 29)), make(padding=0, crop=(4, 28))
    torch.testing.assert_close(padded(slices, SIDES), bare(slices, SIDES))


def test_the_margin_around_the_crop_does_not_count_and_the_inside_does(
    make: Any, slices: Tensor
) -> None:
    # Row r of the map sees rows 2 r - 2 to 2 r + 3 of the slice through two padded blocks.
    hu = slices.clone().requires_grad_()
    make(crop=(4, 28))(hu, SIDES).sum().backward()
    seen = hu.grad.abs().sum(dim=0) > 0  # type: ignore[union-attr]  # there is a gradient now
    seen_rows = torch.nonzero(seen.any(dim=1)).flatten()
    assert (int(seen_rows[0]), int(seen_rows[-1])) == (6, 57)
    assert seen[6:58, 6:58].float().mean() > 0.99


@pytest.mark.parametrize("unshuffle", [2, 4])
def test_folding_pixels_into_channels_loses_none(make: Any, slices: Tensor, unshuffle: int) -> None:
    crop = (0, 64 // unshuffle)
    network = make(blocks=(), unshuffle=unshuffle, crop=crop, down_bn_relu=False)
    hu = slices.clone().requires_grad_()
    network(hu, SIDES).sum().backward()
    assert (hu.grad != 0).float().mean() > 0.98  # soft tissue lies inside the window, noise too


def test_what_the_window_cuts_off_does_not_count(make: Any, slices: Tensor) -> None:
    network = make()
    bone, air = slices.clone(), slices.clone()
    bone[:, 20:30, 20:30], air[:, 40:50, 40:50] = 216.0, -136.0  # W350 L40 ends at -135 and 215
    far = bone.clone()
    far[:, 20:30, 20:30] = 3000.0
    assert torch.equal(network(far, SIDES), network(bone, SIDES))
    far = air.clone()
    far[:, 40:50, 40:50] = -3000.0
    assert torch.equal(network(far, SIDES), network(air, SIDES))


def test_of_a_larger_slice_the_centre_counts(make: Any, slices: Tensor) -> None:
    network = make().eval()
    larger = functional.pad(slices, (5, 6, 5, 6), value=3000.0)
    torch.testing.assert_close(network(larger, SIDES), network(slices, SIDES), rtol=0, atol=0)


def test_each_window_is_a_channel_from_minus_one_to_one(make: Any) -> None:
    hu = torch.tensor([-1000.0, -600.0, -135.0, 40.0, 150.0, 215.0]).reshape(1, 1, 6)
    soft, lung = make(windows=((350, 40), (1500, -600))).window(hu)[0]
    torch.testing.assert_close(soft, torch.tensor([[-1, -1, -1, 0, 22 / 35, 1]]))
    torch.testing.assert_close(lung[0, :2], torch.tensor([-8 / 15, 0]))


def test_every_parameter_learns(make: Any, slices: Tensor) -> None:
    network = make(outputs=4).train()
    network(slices, SIDES).square().sum().backward()
    still = [name for name, each in network.named_parameters() if not each.grad.abs().max() > 0]
    assert still == []


def test_the_same_seed_draws_the_same_weights(small: NetworkShape) -> None:
    torch.manual_seed(7)
    first = CnnVit(small).state_dict()
    torch.manual_seed(7)
    for name, tensor in CnnVit(small).state_dict().items():
        assert torch.equal(tensor, first[name]), name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"depth": 0}, "sizes are at least 1, unlike depth"),
        ({"mlp": 0}, "unlike mlp"),
        ({"blocks": (8, 0)}, "unlike blocks"),
        ({"outputs": 0}, "unlike outputs"),
        ({"padding": 2}, "padding lies in 0 to 1 for filters of 3"),
        ({"padding": -1}, "padding lies in 0 to 1"),
        ({"windows": ()}, "pairs [width, level]"),
        ({"windows": ((0, 40),)}, "positive widths"),
        ({"unshuffle": 3}, "unshuffle 3 does not divide 64"),
        ({"crop": (4, 36)}, "crop 4:36 does not lie in the map of side 32"),
        ({"crop": (8, 8)}, "crop 8:8 does not lie"),
        ({"crop": (4, 27)}, "patches of 8 do not fill a crop of 23"),
        ({"heads": 3}, "3 heads do not divide a width of 16"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_in_words(
    small: NetworkShape, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError) as refused:
        replace(small, **changes)
    assert words in str(refused.value)
