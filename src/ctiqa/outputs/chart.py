"""Draw curves over a common axis as one PNG, the axes labelled."""

import math
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

__all__ = ["line_chart"]

_SIZE = (960, 600)
_LEFT, _RIGHT, _TOP, _BOTTOM = 110, 30, 60, 80
_PAPER, _INK, _GRID = "white", "#202020", "#d8d8d8"
# Distinct for colour-blind eyes and in grey (Okabe and Ito 2008), yellow left out on white.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000")
_STEPS = 5


def line_chart(
    curves: Mapping[str, npt.NDArray[np.float64]], *, x_label: str, y_label: str, title: str
) -> bytes:
    """Return curves as PNG on a logarithmic axis, the i-th value of each over i + 1.

    Args:
        curves: values above 0 by what they are called, in the order of the legend; at least one.
        x_label: of the axis that counts.
        y_label: of the logarithmic axis.
        title: above all.
    """
    values = np.concatenate(list(curves.values()))
    low, high = math.log10(values.min()), math.log10(values.max())
    margin = max(0.05 * (high - low), 0.02)
    low, high = low - margin, high + margin
    longest = max(map(len, curves.values()))
    width, height = _SIZE[0] - _LEFT - _RIGHT, _SIZE[1] - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - 1) / max(longest - 1, 1)
        return _LEFT + width * across, _TOP + height * (high - y) / (high - low)

    picture = Image.new("RGB", _SIZE, _PAPER)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(18)
    for y in np.linspace(low, high, _STEPS):
        left, level = place(1, float(y))
        pen.line((left, level, left + width, level), _GRID)
        pen.text((left - 10, level), f"{10 ** float(y):.3g}", _INK, font, anchor="rm")
    for x in _ticks(longest):
        across, bottom = place(x, low)
        pen.line((across, bottom, across, bottom + 6), _INK)
        pen.text((across, bottom + 10), str(x), _INK, font, anchor="ma")
    pen.rectangle((_LEFT, _TOP, _LEFT + width, _TOP + height), outline=_INK)
    pen.text((_LEFT + width / 2, _SIZE[1] - 12), x_label, _INK, font, anchor="mb")
    pen.text((_LEFT, _TOP - 12), y_label, _INK, font, anchor="lb")
    pen.text((_LEFT + width, _TOP - 12), title, _INK, font, anchor="rb")
    for index, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        points = [place(x, math.log10(y)) for x, y in enumerate(curve, start=1)]
        _curve(pen, points, colour)
        line = _TOP + 14 + 26 * index
        pen.line((_LEFT + width - 190, line, _LEFT + width - 150, line), colour, 3)
        pen.text((_LEFT + width - 140, line), name, _INK, font, anchor="lm")
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _curve(pen: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: str) -> None:
    if len(points) > 1:
        pen.line(list(points), colour, 3, joint="curve")
    for x, y in points[:: max(len(points) // 20, 1)]:
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), colour)


def _ticks(longest: int) -> list[int]:
    """Return at most about ten whole numbers from 1 on.

    >>> _ticks(4), _ticks(100)
    ([1, 2, 3, 4], [1, 11, 21, 31, 41, 51, 61, 71, 81, 91])
    """
    return list(range(1, longest + 1, math.ceil(longest / 10)))
