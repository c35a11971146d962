"""How much a slice changes from pixel to pixel in each place: the grain of noise, edges, streaks.

Letters as in ``cnn_vit``, and: F filters, G cells along a side, P patches along a side.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctiqa.model.shape import PATCH_CELLS, NetworkShape

__all__ = ["Cells", "Grain", "GrainTokens", "calm_tissue", "grain_of_tissue"]

_LAGS_PX = (1, 2, 4)
_REACH_PX = max(_LAGS_PX)
_ALONG = (
    ((0, 0, 0), (1, -2, 1), (0, 0, 0)),
    ((0, 1, 0), (0, -2, 0), (0, 1, 0)),
    ((1, 0, 0), (0, -2, 0), (0, 0, 1)),
    ((0, 0, 1), (0, -2, 0), (1, 0, 0)),
)
_LIMIT_HU = 1000.0
_MIDDLE, _SPREAD = 5.0, 2.0
"""About the mean and the spread of the logarithms, so that a layer behind starts well."""

_TISSUE_HU = (-30.0, 130.0)
_FEWEST_CELLS = 8
_LEAST_HU2 = 0.1
_HIDDEN = 64


class Cells(NamedTuple):
    """What is measured in each cell of a slice, in HU and HU^2.

    Args:
        energy: (N, F, G, G) of second differences, of white noise its variance in every filter.
        mean: (N, G, G).
        variance: (N, G, G).
    """

    energy: Tensor
    mean: Tensor
    variance: Tensor

    @property
    def logarithms(self) -> Tensor:
        """(N, F, G, G) of the energies, of the size of other activations."""
        return (self.energy.log1p() - _MIDDLE) / _SPREAD


class Grain(nn.Module):
    """Measure the energy of second differences in each cell of a slice.

    Differences along rows, columns and both diagonals, over three distances: together they tell
    how strong the noise is, how it correlates from pixel to pixel, which is its spectrum, and its
    direction. A difference of second order is blind to slopes of the anatomy. All of it is fixed,
    at full resolution and in single precision, whatever precision the rest of a network has: noise
    of a few HU is below the last digit of a bfloat16.

    Args:
        cell: its side in pixels.
        part: (first, end) row and column of the square that is divided into cells; None is all.
            What lies around it is seen.
    """

    filters = len(_LAGS_PX) * len(_ALONG)
    along: Tensor

    def __init__(self, cell: int, part: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.cell, self.part = cell, part
        along = torch.tensor(_ALONG, dtype=torch.float32)[:, None] / 6**0.5
        self.register_buffer("along", along, persistent=False)

    def forward(self, hu: Tensor) -> Cells:
        """Return the cells of (N, S, S) slices in HU; the part is a multiple of the cell."""
        first, end = self.part or (0, hu.shape[-1])
        # Nothing is computed on the device "meta", which autocast does not know.
        with torch.autocast("cpu" if hu.is_meta else hu.device.type, enabled=False):
            x = hu.float().clamp(-_LIMIT_HU, _LIMIT_HU)[:, None]  # (N, 1, S, S)
            # Where the slice ends, the patient may not.
            padded = functional.pad(x, [_REACH_PX] * 4, mode="replicate")
            energies = []
            for lag in _LAGS_PX:
                seen = slice(first + _REACH_PX - lag, end + _REACH_PX + lag)
                change = functional.conv2d(padded[:, :, seen, seen], self.along, dilation=lag)
                energies.append(functional.avg_pool2d(change.square(), self.cell))
            x = x[:, :, first:end, first:end]
            mean = functional.avg_pool2d(x, self.cell)  # (N, 1, G, G)
            # The mean of the squares less the square of the mean would lose digits.
            rest = x - functional.interpolate(mean, scale_factor=self.cell)
            variance = functional.avg_pool2d(rest.square(), self.cell)
            return Cells(torch.cat(energies, dim=1), mean[:, 0], variance[:, 0])


def calm_tissue(cells: Cells) -> Tensor:
    """Return (N, G, G) weights, 1 in the calmer half of the cells of flat soft tissue, else 0.

    As ``texture.noise_frequency_per_mm`` chooses its blocks, judged on the means of cells.
    """
    low, high = _TISSUE_HU
    mean = cells.mean[:, None]
    most, least = functional.max_pool2d(mean, 3, 1, 1), -functional.max_pool2d(-mean, 3, 1, 1)
    tissue = ((least > low) & (most < high))[:, 0].flatten(1)  # (N, G^2)
    variance = cells.variance.flatten(1)
    ordered = torch.where(tissue, variance, torch.inf).sort(dim=1).values
    half = (tissue.sum(dim=1, keepdim=True) - 1).clamp(min=0) // 2
    calm = tissue & (variance <= ordered.gather(1, half))
    return calm.float().reshape(cells.mean.shape)


class GrainTokens(nn.Module):
    """Tell every patch its grain, and all of them the grain of calm soft tissue.

    Of each filter a patch is told the mean, the least and the most of its cells: the calmest show
    the noise, the others what the patient adds. Of calm tissue it is told the variance of the noise
    and the share of it that each filter passes, from which the kernel follows with the side of the
    pixel (docs/physics.md, section 9).

    Args:
        shape: of the network.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        first, end = (edge * shape.stride + shape.margin for edge in shape.crop)
        self.grain = Grain(shape.patch * shape.stride // PATCH_CELLS, (first, end))
        self.linear = nn.Linear(3 * Grain.filters, shape.width)
        self.tissue = nn.Sequential(
            nn.Linear(Grain.filters + 3, _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, shape.width)
        )

    def forward(self, hu: Tensor, side: Tensor) -> Tensor:
        """Return (N, T - 1, W) of (N, S, S) in HU, with (N,) sides of a pixel in half octaves."""
        cells = self.grain(hu)
        x = cells.logarithms  # (N, F, G, G)
        along = x.shape[-1] // PATCH_CELLS
        x = x.reshape(-1, Grain.filters, along, PATCH_CELLS, along, PATCH_CELLS)
        x = torch.cat([x.mean((3, 5)), x.amin((3, 5)), x.amax((3, 5))], dim=1)  # (N, 3 F, P, P)
        tokens: Tensor = self.linear(x.flatten(2).transpose(1, 2))  # (N, T - 1, W)
        whole: Tensor = self.tissue(grain_of_tissue(cells, side))  # (N, W)
        return tokens + whole[:, None]


def grain_of_tissue(cells: Cells, side: Tensor) -> Tensor:
    """Return (N, F + 3) numbers of calm tissue: what a kernel follows from.

    The side of a pixel; whether there is enough tissue, without which the rest is 0; the logarithm
    of the variance of its noise, scaled; the logarithm of the share of it that each filter passes.

    Args:
        cells: of the slices.
        side: (N,) of a pixel, in half octaves.
    """
    calm = calm_tissue(cells)
    count = calm.sum((1, 2))
    known = (count >= _FEWEST_CELLS).float()
    variance = (calm * cells.variance).sum((1, 2)) / count.clamp(min=1) + _LEAST_HU2
    energy = (calm[:, None] * cells.energy).sum((2, 3)) / count.clamp(min=1)[:, None] + _LEAST_HU2
    strength = (variance.log() - _MIDDLE) / _SPREAD
    shares = (energy / variance[:, None]).log()
    told = torch.cat([known[:, None], strength[:, None], shares], dim=1) * known[:, None]
    return torch.cat([side[:, None], told], dim=1)
