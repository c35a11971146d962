"""The CNN-ViT network, read from top to bottom.

Letters: N slices, S side of the slice, C windows, u side of the squares folded into channels, D
channels of the map that becomes patches, M side of the cropped map, T tokens (the class
token and the patches), W width of a token, H heads, K outputs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctiqa.images.slice_header import fit_window
from ctiqa.model.grain import GrainTokens
from ctiqa.model.shape import NetworkShape

__all__ = ["Attention", "CnnVit", "NetworkShape", "attention", "half_octaves", "middle"]

USUAL_PIXEL_MM = 0.7


class CnnVit(nn.Module):
    """Map slices in HU to quality scores: convolutions, a crop, a vision transformer.

    After Shen, Zhang and Liu 2025 (doi 10.12677/mos.2025.143214), section 2.2, and Dosovitskiy et
    al. 2021 (arXiv 2010.11929). The window is the first layer, so that whoever feeds the network,
    in training or through an exported file, feeds plain HU.

    Args:
        shape: every size.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.window = Windowing(shape.windows, shape.size)
        self.stem = _stem(shape)
        self.embed = Patches(shape.down_channels, shape.width, shape.patch, stride=shape.patch)
        self.grain = GrainTokens(shape) if shape.sees_grain else None
        self.class_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.position = nn.Parameter(torch.empty(1, 1 + shape.patches, shape.width))
        self.scale = PixelSide(shape.width) if shape.sees_pixel_mm else None
        self.blocks = nn.Sequential(*(Block(shape) for _ in range(shape.depth)))
        self.norm = nn.LayerNorm(shape.width, eps=1e-6)
        self.head = nn.Linear(shape.width, shape.outputs)
        nn.init.normal_(self.position, std=0.02)
        self.apply(_draw)

    def forward(self, hu: Tensor, pixel_mm: Tensor) -> Tensor:
        """Return (N, K) raw scores of slices in HU, (N, S, S) or larger, with (N,) pixel sides."""
        first, end = self.shape.crop
        x = self.window(hu)  # (N, C, S, S)
        x = functional.pixel_unshuffle(x, self.shape.unshuffle)  # (N, C u^2, S/u, S/u)
        x = self.stem(x)  # (N, D, M + margins, M + margins)
        x = x[:, :, first:end, first:end]  # (N, D, M, M)
        x = self.embed(x)  # (N, W, M/patch, M/patch)
        x = x.flatten(2).transpose(1, 2)  # (N, T - 1, W)
        if self.grain is not None:
            side = half_octaves(pixel_mm) if self.shape.sees_pixel_mm else 0 * pixel_mm
            x = x + self.grain(middle(hu, self.shape.size), side)  # (N, T - 1, W)
        token = self.class_token.expand(x.shape[0], -1, -1)  # (N, 1, W)
        x = torch.cat([token, x], dim=1) + self.position  # (N, T, W)
        if self.scale is not None:
            x = x + self.scale(pixel_mm)  # (N, T, W)
        x = self.blocks(x)  # (N, T, W)
        x = self.norm(x[:, 0])  # (N, W): the class token has seen every patch
        scores: Tensor = self.head(x)  # (N, K)
        return scores


class Windowing(nn.Module):
    """Map HU to one channel in [-1, 1] for each window, in the precision of the input.

    Of a slice larger than the network's size the centre counts, in its own pixels: resampling would
    change the noise (METHOD 1.3, row 14).
    """

    def __init__(self, windows: tuple[tuple[float, float], ...], size: int) -> None:
        super().__init__()
        self.windows, self.size = windows, size

    def forward(self, hu: Tensor) -> Tensor:
        """Return (N, C, S, S) of (N, S, S) or larger."""
        hu = middle(hu, self.size)
        channels = [((hu - level) * (2 / width)).clamp(-1, 1) for width, level in self.windows]
        return torch.stack(channels, dim=1)


def middle(hu: Tensor, size: int) -> Tensor:
    """Return the (N, size, size) centre of (N, S, S) slices."""
    part, _ = fit_window(hu.shape[-1], size)
    return hu[:, part, part]


