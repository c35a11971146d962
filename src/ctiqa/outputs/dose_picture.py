"""Draw dose curves as one PNG: score against dose, the score wanted, the dose that keeps it."""

import math
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ctiqa.files import write_whole
from ctiqa.outputs.dose_words import goal_words, percent
from ctiqa.protocol.dose_result import DoseCurve, DoseCurves
from ctiqa.protocol.lowest_dose import Answer, Goal

__all__ = ["as_png", "write_picture"]

_SIZE = (960, 640)
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 40, 60, 110
_WIDTH, _HEIGHT = _SIZE[0] - _LEFT - _RIGHT, _SIZE[1] - _TOP - _BOTTOM
_PAPER, _INK, _GRID = "white", "#202020", "#d8d8d8"
# Distinct for colour-blind eyes and in grey (Okabe and Ito 2008).
_CURVE, _BAND, _ANSWER = "#0072b2", "#cfe3f1", "#d55e00"
_LABEL_PX = 64
_GRID_STEP = 0.1
_DASH_PX = 8
_TITLE_LETTERS = 60

Point = tuple[float, float]


def as_png(curves: DoseCurves) -> bytes:
    """Return all curves, one below the other, as PNG."""
    picture = Image.new("RGB", (_SIZE[0], _SIZE[1] * len(curves.curves)), _PAPER)
    for place, curve in enumerate(curves.curves):
        picture.paste(_panel(curve, curves.goal), (0, place * _SIZE[1]))
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def write_picture(curves: DoseCurves, path: Path) -> None:
    """Write the curves as :func:`as_png` has them.

    Raises:
        WriteError: if the file could not be written whole; nothing is left of it then.
    """
    write_whole(path, as_png(curves))


def _panel(curve: DoseCurve, goal: Goal) -> Image.Image:
    panel = Image.new("RGB", _SIZE, _PAPER)
    pen = ImageDraw.Draw(panel)
    pen.font = ImageFont.load_default(17)  # of every text that follows
    axes = _Axes(curve)
    band = [axes.at(point.dose_fraction, point.score_low) for point in curve.points]
    band += [axes.at(point.dose_fraction, point.score_high) for point in curve.points[::-1]]
    if len(curve.points) > 1:
        pen.polygon(band, _BAND)
    _frame(pen, axes, curve)
    _answer(pen, axes, curve.answer, goal_words(goal, curve.answer.threshold))
    points = [axes.at(point.dose_fraction, point.score) for point in curve.points]
    pen.line(points, _CURVE, 3, joint="curve")
    for x, y in points:
        pen.ellipse((x - 4, y - 4, x + 4, y + 4), _CURVE)
    return panel


class _Axes:
    """Where a dose and a score lie in a panel: dose logarithmic, score linear and never cut."""

    def __init__(self, curve: DoseCurve) -> None:
        threshold = curve.answer.threshold
        low = min(threshold, *(point.score_low for point in curve.points))
        high = max(threshold, *(point.score_high for point in curve.points))
        self.low = _GRID_STEP * math.floor(low / _GRID_STEP)
        self.high = _GRID_STEP * max(math.ceil(high / _GRID_STEP), round(self.low / _GRID_STEP) + 1)
        # A margin at the full dose keeps its point off the frame; one dose alone needs a span.
        self.left = math.log(0.92 * min(0.8, curve.points[-1].dose_fraction))
        self.right = math.log(1.08)

    def at(self, dose_fraction: float, score: float) -> Point:
        """Return the pixel of a point; doses that are off the panel lie on its frame."""
        log_dose = math.log(dose_fraction) if dose_fraction > 0 else self.left
        across = (min(max(log_dose, self.left), self.right) - self.left) / (self.right - self.left)
        down = (self.high - score) / (self.high - self.low)
        return _LEFT + _WIDTH * across, _TOP + _HEIGHT * down


def _frame(pen: ImageDraw.ImageDraw, axes: _Axes, curve: DoseCurve) -> None:
    bottom = _TOP + _HEIGHT
    for score in np.arange(axes.low, axes.high + _GRID_STEP / 2, _GRID_STEP):
        _, y = axes.at(1, float(score))
        pen.line((_LEFT, y, _LEFT + _WIDTH, y), _GRID)
        pen.text((_LEFT - 10, y), f"{score:.1f}", _INK, anchor="rm")
    labelled = math.inf
    for point in curve.points:
        x, _ = axes.at(point.dose_fraction, axes.low)
        pen.line((x, bottom, x, bottom + 6), _INK)
        if labelled - x >= _LABEL_PX:
            labelled = x
            pen.text((x, bottom + 10), percent(point.dose_fraction), _INK, anchor="ma")
            noise = "-" if point.noise_hu is None else f"{point.noise_hu:.0f} HU"
            pen.text((x, bottom + 32), noise, _INK, anchor="ma")
    pen.rectangle((_LEFT, _TOP, _LEFT + _WIDTH, bottom), outline=_INK)
    words = "dose, as a share of the scan's own; below it the median noise"
    pen.text((_LEFT + _WIDTH / 2, _SIZE[1] - 14), words, _INK, anchor="mb")
    pen.text((_LEFT, _TOP - 14), "score, with 95 % interval over slices", _INK, anchor="lb")
    title = f"{curve.source[-_TITLE_LETTERS:]}, {curve.points[0].slices} slices"
    pen.text((_LEFT + _WIDTH, _TOP - 14), title, _INK, anchor="rb")


def _answer(pen: ImageDraw.ImageDraw, axes: _Axes, answer: Answer, wanted: str) -> None:
    """Draw the threshold, and where the curve crosses it with its interval on the axis."""
    bottom = _TOP + _HEIGHT
    _, level = axes.at(1, answer.threshold)
    _dashes(pen, (_LEFT, level), (_LEFT + _WIDTH, level))
    pen.text((_LEFT + 10, level - 6), wanted, _ANSWER, anchor="lb")
    low, _ = axes.at(answer.interval.low, axes.low)
    high, _ = axes.at(answer.interval.high, axes.low)
    pen.line((low, bottom - 4, high, bottom - 4), _ANSWER, 7)
    if answer.dose_fraction is not None:
        x, _ = axes.at(answer.dose_fraction, axes.low)
        _dashes(pen, (x, level), (x, bottom))
        words = f"{percent(answer.dose_fraction)} of the dose"
        side = "lb" if x < _LEFT + _WIDTH / 2 else "rb"
        pen.text((x + (8 if side == "lb" else -8), bottom - 14), words, _ANSWER, anchor=side)


def _dashes(pen: ImageDraw.ImageDraw, begin: Point, end: Point) -> None:
    """Draw a dashed line, across or down."""
    length = math.dist(begin, end)
    ends = np.linspace(begin, end, max(2, 2 * round(length / (2 * _DASH_PX))))
    for x0, y0, x1, y1 in ends.reshape(-1, 4).tolist():
        pen.line((x0, y0, x1, y1), _ANSWER, 2)
