"""Teachers that answer from memory where they have seen an image before."""

import hashlib
from collections.abc import MutableMapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

__all__ = ["Memory", "Remembered"]

Memory: TypeAlias = MutableMapping[bytes, Sequence[float]]
"""Outputs of one teacher by the digest of the image and its side."""


class Remembered(nn.Module):
    """An ensemble on the CPU that scores each image once, whoever asks.

    Fixed images come again in every epoch, in eight orientations, for every student of the same
    teachers; then most of what distilling costs is what the teachers said before.

    Args:
        members: in evaluation mode, (N, S, S) HU and (N,) pixel sides to (N, P) outputs.
        memories: of each member; filled here, and may be shared with others.
    """

    def __init__(self, members: Sequence[nn.Module], memories: Sequence[Memory]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._memories = memories

    def forward(self, hu: Tensor, pixel_mm: Tensor) -> Tensor:
        """Return (N, members P) float32 outputs of (N, S, S) slices in HU."""
        keys = [
            hashlib.blake2b(image.numpy(), digest_size=16, key=side.numpy().tobytes()).digest()
            for image, side in zip(hu.contiguous(), pixel_mm, strict=True)
        ]
        pairs = zip(self.members, self._memories, strict=True)
        return torch.cat(
            [torch.tensor(_recalled(*pair, hu, pixel_mm, keys)) for pair in pairs], dim=1
        )


def _recalled(
    member: nn.Module, memory: Memory, hu: Tensor, pixel_mm: Tensor, keys: Sequence[bytes]
) -> Sequence[Sequence[float]]:
    new = [at for at, key in enumerate(keys) if key not in memory]
    if new:
        outputs: Sequence[Sequence[float]] = member(hu[new], pixel_mm[new]).float().tolist()
        memory.update({keys[at]: each for at, each in zip(new, outputs, strict=True)})
    return [memory[key] for key in keys]