class PixelSide(nn.Linear):
    """Tell every token the side of the pixel, without which a blur has no size in mm.

    Args:
        width: of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__(1, width)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Linear gives it
        """Return (N, 1, W) of (N,) sides in mm."""
        return super().forward(half_octaves(input)[:, None, None])


def half_octaves(pixel_mm: Tensor) -> Tensor:
    """Return how far a pixel side lies from that of a usual body scan, in half octaves.

    >>> half_octaves(torch.tensor([0.7, 1.4])).tolist()
    [0.0, 2.0]
    """
    return 2 * torch.log2(pixel_mm / USUAL_PIXEL_MM)


class Patches(nn.Conv2d):
    """The linear map of each patch to a token: a convolution whose stride is its side.

    It is computed as the matrix product that it is. As a convolution in bfloat16, PyTorch 2.14 on
    processors with AMX returns something else, so that a network trained there fails everywhere
    else (tests/model/test_precision.py).
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that nn.Conv2d gives it
        """Return (N, W, M/patch, M/patch) of (N, D, M, M)."""
        side, (depth, high, wide) = self.kernel_size[0], input.shape[1:]
        rows, columns = high // side, wide // side
        x = input.reshape(-1, depth, rows, side, columns, side)
        x = x.permute(0, 2, 4, 1, 3, 5)  # (N, rows, columns, D, patch, patch)
        x = x.reshape(-1, rows * columns, depth * side * side)
        x = functional.linear(x, self.weight.flatten(1), self.bias)  # (N, T - 1, W)
        return x.transpose(1, 2).reshape(-1, self.out_channels, rows, columns)


class Block(nn.Module):
    """One transformer block, normalised before attention and before the perceptron."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(shape.width, eps=1e-6)
        self.attention = Attention(shape.width, shape.heads)
        self.norm_mlp = nn.LayerNorm(shape.width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(shape.width, shape.mlp), nn.GELU(), nn.Linear(shape.mlp, shape.width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, T, W) of (N, T, W)."""
        x = x + self.attention(self.norm_attention(x))
        mixed: Tensor = x + self.mlp(self.norm_mlp(x))
        return mixed


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, T, W) of (N, T, W)."""
        _, tokens, width = x.shape
        x = self.qkv(x)  # (N, T, 3 W)
        x = x.reshape(-1, tokens, 3, self.heads, width // self.heads)  # (N, T, 3, H, W/H)
        q, k, v = x.permute(2, 0, 3, 1, 4)  # each (N, H, T, W/H)
        # On the CPU equation 2 as it stands trains faster than PyTorch's fused form.
        x = attention(q, k, v)  # (N, H, T, W/H)
        x = x.transpose(1, 2).reshape(-1, tokens, width)  # (N, T, W)
        mixed: Tensor = self.out(x)  # (N, T, W)
        return mixed


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return softmax(Q K^T / sqrt(d_k)) V, equation 2 of the paper; all (..., T, d_k)."""
    return torch.softmax(q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5, dim=-1) @ v


def _stem(shape: NetworkShape) -> nn.Sequential:
    """Return the convolution blocks and the layer that leads to the map of patches."""
    layers: list[nn.Module] = []
    channels = len(shape.windows) * shape.unshuffle**2
    for filters in shape.blocks:
        layers += _block(channels, filters, shape.kernel, padding=shape.padding)
        channels = filters
    side = 2 if shape.unshuffle == 1 else 1  # unshuffled maps are small enough already
    down = _block(channels, shape.down_channels, side, stride=side)
    return nn.Sequential(*layers, *(down if shape.down_bn_relu else down[:1]))


def _block(
    channels: int, filters: int, side: int, *, stride: int = 1, padding: int = 0
) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, filters, side, stride=stride, padding=padding),
        nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
    ]


def _draw(module: nn.Module) -> None:
    """Draw the first weights: convolutions for a ReLU behind them, the rest narrow as in BERT."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)  # type: ignore[arg-type] # every convolution here has a bias
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
