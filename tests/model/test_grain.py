"""What a network is told of the grain of a slice."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from ctiqa.errors import RecipeError
from ctiqa.model.cnn_vit import CnnVit, NetworkShape
from ctiqa.model.grain import Grain, GrainTokens, calm_tissue, grain_of_tissue
from ctiqa.model.map_network import MapNetwork

SHAPE = NetworkShape(
    size=128,
    unshuffle=4,
    padding=1,
    crop=(8, 24),
    patch=8,
    blocks=(8,),
    width=24,
    depth=1,
    heads=3,
    mlp=48,
    sees_grain=True,
)


def noise(sd_hu: float, *, blur_px: float = 0, side: int = 256) -> torch.Tensor:
    white = np.random.default_rng(0).standard_normal((side, side))
    grain = ndimage.gaussian_filter(white, blur_px, mode="wrap") if blur_px else white
    return torch.tensor(40 + sd_hu * grain / grain.std(), dtype=torch.float32)[None]


def energies(hu: torch.Tensor) -> np.ndarray:
    """Return the mean energy in HU^2 of each filter, (lags, directions), away from the border."""
    energy = Grain(8)(hu).energy[0, :, 2:-2, 2:-2]
    return energy.double().mean((1, 2)).reshape(3, 4).numpy()


@pytest.mark.parametrize("sd_hu", [5.0, 20.0])
def test_white_noise_has_its_variance_in_every_filter(sd_hu: float) -> None:
    np.testing.assert_allclose(energies(noise(sd_hu)), sd_hu**2, rtol=0.05)


def test_blur_takes_energy_from_near_differences_alone() -> None:
    near, _, far = energies(noise(20, blur_px=1.0)).mean(axis=1) / 400
    # A noise of autocorrelation c(lag) has 1 - 4/3 c(lag) + 1/3 c(2 lag) of its variance.
    c = {lag: np.exp(-(lag**2) / 4) for lag in (1, 2, 4, 8)}
    straight = 1 - 4 / 3 * c[1] + c[2] / 3
    assert energies(noise(20, blur_px=1.0))[0, :2].mean() / 400 == pytest.approx(straight, rel=0.1)
    assert near < 0.4
    assert far == pytest.approx(1, rel=0.1)


def test_slopes_of_the_anatomy_do_not_count_and_directions_do() -> None:
    rows, columns = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    assert energies(0.5 * rows[None] - 0.3 * columns[None]).max() < 1e-3
    streaks = 20 * torch.cos(torch.pi * columns)[None]
    along_rows, along_columns, *_ = energies(streaks)[0]
    assert along_rows > 1000
    assert along_columns < 1e-3


def test_a_part_has_the_cells_that_it_has_in_the_whole_slice() -> None:
    hu = noise(20)
    whole, part = Grain(8)(hu), Grain(8, (64, 192))(hu)
    torch.testing.assert_close(part.energy, whole.energy[:, :, 8:24, 8:24])
    torch.testing.assert_close(part.mean, whole.mean[:, 8:24, 8:24])
    torch.testing.assert_close(part.variance, whole.variance[:, 8:24, 8:24])
    # Nor does tissue that the slice cuts off make an edge where a part ends within it.
    assert energies(hu).max() < 1.2 * 400
    assert part.energy.amax() < 4 * 400


def test_every_patch_is_told_its_own_grain() -> None:
    torch.manual_seed(0)
    tokens = GrainTokens(SHAPE).eval()
    # Patches of 32 pixels, the first of them from pixel 32 on.
    # This is no soft tissue, of which every patch would be told.
    flat = torch.full((1, 128, 128), 400.0)
    hu = flat.clone()
    hu[:, 40:56, 72:88] += noise(20, side=16)
    told = tokens(hu, torch.zeros(1))
    assert told.shape == (1, 4, 24)
    changed = (told - tokens(flat, torch.zeros(1))).abs().amax(dim=2)[0]
    assert (changed > 1e-3).tolist() == [False, True, False, False]


def tissue_of(hu: torch.Tensor, side: float = 0.0) -> np.ndarray:
    """Return what a network is told of the tissue of one slice."""
    return grain_of_tissue(Grain(8)(hu), torch.tensor([side]))[0].numpy()


def test_noise_in_tissue_is_told_by_its_strength_and_shares() -> None:
    side, known, strength, *shares = tissue_of(noise(20), side=0.5)
    assert (side, known) == (0.5, 1.0)
    # The calmer half of cells of 64 pixels is so by chance: the mean of the lower half of a normal
    # distribution lies 0.80 of its SD, which is sqrt(2 / 63), below; and the variance is over 64.
    expected = 400 * 63 / 64 * (1 - 0.80 * np.sqrt(2 / 63))
    assert np.exp(2 * strength + 5) == pytest.approx(expected, rel=0.03)
    np.testing.assert_allclose(shares, 0, atol=0.1)
    near = [np.mean(tissue_of(noise(20, blur_px=blur))[3:7]) for blur in (0.5, 0.7, 1.0)]
    assert 0 > near[0] > near[1] > near[2]


def test_shares_belong_to_the_kernel_and_not_to_the_dose() -> None:
    full, quarter = (tissue_of(noise(sd_hu, blur_px=0.8)) for sd_hu in (10.0, 20.0))
    np.testing.assert_allclose(full[3:], quarter[3:], atol=0.02)
    assert quarter[2] - full[2] == pytest.approx(np.log(4) / 2, abs=0.01)


def test_vessels_bone_and_lung_do_not_count_as_calm_tissue() -> None:
    alone = noise(12)
    hu = alone.clone()
    hu[:, 96:] = -850 + 3 * (alone[:, 96:] - 40)
    hu[:, 20:30, 20:60] += 150
    hu[:, 60:66, 100:180] = 600
    np.testing.assert_allclose(tissue_of(hu), tissue_of(alone[:, :96]), atol=0.12)
    weights = calm_tissue(Grain(8)(hu))[0]
    assert set(weights.unique().tolist()) == {0.0, 1.0}
    assert weights[11:].sum() == 0
    assert weights[2:4, 2:8].sum() == 0


def test_without_tissue_nothing_is_told_but_the_pixel() -> None:
    told = tissue_of(torch.full((1, 64, 64), -850.0), side=1.0)
    assert told.tolist() == [1.0, *[0.0] * (len(told) - 1)]


def test_turning_a_slice_swaps_directions_alone() -> None:
    hu = noise(20, blur_px=0.7)
    hu[:, :64, :64] += 500
    upright, turned = tissue_of(hu), tissue_of(hu.transpose(1, 2))
    np.testing.assert_allclose(upright[:3], turned[:3], atol=1e-4)
    # Rows, columns and the two diagonals of each distance.
    swapped = upright[3:].reshape(3, 4)[:, [1, 0, 2, 3]].ravel()
    np.testing.assert_allclose(turned[3:], swapped, atol=1e-4)


def test_the_grain_is_measured_in_single_precision_whatever_the_rest_does() -> None:
    hu = noise(3)
    exact = Grain(8)(hu)
    with torch.autocast("cpu", torch.bfloat16):
        cells = Grain(8)(hu)
    for ours, theirs in zip(cells, exact, strict=True):
        assert torch.equal(ours, theirs)


def test_the_network_takes_the_grain_of_the_middle_of_larger_slices() -> None:
    torch.manual_seed(0)
    network = CnnVit(SHAPE).eval()
    larger = noise(20, side=160)
    sides = torch.tensor([0.7])
    torch.testing.assert_close(network(larger, sides), network(larger[:, 16:144, 16:144], sides))
    blind = network.grain
    assert blind is not None
    before = network(larger, sides)
    torch.nn.init.zeros_(blind.linear.weight)
    assert not torch.equal(network(larger, sides), before)


@pytest.mark.parametrize(
    ("unshuffle", "padding", "first"),
    [(1, 1, 2 * 16), (2, 1, 2 * 16), (4, 1, 4 * 16), (1, 0, 2 * 16 + 2), (4, 0, 4 * 16 + 8)],
)
def test_the_grain_lies_where_the_convolutions_look(
    unshuffle: int, padding: int, first: int
) -> None:
    # Each convolution without padding moves the map by one of its own pixels.
    shape = NetworkShape(
        unshuffle=unshuffle, padding=padding, blocks=(8, 8), crop=(16, 112), patch=16
    )
    assert GrainTokens(shape).grain.part == (first, first + 96 * shape.stride)


def test_the_map_is_told_the_grain_of_its_cells() -> None:
    torch.manual_seed(0)
    shape = NetworkShape(size=128, crop=(0, 48), sees_grain=True)
    sees = MapNetwork(shape, cells=16, filters=4).eval()
    blind = MapNetwork(replace(shape, sees_grain=False), cells=16, filters=4)
    assert sees.cell.in_channels == blind.cell.in_channels + Grain.filters
    hu, side = torch.full((1, 128, 128), 40.0), torch.tensor([0.7])
    # The windows do not tell -900 from -950 HU; the grain does.
    shade = torch.where(torch.rand(1, 128, 128) < 0.5, -900.0, -950.0)
    changed = sees(shade, side) - sees(torch.full_like(hu, -925), side)
    assert changed.abs().max() > 1e-4


def test_patches_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(RecipeError, match="sees_grain needs patches of a multiple of 4 pixels"):
        NetworkShape(size=128, padding=1, crop=(0, 63), patch=3, sees_grain=True)
