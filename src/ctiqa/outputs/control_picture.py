"""Draw the control charts of a group, one above the other, as one PNG."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ctiqa.protocol.control_chart import FloatArray
from ctiqa.protocol.drift import Chart

__all__ = ["control_picture"]

_WIDTH, _HEIGHT = 1100, 380
"""Of one chart, in pixels."""

_LEFT, _RIGHT, _TOP, _BOTTOM, _HEAD = 100, 30, 60, 50, 50
_PAPER, _INK, _GRID, _BASELINE = "white", "#202020", "#e4e4e4", "#eef3f8"
# Distinct for colour-blind eyes and in grey (Okabe and Ito 2008).
_VALUE, _AVERAGE, _LIMIT, _ALARM = "#0072b2", "#e69f00", "#606060", "#d55e00"
_LEVELS, _MOST_DAYS = 5, 8
_DASH_PX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """Where a chart lies in the picture: its top, and what its axes span."""

    top: float
    count: int
    low: float
    high: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the field inside the axes."""
        return _LEFT, self.top + _TOP, _WIDTH - _RIGHT, self.top + _HEIGHT - _BOTTOM

    def x(self, place: float) -> float:
        """Return where a series stands; they stand at equal distances, whatever their days."""
        left, _, right, _ = self.box
        return left + (right - left) * (place + 0.5) / self.count

    def y(self, value: float) -> float:
        _, top, _, bottom = self.box
        return bottom - (bottom - top) * (value - self.low) / (self.high - self.low)

    def points(self, line: FloatArray) -> list[tuple[float, float]]:
        return [(self.x(place), self.y(float(value))) for place, value in enumerate(line)]


def control_picture(charts: Sequence[Chart]) -> bytes:
    """Return the charts of one group as PNG: values, moving average, limits, alarms.

    The baseline lies on a shaded ground; the value or average of every alarm is ringed.

    Args:
        charts: of one group, at least one.
    """
    picture = Image.new("RGB", (_WIDTH, _HEAD + _HEIGHT * len(charts)), _PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((_LEFT, _HEAD / 2), charts[0].group.words, _INK, ImageFont.load_default(22), "lm")
    for place, chart in enumerate(charts):
        low, high = _span(chart)
        panel = _Panel(top=_HEAD + place * _HEIGHT, count=len(chart.points), low=low, high=high)
        _ground(pen, panel, chart)
        _axes(pen, panel, chart)
        _curves(pen, panel, chart)
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _span(chart: Chart) -> tuple[float, float]:
    """Return what of the axis is shown: every value, average and limit, and a little more."""
    lines = chart.lines
    shown = [chart.values] if lines is None else [chart.values, lines.lower, lines.upper]
    low, high = float(np.min(shown)), float(np.max(shown))
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _ground(pen: ImageDraw.ImageDraw, panel: _Panel, chart: Chart) -> None:
    _, top, _, bottom = panel.box
    for place, normal in enumerate(chart.in_baseline):
        if normal:
            pen.rectangle((panel.x(place - 0.5), top, panel.x(place + 0.5), bottom), _BASELINE)


def _axes(pen: ImageDraw.ImageDraw, panel: _Panel, chart: Chart) -> None:
    font = ImageFont.load_default(16)
    left, top, right, bottom = panel.box
    for level in np.linspace(panel.low, panel.high, _LEVELS):
        y = panel.y(float(level))
        pen.line((left, y, right, y), _GRID)
        pen.text((left - 10, y), f"{level:.4g}", _INK, font, "rm")
    step = -(-panel.count // _MOST_DAYS)
    for place in range(0, panel.count, step):
        pen.line((panel.x(place), bottom, panel.x(place), bottom + 5), _INK)
        pen.text((panel.x(place), bottom + 9), str(chart.points[place].day), _INK, font, "ma")
    pen.rectangle(panel.box, outline=_INK)
    unit = f" ({chart.quantity.unit})" if chart.quantity.unit else ""
    pen.text((left, top - 10), f"{chart.quantity.name}{unit}", _INK, font, "lb")
    if chart.lines is None:
        pen.text((right, top - 10), chart.without_limits, _INK, font, "rb")
        return
    words = (
        ("series median", _VALUE),
        ("moving average", _AVERAGE),
        ("limits", _LIMIT),
        ("alarm", _ALARM),
    )
    for name, colour in reversed(words):
        pen.text((right, top - 12), name, colour, font, "rs")
        right -= pen.textlength(name, font) + 24


def _curves(pen: ImageDraw.ImageDraw, panel: _Panel, chart: Chart) -> None:
    lines = chart.lines
    if lines is not None:
        left, _, right, _ = panel.box
        pen.line((left, panel.y(lines.centre[0]), right, panel.y(lines.centre[0])), _LIMIT)
        for limit in (lines.lower[0], lines.upper[0]):
            _dashed(pen, left, right, panel.y(float(limit)))
        for bound in (lines.ewma_lower, lines.ewma_upper):
            _curve(pen, panel.points(bound), _AVERAGE, 1)
        _curve(pen, panel.points(lines.ewma), _AVERAGE, 3)
    points = panel.points(chart.values)
    _curve(pen, points, _VALUE, 1)
    for x, y in points:
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), _VALUE)
    if lines is not None:
        _ring(pen, panel, chart.values, (lines.lower, lines.upper))
        _ring(pen, panel, lines.ewma, (lines.ewma_lower, lines.ewma_upper))


def _ring(
    pen: ImageDraw.ImageDraw,
    panel: _Panel,
    line: FloatArray,
    limits: tuple[FloatArray, FloatArray],
) -> None:
    lower, upper = limits
    points = panel.points(line)
    for place in np.flatnonzero((line < lower) | (line > upper)):
        x, y = points[place]
        pen.ellipse((x - 8, y - 8, x + 8, y + 8), outline=_ALARM, width=3)


def _curve(
    pen: ImageDraw.ImageDraw, points: list[tuple[float, float]], colour: str, width: int
) -> None:
    if len(points) > 1:
        pen.line(points, colour, width, joint="curve")


def _dashed(pen: ImageDraw.ImageDraw, left: float, right: float, y: float) -> None:
    for x in np.arange(left, right, 2 * _DASH_PX):
        pen.line((x, y, min(x + _DASH_PX, right), y), _LIMIT, 2)
