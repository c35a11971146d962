"""Where quality is lost: a small network of its own, beside the one that scores.

Letters: N slices, S side of the slice, C windows, F filters, G cells along a side of the grid.
"""

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctiqa.errors import RecipeError
from ctiqa.model.cnn_vit import Windowing, half_octaves, middle
from ctiqa.model.grain import Grain
from ctiqa.model.shape import NetworkShape

__all__ = ["MapNetwork", "Mapped"]

Both: TypeAlias = tuple[Tensor, Tensor]

_FOLD = 2
_REACHES = (1, 2, 4, 8)
"""Dilation of each convolution on the grid: together they see 15 cells to every side."""


class MapNetwork(nn.Module):
    """Map slices in HU to the loss of quality in each cell of a grid.

    Noise has to be seen at full resolution and averaged over a neighbourhood: a few convolutions
    of the pixels, the mean of each cell, then dilated convolutions from cell to cell.

    Args:
        shape: of the network that scores; its size, windows and what it ``sees`` count.
        cells: along each side of the grid.
        filters: of the convolutions of pixels; twice as many from cell to cell.

    Raises:
        RecipeError: if the slice cannot be divided into so many cells.
    """

    def __init__(self, shape: NetworkShape, *, cells: int, filters: int) -> None:
        super().__init__()
        if shape.size % (_FOLD * cells):
            raise RecipeError(
                f"a grid of {cells} cells does not divide a slice of {shape.size} pixels; set size "
                f"in [network] to a multiple of {_FOLD * cells}"
            )
        self.window = Windowing(shape.windows, shape.size)
        self.size = shape.size
        self.pool = shape.size // (_FOLD * cells)
        self.sees_pixel_mm = shape.sees_pixel_mm
        channels = len(shape.windows) * _FOLD**2
        self.fine = nn.Sequential(
            *(nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU()),
        )
        self.grain = Grain(shape.size // cells) if shape.sees_grain else None
        seen = filters + 1 + (Grain.filters if shape.sees_grain else 0)
        self.cell = nn.Conv2d(seen, 2 * filters, 1)
        self.grid = nn.ModuleList(
            nn.Conv2d(2 * filters, 2 * filters, 3, padding=reach, dilation=reach)
            for reach in _REACHES
        )
        self.out = nn.Conv2d(2 * filters, 1, 1)

    def forward(self, hu: Tensor, pixel_mm: Tensor) -> Tensor:
        """Return (N, G, G) in [0, 1] of (N, S, S) slices in HU with their (N,) pixel sides."""
        x = self.window(hu)  # (N, C, S, S)
        x = functional.pixel_unshuffle(x, _FOLD)  # (N, 4 C, S/2, S/2)
        x = self.fine(x)  # (N, F, S/2, S/2)
        x = functional.avg_pool2d(x, self.pool)  # (N, F, G, G)
        side = half_octaves(pixel_mm) if self.sees_pixel_mm else torch.zeros_like(pixel_mm)
        side = side[:, None, None, None].expand(-1, 1, x.shape[2], x.shape[3])  # (N, 1, G, G)
        seen = [x, side.to(x.dtype)]
        if self.grain is not None:
            cells = self.grain(middle(hu, self.size))
            seen.append(cells.logarithms.to(x.dtype))  # (N, those of the grain, G, G)
        x = functional.relu(self.cell(torch.cat(seen, dim=1)))  # (N, 2 F, G, G)
        for layer in self.grid:
            x = x + functional.relu(layer(x))  # (N, 2 F, G, G)
        loss: Tensor = torch.sigmoid(self.out(x)[:, 0])  # (N, G, G)
        return loss


class Mapped(nn.Module):
    """A network that scores and one that says where, in one go."""

    def __init__(self, network: nn.Module, where: MapNetwork) -> None:
        super().__init__()
        self.network, self.where = network, where

    def forward(self, hu: Tensor, pixel_mm: Tensor) -> Both:
        """Return (N, K) raw scores and the (N, G, G) map of slices with their pixel sides."""
        return self.network(hu, pixel_mm), self.where(hu, pixel_mm)
