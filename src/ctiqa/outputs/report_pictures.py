"""Picture the best and the worst slices of a series for a page, each in the window it asks for."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TypeAlias

from PIL import Image

from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.images.window import LUNG, SOFT_TISSUE, Window
from ctiqa.measures.body import body_mask, box_round
from ctiqa.outputs.map_picture import MAP_WORDS, map_over_slice
from ctiqa.outputs.picture import Panel, as_png, encoded
from ctiqa.scoring.result import SliceResult

__all__ = ["Load", "Maps", "Picture", "extremes", "pictures_of"]

Load: TypeAlias = Callable[[SliceResult], CTSlice]
"""Reads the slice that a row speaks of, in the matrix in which it was scored."""

Maps: TypeAlias = Callable[[CTSlice], FloatImage]
"""Tells what is lost of quality in each pixel of a slice: in [0, 1], 0 outside the body."""

_WORST = 3
_LUNG_HU = -500.0
_MUCH_LUNG = 0.2
"""Share of the body; the gas of a bowel or a trachea stays far below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of a page.

    Args:
        source: the PNG as a data URI.
        caption: what is shown, and how.
        width_px: of the PNG; ``height_px`` likewise.
    """

    source: str
    caption: str
    width_px: int
    height_px: int


def extremes(rows: Sequence[SliceResult]) -> tuple[tuple[SliceResult, ...], SliceResult]:
    """Return up to three slices with the lowest scores, the lowest first, and the best one.

    Args:
        rows: at least one of them with a score.
    """
    scored = sorted((row for row in rows if row.score is not None), key=lambda row: row.score or 0)
    return tuple(scored[:-1][:_WORST]), scored[-1]


def pictures_of(ct_slice: CTSlice, *, maps: Maps | None = None) -> tuple[Picture, ...]:
    """Return the slice round its body in soft tissue, in lung where there is much, and its map.

    Args:
        ct_slice: as it was scored.
        maps: tells where quality is lost; None where nobody can.
    """
    body = body_mask(ct_slice.hu)
    part = box_round(body)
    hu, inside = ct_slice.hu[part], body[part]
    extent = " x ".join(f"{side * ct_slice.pixel_mm:.0f}" for side in reversed(hu.shape))
    lungs = inside.any() and float((hu[inside] < _LUNG_HU).mean()) > _MUCH_LUNG
    windows = {"soft tissue": SOFT_TISSUE} | ({"lung": LUNG} if lungs else {})
    shown = [
        _picture(as_png([Panel(hu, ())], window=window), f"{_words(name, window)}, {extent} mm")
        for name, window in windows.items()
    ]
    if maps is not None:
        tinted = map_over_slice(hu, maps(ct_slice)[part], window=SOFT_TISSUE)
        shown.append(_picture(encoded(tinted), MAP_WORDS))
    return tuple(shown)


def _words(name: str, window: Window) -> str:
    return f"{name} (W {window.width_hu:g}, L {window.level_hu:g} HU)"


def _picture(png: bytes, caption: str) -> Picture:
    width_px, height_px = Image.open(BytesIO(png)).size
    return Picture(
        source=f"data:image/png;base64,{base64.b64encode(png).decode()}",
        caption=caption,
        width_px=width_px,
        height_px=height_px,
    )
