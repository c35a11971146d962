"""Name the networks that a recipe can train in place of the CNN-ViT, without loading any."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctiqa.errors import RecipeError
from ctiqa.model.shape import NetworkShape

__all__ = ["COMPARATORS", "ComparatorChoice"]

COMPARATORS: Mapping[str, Mapping[str, Any]] = {
    "resnet50": {},
    "densenet121": {},
    "vgg16_bn": {},
    # Unless it is said, torchvision warns that one day GoogLeNet will be drawn otherwise.
    "googlenet": {"aux_logits": False, "init_weights": True},
}
"""Name of a network in torchvision, and what it is made with beside the number of its outputs."""

_LEAST_SIDE = 40
"""Halved five times, a map keeps a number a channel: batch norm learns from two slices or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparatorChoice:
    """``[comparator]``: a network of the paper's Table 4 in place of the CNN-ViT.

    Of ``[network]`` only size, windows and unshuffle then matter. The rest must still be sizes of a
    CNN-ViT, so that a recipe becomes that of a comparator by this table alone.

    Args:
        name: of torchvision's network (METHOD 1.3, row 26); "" is the CNN-ViT of ``[network]``.

    Raises:
        RecipeError: if there is none of that name.
    """

    name: str = ""

    def __post_init__(self) -> None:
        if self.name not in {"", *COMPARATORS}:
            raise RecipeError(
                f'[comparator] name "{self.name}" is unknown; known here: {", ".join(COMPARATORS)}'
            )

    def check(self, shape: NetworkShape, weights: str) -> None:
        """Check that the tables ``[network]`` and ``[vit]`` suit the network that is chosen.

        Args:
            shape: of ``[network]``.
            weights: the file that ``[vit]`` names, or "".

        Raises:
            RecipeError: if its maps would vanish, or the file is for a transformer.
        """
        if not self.name:
            return
        if weights:
            raise RecipeError(
                f"[vit] weights start a CNN-ViT, and [comparator] chooses {self.name}; delete one "
                "of the two"
            )
        side = shape.size // shape.unshuffle
        if side < _LEAST_SIDE:
            raise RecipeError(
                f"[network] size {shape.size} unshuffled by {shape.unshuffle} leaves {side} "
                f"pixels a side, and {self.name} needs {_LEAST_SIDE}; lower unshuffle"
            )
