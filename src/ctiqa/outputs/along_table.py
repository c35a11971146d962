"""Draw two columns of scores along the table, and their difference below, as one PNG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, groupby
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

from ctiqa.files import write_whole
from ctiqa.outputs.verdict import verdict
from ctiqa.protocol.compared import Comparison, Pair
from ctiqa.scoring.result import SliceResult

__all__ = ["as_png", "write_along_table"]

_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 90, 30, 84, 70
_UPPER, _LOWER, _GAP = 320, 200, 64
_PAPER, _INK, _GRID, _BAND = "white", "#202020", "#d8d8d8", "#cfe8dd"
# Distinct for colour-blind eyes and in grey (Okabe and Ito 2008).
_A, _B, _DIFFERENCE = "#0072b2", "#d55e00", "#009e73"
_MOST_TICKS = 7

Point: TypeAlias = tuple[float, float]
"""Position along the table in mm, and a value there."""


@dataclass(frozen=True, slots=True)
class _Panel:
    """A rectangle of the picture with its axes: z to the right, values upwards.

    Args:
        top: of the rectangle in pixels; ``height`` likewise.
        z_mm: ends of the axis along the table.
        values: ends of the other.
    """

    top: int
    height: int
    z_mm: tuple[float, float]
    values: tuple[float, float]

    def place(self, point: Point) -> Point:
        """Return where a point lies in the picture."""
        (left, right), (low, high) = self.z_mm, self.values
        return (
            _LEFT + (_WIDTH - _LEFT - _RIGHT) * (point[0] - left) / (right - left),
            self.top + self.height * (high - point[1]) / (high - low),
        )

    def draw_axes(self, pen: ImageDraw.ImageDraw, label: str) -> None:
        font = ImageFont.load_default(15)
        for value in _round_values(*self.values):
            left, level = self.place((self.z_mm[0], value))
            pen.line((left, level, _WIDTH - _RIGHT, level), _GRID)
            pen.text((left - 8, level), f"{value:.6g}", _INK, font, anchor="rm")
        bottom = self.top + self.height
        for z_mm in _round_values(*self.z_mm):
            across, _ = self.place((z_mm, self.values[0]))
            pen.line((across, bottom, across, bottom + 5), _INK)
            pen.text((across, bottom + 8), f"{z_mm:.6g}", _INK, font, anchor="ma")
        pen.rectangle((_LEFT, self.top, _WIDTH - _RIGHT, bottom), outline=_INK)
        pen.text((_LEFT, self.top - 8), label, _INK, font, anchor="lb")

    def draw_curve(self, pen: ImageDraw.ImageDraw, curve: Sequence[Point], colour: str) -> None:
        places = [self.place(point) for point in curve]
        if len(places) > 1:
            pen.line(places, colour, 2, joint="curve")
        for x, y in places:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), colour)

    def draw_level(self, pen: ImageDraw.ImageDraw, value: float, colour: str) -> None:
        _, level = self.place((self.z_mm[0], value))
        pen.line((_LEFT, level, _WIDTH - _RIGHT, level), colour, 2)


def as_png(found: Comparison) -> bytes:
    """Return both scores over z, a curve for each series, and below A minus B with its interval.

    The lower half is left out where slices are not paired.
    """
    a = _curves(found.pairs, lambda pair: _point(pair.a))
    b = _curves(found.pairs, lambda pair: _point(pair.b))
    points = list(chain(*a, *b))
    z_mm = _span([z for z, _ in points])
    height = _TOP + _UPPER + _BOTTOM + (_GAP + _LOWER if found.paired else 0)
    picture = Image.new("RGB", (_WIDTH, height), _PAPER)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(17)
    pen.text((_LEFT - 60, 14), verdict(found), _INK, font)
    upper = _Panel(_TOP, _UPPER, z_mm, _span([value for _, value in points]))
    upper.draw_axes(pen, "score")
    for curves, colour, name, right in ((a, _A, "A", 80), (b, _B, "B", 20)):
        pen.line(
            (_WIDTH - _RIGHT - right - 30, _TOP - 17, _WIDTH - _RIGHT - right, _TOP - 17), colour, 3
        )
        pen.text((_WIDTH - _RIGHT - right + 6, _TOP - 17), name, _INK, font, anchor="lm")
        for curve in curves:
            upper.draw_curve(pen, curve, colour)
    if found.paired:
        _draw_difference(pen, found, z_mm)
    pen.text((_WIDTH / 2, height - 14), "position along the table (mm)", _INK, font, anchor="mb")
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def write_along_table(found: Comparison, path: Path) -> None:
    """Write the picture as :func:`as_png` has it.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    write_whole(path, as_png(found))


def _draw_difference(
    pen: ImageDraw.ImageDraw, found: Comparison, z_mm: tuple[float, float]
) -> None:
    curves = _curves(found.pairs, _apart)
    low, high = found.score.mean_interval
    values = _span([0.0, low, high, *(value for _, value in chain(*curves))])
    panel = _Panel(_TOP + _UPPER + _GAP, _LOWER, z_mm, values)
    (_, upper), (_, lower) = panel.place((z_mm[0], high)), panel.place((z_mm[0], low))
    pen.rectangle((_LEFT, upper, _WIDTH - _RIGHT, lower), _BAND)
    panel.draw_axes(pen, "score of A minus that of B; its mean and the 95 % interval of the mean")
    panel.draw_level(pen, 0.0, _INK)
    panel.draw_level(pen, found.score.mean, _DIFFERENCE)
    for curve in curves:
        panel.draw_curve(pen, curve, _DIFFERENCE)


def _curves(pairs: Sequence[Pair], point: Callable[[Pair], Point | None]) -> list[list[Point]]:
    """Return a curve for each series, of the points that its pairs have."""
    groups = groupby(pairs, key=lambda pair: (pair.series_a, pair.series_b))
    curves = [[found for pair in members if (found := point(pair))] for _, members in groups]
    return [curve for curve in curves if curve]


def _point(row: SliceResult | None) -> Point | None:
    return None if row is None or row.z_mm is None or row.score is None else (row.z_mm, row.score)


def _apart(pair: Pair) -> Point | None:
    a, b = _point(pair.a), _point(pair.b)
    return None if a is None or b is None else (a[0], a[1] - b[1])


def _round_values(low: float, high: float) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten that label an axis.

    >>> _round_values(-346, -4), _round_values(0.1, 0.5)
    ([-300.0, -250.0, -200.0, -150.0, -100.0, -50.0], [0.1, 0.2, 0.3, 0.4, 0.5])
    """
    power = 10.0 ** math.floor(math.log10((high - low) / _MOST_TICKS))
    step = next(each * power for each in (1, 2, 5, 10) if high - low < each * power * _MOST_TICKS)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(count * step, 9) for count in range(first, last + 1)]


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis that holds some values with a little room about them."""
    low, high = min(values), max(values)
    room = max(0.05 * (high - low), 1e-3)
    return low - room, high + room
