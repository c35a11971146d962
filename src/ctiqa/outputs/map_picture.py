"""Lay a quality map over its slice, with a bar that says what the colours mean."""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.window import Window
from ctiqa.outputs.picture import Panel, drawn

__all__ = ["MAP_WORDS", "colours", "map_beside_slice", "map_over_slice"]

MAP_WORDS = "where quality is lost, from 0 (nothing) to 1 (all)"

# "Plasma" of Smith and van der Walt (matplotlib 1.5, CC0) at ten even steps: made for even steps to
# the eye (CAM02-UCS), lighter all the way for colour-blind eyes too, and none of it a grey.
_RAMP: Final = np.array(
    [
        (13, 8, 135),
        (70, 3, 159),
        (114, 1, 168),
        (156, 23, 158),
        (189, 55, 134),
        (216, 87, 107),
        (237, 121, 83),
        (251, 159, 58),
        (253, 202, 38),
        (240, 249, 33),
    ],
    float,
)
_DEPTH: Final = 0.65
"""Share of the colour: the slice can still be seen."""

_FULL_DEPTH_AT: Final = 0.1
"""Below, the colour fades out, so that a slice without loss looks as it always does."""

_GREY: Final = 128
_BAR_PX, _GAP_PX, _LABEL_PX, _FONT_PX = 18, 10, 34, 14
_TICKS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_PAPER, _INK = "black", "#ebebeb"


def map_over_slice(hu: FloatImage, loss: FloatImage, *, window: Window) -> Image.Image:
    """Return a slice with its map over it, and the bar of colours at its right.

    The colours stand for 0 to 1 in every picture, so that pictures can be compared.

    Args:
        hu: (rows, columns).
        loss: (rows, columns) in [0, 1]; 0 leaves the grey of the slice.
        window: what of the range of HU is shown.
    """
    rows, columns = hu.shape
    wide = columns + 2 * _GAP_PX + _BAR_PX + _LABEL_PX
    picture = Image.new("RGB", (wide, rows), _PAPER)
    picture.paste(_mixed(window.apply(hu) * 255, loss), (0, 0))
    _draw_bar(picture, columns + _GAP_PX)
    return picture


def map_beside_slice(
    hu: FloatImage, loss: FloatImage, caption: str, *, window: Window
) -> Image.Image:
    """Return the bare slice, its map over it as :func:`map_over_slice` has it, a caption below."""
    mapped = map_over_slice(hu, loss, window=window)
    bare = drawn([Panel(hu, ())], window=window)
    words = f"{caption}; at the right, {MAP_WORDS}"
    font = ImageFont.load_default(_FONT_PX)
    across = bare.width + _GAP_PX + mapped.width
    wide = max(across, round(font.getlength(words)) + 2 * _GAP_PX)
    picture = Image.new("RGB", (wide, mapped.height + 3 * _GAP_PX), _PAPER)
    picture.paste(bare, (0, 0))
    picture.paste(mapped, (bare.width + _GAP_PX, 0))
    ImageDraw.Draw(picture).text((_GAP_PX, mapped.height + _GAP_PX), words, _INK, font)
    return picture


def colours(loss: FloatImage) -> npt.NDArray[np.float64]:
    """Return the colour of each value in [0, 1], (..., 3) in sRGB from 0 to 255."""
    steps = np.linspace(0, 1, len(_RAMP))
    return np.stack([np.interp(loss, steps, channel) for channel in _RAMP.T], axis=-1)


def _mixed(grey: FloatImage, loss: FloatImage) -> Image.Image:
    depth = (_DEPTH * np.minimum(loss / _FULL_DEPTH_AT, 1))[..., np.newaxis]
    mixed = grey[..., np.newaxis] * (1 - depth) + colours(loss) * depth
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _draw_bar(picture: Image.Image, left: int) -> None:
    """Draw the colours as they look over grey, 1 at the top, with their numbers."""
    top, bottom = _FONT_PX, picture.height - 1 - _FONT_PX
    falling = np.linspace(1, 0, bottom - top + 1, dtype=np.float32)[:, np.newaxis]
    bar = falling.repeat(_BAR_PX, axis=1)
    picture.paste(_mixed(np.full_like(bar, _GREY), bar), (left, top))
    pen = ImageDraw.Draw(picture)
    pen.font = ImageFont.load_default(_FONT_PX)  # of every text that follows
    for tick in _TICKS:
        y = bottom - tick * (bottom - top)
        pen.text((left + _BAR_PX + _GAP_PX, y), f"{tick:.2f}", _INK, anchor="lm")
