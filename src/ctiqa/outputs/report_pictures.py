"""Picture the best and the worst slices of a series for a page, each in the window it asks for."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TypeAlias

import numpy as np
from PIL import Image

from ctiqa.images.ct_slice import CTSlice, FloatImage, Mask
from ctiqa.images.window import LUNG, SOFT_TISSUE, Window
from ctiqa.measures.body import body_mask
from ctiqa.outputs.picture import Panel, as_png
from ctiqa.scoring.result import SliceResult

__all__ = ["Load", "Picture", "extremes", "pictures_of"]

Load: TypeAlias = Callable[[SliceResult], CTSlice]
"""Reads the slice that a row speaks of, in the matrix in which it was scored."""

_WORST = 3
_MARGIN_PX = 8
_LUNG_HU = -500.0
_MUCH_LUNG = 0.2
"""Share of the body; the gas of a bowel or a trachea stays far below."""

_TINT = np.array((230, 60, 0), np.float32)
_DEEPEST = 0.7
"""Share of the tint where a map is at its highest: the slice can still be seen."""


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


def pictures_of(
    ct_slice: CTSlice, *, maps: Mapping[str, FloatImage] | None = None
) -> tuple[Picture, ...]:
    """Return the slice round its body in soft tissue, in lung where there is much, and its map.

    Args:
        ct_slice: as it was scored.
        maps: by SOP Instance UID where quality is lost: the shape of the slice, not negative, the
            higher the worse; drawn relative to the highest value of all.
    """
    body = body_mask(ct_slice.hu)
    part = _round(body)
    hu, inside = ct_slice.hu[part], body[part]
    extent = " x ".join(f"{side * ct_slice.pixel_mm:.0f}" for side in reversed(hu.shape))
    lungs = inside.any() and float((hu[inside] < _LUNG_HU).mean()) > _MUCH_LUNG
    windows = {"soft tissue": SOFT_TISSUE} | ({"lung": LUNG} if lungs else {})
    shown = [
        _picture(as_png([Panel(hu, ())], window=window), f"{_words(name, window)}, {extent} mm")
        for name, window in windows.items()
    ]
    quality = (maps or {}).get(ct_slice.identity.sop_instance_uid)
    if maps and quality is not None:
        highest = max(float(each.max()) for each in maps.values())
        tinted = _tinted(hu, quality[part] / (highest or 1.0), window=SOFT_TISSUE)
        shown.append(_picture(tinted, "where quality is lost: the redder, the more"))
    return tuple(shown)


def _words(name: str, window: Window) -> str:
    return f"{name} (W {window.width_hu:g}, L {window.level_hu:g} HU)"


def _round(body: Mask) -> tuple[slice, slice]:
    """Return the box round the body with a margin; the whole slice where there is none."""
    if not body.any():
        return slice(None), slice(None)
    rows, columns = (np.flatnonzero(body.any(axis=axis)) for axis in (1, 0))
    return _span(int(rows[0]), int(rows[-1])), _span(int(columns[0]), int(columns[-1]))


def _span(first: int, last: int) -> slice:
    return slice(max(first - _MARGIN_PX, 0), last + 1 + _MARGIN_PX)


def _tinted(hu: FloatImage, share: FloatImage, *, window: Window) -> bytes:
    """Return the slice with a tint that follows a map in [0, 1]; half the size, a map is smooth."""
    grey = (window.apply(hu) * 255)[..., np.newaxis]
    depth = (_DEEPEST * np.clip(share, 0, 1))[..., np.newaxis]
    picture = Image.fromarray(np.rint(grey * (1 - depth) + _TINT * depth).astype(np.uint8))
    file = BytesIO()
    picture.reduce(2).save(file, "PNG", optimize=True)
    return file.getvalue()


def _picture(png: bytes, caption: str) -> Picture:
    width_px, height_px = Image.open(BytesIO(png)).size
    return Picture(
        source=f"data:image/png;base64,{base64.b64encode(png).decode()}",
        caption=caption,
        width_px=width_px,
        height_px=height_px,
    )
