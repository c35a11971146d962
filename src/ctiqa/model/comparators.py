"""ViT, ResNet, DenseNet, VGG and GoogLeNet with the same face.

They are what the paper's Table 4 compares the CNN-ViT with (METHOD 1.3, row 26). Two of its rows
are no network of their own: "ViT" is the CNN-ViT without convolution blocks (``blocks = []``), and
"CNN-ViT" is the CNN-ViT itself, one teacher undistilled. The others come from torchvision, drawn at
random; one more is a line in :data:`ctiqa.model.choice.COMPARATORS`.

Letters: N slices, S side of the slice, C windows, u side of the squares folded into channels, K
outputs.
"""

from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctiqa.errors import ModelError
from ctiqa.model.choice import COMPARATORS
from ctiqa.model.cnn_vit import CnnVit, Windowing
from ctiqa.model.shape import NetworkShape

__all__ = ["COMPARATORS", "Comparator", "Network", "make_network"]


class Comparator(nn.Module):
    """Map slices in HU to quality scores as :class:`CnnVit` does, by a network of torchvision.

    Its first convolution is made anew for the channels that it is given, its last layer for the
    outputs; what lies between is torchvision's, dropout included.

    Args:
        name: one of :data:`COMPARATORS`.
        shape: of which size, windows, unshuffle and outputs count.

    Raises:
        ModelError: if torchvision is not installed.
    """

    def __init__(self, name: str, shape: NetworkShape) -> None:
        super().__init__()
        self.name = name
        self.shape = shape
        self.window = Windowing(shape.windows, shape.size)
        self.network = _from_torchvision(name, shape.outputs)
        _take_channels(self.network, len(shape.windows) * shape.unshuffle**2)

    def forward(self, hu: Tensor, _pixel_mm: Tensor) -> Tensor:
        """Return (N, K) raw scores of (N, S, S) slices in HU; none of these sees pixel sides."""
        x = self.window(hu)  # (N, C, S, S)
        x = functional.pixel_unshuffle(x, self.shape.unshuffle)  # (N, C u^2, S/u, S/u)
        scores: Tensor = self.network(x)  # (N, K)
        return scores


Network: TypeAlias = CnnVit | Comparator


def make_network(name: str, shape: NetworkShape) -> Network:
    """Return the comparator of that name, or for "" the CNN-ViT, its weights drawn at random."""
    return Comparator(name, shape) if name else CnnVit(shape)


def _from_torchvision(name: str, outputs: int) -> nn.Module:
    try:
        # It loads for seconds, and a CNN-ViT needs nothing of it.
        from torchvision.models import get_model  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{name} needs {error.name}, which is not installed: pip install 'ctiqa[train]'"
        ) from error
    network: nn.Module = get_model(name, weights=None, num_classes=outputs, **COMPARATORS[name])
    return network


def _take_channels(network: nn.Module, channels: int) -> None:
    """Give the first convolution weights for ``channels``, drawn for the ReLU behind it."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = channels
    first.weight = nn.Parameter(torch.empty(first.out_channels, channels, *first.kernel_size))
    nn.init.kaiming_normal_(first.weight, nonlinearity="relu")
