"""How much a slice changes from pixel to pixel in each place: the grain of noise, edges, streaks.

Letters as in ``cnn_vit``, and: F filters, G cells along a side, R cells along the side of a patch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctiqa.model.shape import CELLS, NetworkShape

__all__ = ["Grain", "GrainTokens"]

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


class Grain(nn.Module):
    """Return the logarithm of the energy of second differences in each cell of a slice.

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

    def forward(self, hu: Tensor) -> Tensor:
        """Return (N, F, G, G) of (N, S, S) in HU, the part a multiple of the cell."""
        first, end = self.part or (0, hu.shape[-1])
        # Nothing is computed on the device "meta", which autocast does not know.
        with torch.autocast("cpu" if hu.is_meta else hu.device.type, enabled=False):
            x = hu.float().clamp(-_LIMIT_HU, _LIMIT_HU)[:, None]  # (N, 1, S, S)
            # Where the slice ends, the patient may not.
            x = functional.pad(x, [_REACH_PX] * 4, mode="replicate")
            energies = []
            for lag in _LAGS_PX:
                seen = slice(first + _REACH_PX - lag, end + _REACH_PX + lag)
                change = functional.conv2d(x[:, :, seen, seen], self.along, dilation=lag)
                energies.append(functional.avg_pool2d(change.square(), self.cell))
            return (torch.cat(energies, dim=1).log1p() - _MIDDLE) / _SPREAD


class GrainTokens(nn.Module):
    """Tell every patch its grain: of each filter the mean, the least and the most of its cells.

    The calmest cells of a patch show the noise, the others what the patient adds.

    Args:
        shape: of the network.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        first, end = (edge * shape.stride + shape.margin for edge in shape.crop)
        self.grain = Grain(shape.patch * shape.stride // CELLS, (first, end))
        self.linear = nn.Linear(3 * Grain.filters, shape.width)

    def forward(self, hu: Tensor) -> Tensor:
        """Return (N, T - 1, W) of (N, S, S) in HU."""
        x = self.grain(hu)  # (N, F, G, G)
        side = x.shape[-1] // CELLS
        x = x.reshape(-1, Grain.filters, side, CELLS, side, CELLS)
        x = torch.cat([x.mean((3, 5)), x.amin((3, 5)), x.amax((3, 5))], dim=1)  # (N, 3 F, ., .)
        tokens: Tensor = self.linear(x.flatten(2).transpose(1, 2))
        return tokens
