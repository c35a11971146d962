"""Draw slices side by side, a caption under each, as one PNG."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ctiqa.files import write_whole
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.window import Window

__all__ = ["Panel", "as_png", "drawn", "encoded", "write_picture"]

_GAP_PX = 8
_FONT_PX = 26
_LINE_PX = 36
_BACKGROUND, _INK = 0, 235


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One slice of a picture.

    Args:
        hu: (rows, columns) in HU.
        caption: lines that stand under it.
    """

    hu: FloatImage
    caption: tuple[str, ...]


def drawn(panels: Sequence[Panel], *, window: Window) -> Image.Image:
    """Return the panels from left to right in grey, one pixel for each of a slice.

    Args:
        panels: at least one; slices of any size, aligned at the top.
        window: what of the range of HU is shown.
    """
    widths = [panel.hu.shape[1] for panel in panels]
    tallest = max(panel.hu.shape[0] for panel in panels)
    lines = max(len(panel.caption) for panel in panels)
    size = (
        sum(widths) + _GAP_PX * (len(panels) - 1),
        tallest + lines * _LINE_PX + (_GAP_PX if lines else 0),
    )
    picture = Image.new("L", size, _BACKGROUND)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_FONT_PX)
    left = 0
    for panel, width in zip(panels, widths, strict=True):
        grey = np.rint(window.apply(panel.hu) * 255).astype(np.uint8)
        picture.paste(Image.fromarray(grey), (left, 0))
        for line, words in enumerate(panel.caption):
            middle = left + width / 2
            pen.text((middle, tallest + _GAP_PX + line * _LINE_PX), words, _INK, font, anchor="ma")
        left += width + _GAP_PX
    return picture


def as_png(panels: Sequence[Panel], *, window: Window) -> bytes:
    """Return the panels as a PNG, as :func:`drawn` draws them."""
    return encoded(drawn(panels, window=window))


def encoded(picture: Image.Image) -> bytes:
    """Return a picture as a PNG."""
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def write_picture(panels: Sequence[Panel], path: Path, *, window: Window) -> None:
    """Write the panels as :func:`as_png` has them.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    write_whole(path, as_png(panels, window=window))
