"""A CNN-ViT small enough for every test."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ctiqa.model.cnn_vit import CnnVit
from ctiqa.model.shape import NetworkShape

SMALL = NetworkShape(
    size=64, blocks=(4, 4), padding=1, crop=(4, 28), patch=8, width=16, depth=2, heads=2, mlp=32
)


@pytest.fixture
def small() -> NetworkShape:
    return SMALL


@pytest.fixture
def make() -> Any:
    """Return a maker of small networks: ``make(padding=0)``, its weights always the same draw."""

    def network(*, seed: int = 0, **changes: Any) -> CnnVit:
        torch.manual_seed(seed)
        made = CnnVit(replace(SMALL, **changes)).eval()
        for parameter in made.parameters():
            # As after training: in a new network batch norms and the class token do nothing.
            parameter.data += 0.1 * torch.randn_like(parameter)
        return made

    return network


@pytest.fixture
def slices() -> torch.Tensor:
    """Return three slices of soft tissue with 50 HU of noise."""
    return 40 + 50 * torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(1))
