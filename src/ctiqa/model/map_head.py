"""Where quality is lost: a small head on the maps of a trained network."""

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctiqa.errors import RecipeError
from ctiqa.model.cnn_vit import CnnVit

__all__ = ["MapHead", "MapLearner", "Mapped"]

Both: TypeAlias = tuple[Tensor, Tensor]


class MapHead(nn.Module):
    """Map what the convolutions of a network see to the loss of quality in each cell of a grid.

    N slices, D channels and M the side of the network's map before it is cropped.

    Args:
        channels: D.
        filters: of its own convolutions.
        pool: side of a cell in that map.
    """

    def __init__(self, channels: int, *, filters: int, pool: int) -> None:
        super().__init__()
        self.pool = pool
        self.fine = nn.Conv2d(channels, filters, 3, padding=1)
        self.coarse = nn.Conv2d(filters, filters, 3, padding=1)
        self.out = nn.Conv2d(filters, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, M/pool, M/pool) in [0, 1] of (N, D, M, M)."""
        x = functional.relu(self.fine(maps))  # (N, F, M, M)
        x = functional.avg_pool2d(x, self.pool)  # (N, F, M/pool, M/pool)
        x = functional.relu(self.coarse(x))  # (N, F, M/pool, M/pool)
        loss: Tensor = torch.sigmoid(self.out(x)[:, 0])  # (N, M/pool, M/pool)
        return loss


class MapLearner(nn.Module):
    """A trained network that stays as it is, and the head that learns on top of it.

    Args:
        network: trained; its weights and its batch norm are left alone.
        cells: along each side of the grid.
        filters: of the head's convolutions.

    Raises:
        RecipeError: if the network's map does not cover the slice, or in no whole cells.
    """

    def __init__(self, network: CnnVit, *, cells: int, filters: int) -> None:
        super().__init__()
        shape = network.shape
        stride = shape.unshuffle * (2 if shape.unshuffle == 1 else 1)
        if shape.map_side * stride != shape.size or shape.map_side % cells:
            raise RecipeError(
                f"a network whose map has side {shape.map_side} shows no grid of {cells} cells; "
                "give it padding = 1 and a size and unshuffle that divide evenly in [network]"
            )
        self.network = network.requires_grad_(requires_grad=False)
        self.head = MapHead(shape.down_channels, filters=filters, pool=shape.map_side // cells)
        self.train(mode=self.training)

    def train(self, mode: bool = True) -> "MapLearner":
        """Put the head into training or evaluation; the network beneath is never in training."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, hu: Tensor) -> Tensor:
        """Return (N, cells, cells), the loss of quality in each cell, of (N, S, S) HU."""
        with torch.no_grad():
            maps = self.network.maps(hu)
        loss: Tensor = self.head(maps)
        return loss


class Mapped(nn.Module):
    """The same two for use: scores as the network gives them, and the map, in one go."""

    def __init__(self, both: MapLearner) -> None:
        super().__init__()
        self.network, self.head = both.network, both.head

    def forward(self, hu: Tensor) -> Both:
        """Return (N, K) raw scores and the (N, cells, cells) map of (N, S, S) HU."""
        maps = self.network.maps(hu)
        return self.network.judged(maps), self.head(maps)
