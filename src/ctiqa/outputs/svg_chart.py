"""Draw one number along the table as SVG, a marker for each slice."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Final

from ctiqa.scoring.result import Status

__all__ = ["Chart", "Point", "as_svg", "ticks"]

_WIDTH, _HEIGHT = 720, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 34, 48
_WIDE, _HIGH = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_LEGEND_PX = 96

# Steps of a path round (0, 0); each state has a form, so that colour alone says nothing.
_FORMS: Final[dict[Status, str]] = {
    "ok": "m-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0",
    "caution": "m0,-4.5l4.5,8h-9z",
    "not_scored": "m-3.5,-3.5l7,7m0,-7l-7,7",
}
_WORDS: Final[dict[Status, str]] = {
    "ok": "ok",
    "caution": "caution",
    "not_scored": "not scored",
}


@dataclass(frozen=True, slots=True)
class Point:
    """What a chart shows of one slice.

    Args:
        x: where it lies.
        y: the number; None where there is none.
        status: chooses the marker.
        interval: lower and upper end of the interval round ``y``; None where nobody told one.
    """

    x: float
    y: float | None
    status: Status
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn, and in which words.

    Args:
        key: starts the ids of the drawing; no other drawing of the page has it.
        title: what it shows, for whoever cannot see it.
        description: what is to be seen in it, likewise.
        points: in the order of the line; at least one.
        x_label: of the axis along the table, with its unit.
        y_label: of the other one.
        y_limits: of the other axis, low and high.
    """

    key: str
    title: str
    description: str
    points: Sequence[Point]
    x_label: str
    y_label: str
    y_limits: tuple[float, float]


def as_svg(chart: Chart) -> str:
    """Return the chart as an ``svg`` element to stand in a page of HTML.

    A line joins neighbours that have the number. A slice that was not scored and has no number is a
    cross on the axis. Colours are the page's: classes ``paper``, ``grid``, ``axis``, ``line``,
    ``band``, and for markers the status.
    """
    frame = _Frame(chart)
    key = escape(chart.key)
    names = f'aria-labelledby="{key}-title {key}-desc"'
    return "".join(
        (
            f'<svg class="chart" role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" {names}>',
            f'<title id="{key}-title">{escape(chart.title)}</title>',
            f'<desc id="{key}-desc">{escape(chart.description)}</desc>',
            *_axes(chart, frame),
            *_bands(chart, frame),
            *_lines(chart, frame),
            *_markers(chart, frame),
            *_legend(chart),
            "</svg>",
        )
    )


def ticks(low: float, high: float, *, most: int) -> list[float]:
    """Return round numbers from ``low`` to ``high``: one, two or five times a power of ten apart.

    >>> ticks(0, 1, most=6)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> ticks(-310, -12, most=5)
    [-300.0, -200.0, -100.0]
    """
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Rounded to the digits of the step, since 3 x 0.2 is not 0.6.
    digits = max(0, -math.floor(math.log10(step)))
    return [round(number * step, digits) for number in range(first, last + 1)]


class _Frame:
    """Where a pair of numbers lies in the drawing."""

    def __init__(self, chart: Chart) -> None:
        places = [point.x for point in chart.points]
        alone = min(places) == max(places)
        margin = 1.0 if alone else 0.02 * (max(places) - min(places))
        self.x_limits = min(places) - margin, max(places) + margin
        self.y_limits = chart.y_limits

    def x(self, value: float) -> float:
        low, high = self.x_limits
        return _LEFT + _WIDE * (value - low) / (high - low)

    def y(self, value: float) -> float:
        low, high = self.y_limits
        return _TOP + _HIGH * (high - min(max(value, low), high)) / (high - low)

    def at(self, x: float, y: float) -> str:
        return f"{self.x(x):.1f},{self.y(y):.1f}"


def _axes(chart: Chart, frame: _Frame) -> Iterator[str]:
    bottom, right = _TOP + _HIGH, _LEFT + _WIDE
    yield f'<rect class="paper" x="{_LEFT}" y="{_TOP}" width="{_WIDE}" height="{_HIGH}"/>'
    for value in ticks(*chart.y_limits, most=6):
        level = f"{frame.y(value):.1f}"
        yield f'<path class="grid" d="M{_LEFT},{level}H{right}"/>'
        yield f'<text x="{_LEFT - 8}" y="{level}" dy=".35em" text-anchor="end">{value:g}</text>'
    for value in ticks(*frame.x_limits, most=8):
        across = f"{frame.x(value):.1f}"
        yield f'<path class="axis" d="M{across},{bottom}v5"/>'
        yield f'<text x="{across}" y="{bottom + 19}" text-anchor="middle">{value:g}</text>'
    yield f'<path class="axis" d="M{_LEFT},{_TOP}V{bottom}H{right}"/>'
    yield f'<text x="{_LEFT - 40}" y="18">{escape(chart.y_label)}</text>'
    middle = _LEFT + _WIDE / 2
    yield f'<text x="{middle:g}" y="{_HEIGHT - 8}" text-anchor="middle">'
    yield f"{escape(chart.x_label)}</text>"


def _bands(chart: Chart, frame: _Frame) -> Iterator[str]:
    for known, run in groupby(chart.points, lambda point: point.interval is not None):
        if known:
            ends = [(point.x, *point.interval) for point in run if point.interval]
            above = [frame.at(x, high) for x, _, high in ends]
            below = [frame.at(x, low) for x, low, _ in reversed(ends)]
            yield f'<path class="band" d="M{"L".join(above + below)}z"/>'


def _lines(chart: Chart, frame: _Frame) -> Iterator[str]:
    for joined, run in groupby(chart.points, lambda point: point.y is not None):
        if joined:
            places = [frame.at(point.x, point.y) for point in run if point.y is not None]
            yield f'<path class="line" d="M{"L".join(places)}"/>'


def _markers(chart: Chart, frame: _Frame) -> Iterator[str]:
    for status, form in _FORMS.items():
        places = [
            frame.at(point.x, chart.y_limits[0] if point.y is None else point.y)
            for point in chart.points
            if point.status == status and (point.y is not None or status == "not_scored")
        ]
        if places:
            steps = "".join(f"M{place}{form}" for place in places)
            yield f'<path class="{status}" d="{steps}"/>'


def _legend(chart: Chart) -> Iterator[str]:
    seen = {point.status for point in chart.points}
    shown = [status for status in _FORMS if status in seen]
    for index, status in enumerate(reversed(shown)):
        left = _WIDTH - _RIGHT - _LEGEND_PX * (index + 1)
        yield f'<path class="{status}" d="M{left},14{_FORMS[status]}"/>'
        yield f'<text x="{left + 9}" y="18">{_WORDS[status]}</text>'
