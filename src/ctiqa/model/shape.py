"""Every size of the CNN-ViT as a number of the recipe."""

from dataclasses import dataclass

from ctiqa.errors import RecipeError

__all__ = ["PATCH_CELLS", "NetworkShape"]

PATCH_CELLS = 4
"""Cells along each side of a patch whose grain is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkShape:
    """The sizes of a CNN-ViT; the defaults are the paper's.

    Args:
        size: side of the square slice in pixels; of a larger slice the centre.
        windows: (width, level) in HU of each input channel: the network windows the slice itself.
        unshuffle: 1 as in the paper; 2 or 4 folds squares of that side into channels first, which
            loses nothing and makes everything after it cheaper.
        blocks: filters of each convolution block; none is the paper's CNN-0.
        kernel: side of the filters of a block.
        padding: 0 as in the paper, 1 keeps the side.
        down_channels: channels of the map that becomes patches; 3 as in the paper, which ImageNet
            weights need.
        down_bn_relu: whether batch norm and ReLU follow the layer that leads there.
        crop: first row and column kept of that layer's map, and the one after the last.
        patch: side of a patch in the cropped map.
        width: of a token.
        depth: transformer blocks.
        heads: of attention.
        mlp: hidden units of a block's perceptron.
        sees_pixel_mm: whether the network is told the side of the pixel, too; the paper's is not,
            and judges sharpness in pixels.
        sees_grain: whether each patch is told how much it changes from pixel to pixel, too
            (``grain.Grain``); the paper's convolutions have to learn that.
        outputs: 1 for a teacher, as many as teachers for a student.

    Raises:
        RecipeError: if the sizes do not fit one another.
    """

    size: int = 512
    windows: tuple[tuple[float, float], ...] = ((350.0, 40.0),)
    unshuffle: int = 1
    blocks: tuple[int, ...] = (8, 16, 32, 64)
    kernel: int = 3
    padding: int = 0
    down_channels: int = 3
    down_bn_relu: bool = True
    crop: tuple[int, int] = (16, 240)
    patch: int = 16
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp: int = 3072
    sees_pixel_mm: bool = False
    sees_grain: bool = False
    outputs: int = 1

    def __post_init__(self) -> None:
        sizes = {
            name: getattr(self, name)
            for name in (
                *("size", "unshuffle", "kernel", "down_channels", "patch"),
                *("width", "depth", "heads", "mlp", "outputs"),
            )
        }
        sizes["blocks"] = min(self.blocks, default=1)
        if small := [name for name, value in sizes.items() if value < 1]:
            raise RecipeError(f"[network] sizes are at least 1, unlike {small[0]}")
        if not 0 <= self.padding <= self.kernel // 2:
            raise RecipeError(
                f"[network] padding lies in 0 to {self.kernel // 2} for filters of {self.kernel}"
            )
        first, end = self.crop
        if not self.windows or any(width <= 0 for width, _ in self.windows):
            raise RecipeError("[network] windows holds pairs [width, level] with positive widths")
        if self.size % self.unshuffle:
            raise RecipeError(f"[network] unshuffle {self.unshuffle} does not divide {self.size}")
        if not 0 <= first < end <= self.map_side:
            raise RecipeError(
                f"[network] crop {first}:{end} does not lie in the map of side {self.map_side}"
            )
        if (end - first) % self.patch:
            raise RecipeError(
                f"[network] patches of {self.patch} do not fill a crop of {end - first}"
            )
        if self.sees_grain and self.patch * self.stride % PATCH_CELLS:
            raise RecipeError(
                f"[network] sees_grain needs patches of a multiple of {PATCH_CELLS} pixels of the "
                f"slice, not of {self.patch * self.stride}"
            )
        if self.width % self.heads:
            raise RecipeError(f"[network] {self.heads} heads do not divide a width of {self.width}")

    @property
    def map_side(self) -> int:
        """Side of the map that is cropped; the paper's is 256 less a pixel for each block."""
        return (self.size // self.unshuffle - self._lost) * self.unshuffle // self.stride

    @property
    def margin(self) -> int:
        """Pixels of the slice that convolutions without padding lose on every side."""
        return self._lost * self.unshuffle // 2

    @property
    def _lost(self) -> int:
        return (self.kernel - 1 - 2 * self.padding) * len(self.blocks)

    @property
    def stride(self) -> int:
        """Pixels of the slice along a side of a pixel of that map."""
        return max(2, self.unshuffle)

    @property
    def patches(self) -> int:
        """Number of patches, hence of tokens beside the class token."""
        first, end = self.crop
        return ((end - first) // self.patch) ** 2
