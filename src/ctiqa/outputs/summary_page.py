"""Draw a series' summary as one grey page: numbers, scores along the table, two slices."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.window import SOFT_TISSUE
from ctiqa.outputs.picture import Panel, drawn
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

__all__ = ["Extreme", "summary_page"]

Extreme: TypeAlias = tuple[SliceResult, FloatImage]
"""The result of a slice, and the slice in HU."""

GreyImage: TypeAlias = npt.NDArray[np.uint8]

_PAPER, _INK, _GRID = 0, 235, 70
_NARROWEST: Final = 1000
_MARGIN, _LINE, _TITLE_PX, _TEXT_PX, _SMALL_PX = 24, 34, 32, 24, 18
_CHART_HEIGHT, _AXIS_LEFT, _AXIS_BELOW = 300, 80, 70
_DOT = 4
_TICKS = 5


def summary_page(
    report: ScoreReport,
    summary: SeriesSummary,
    rows: Sequence[SliceResult],
    *,
    worst: Extreme,
    best: Extreme,
) -> GreyImage:
    """Return the page, (rows, columns) uint8; here numbers are rounded, and only here.

    Nothing on it says who the patient is, or when.

    Args:
        report: tells the model.
        summary: of the series.
        rows: its results, at least one with a score.
        worst: the slice with the lowest score.
        best: the slice with the highest.
    """
    slices = drawn(
        [Panel(hu, _caption(name, row)) for name, (row, hu) in (("worst", worst), ("best", best))],
        window=SOFT_TISSUE,
    )
    words = _words(report, summary)
    width = max(slices.width, _NARROWEST) + 2 * _MARGIN
    chart_top = _MARGIN + _TITLE_PX + _LINE * (len(words) + 1)
    slices_top = chart_top + _CHART_HEIGHT + _AXIS_BELOW + _MARGIN
    page = Image.new("L", (width, slices_top + slices.height + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, _MARGIN), "CT image quality", _INK, ImageFont.load_default(_TITLE_PX))
    font = ImageFont.load_default(_TEXT_PX)
    for place, line in enumerate(words):
        pen.text((_MARGIN, _MARGIN + _TITLE_PX + _LINE * (place + 0.4)), line, _INK, font)
    box = (_MARGIN + _AXIS_LEFT, chart_top, width - _MARGIN, chart_top + _CHART_HEIGHT)
    _chart(pen, rows, box)
    page.paste(slices, ((width - slices.width) // 2, slices_top))
    return np.asarray(page)


def _words(report: ScoreReport, summary: SeriesSummary) -> tuple[str, ...]:
    middle = f"median {summary.score_median:.3f}, mean {summary.score_mean:.3f}"
    spread = f"5th to 95th percentile {summary.score_p5:.3f} to {summary.score_p95:.3f}"
    noise = summary.noise_hu_median
    counts = f"{summary.scored} scored, {summary.caution} of them with caution"
    model = f"{report.card.name} (sha256 {report.model_sha256[:12]})"
    return (
        f"score: {middle}, {spread}",
        f"noise: {'unknown' if noise is None else f'median {noise:.1f} HU'}",
        f"{summary.slices} slices: {counts}, {summary.not_scored} not scored",
        f"model {model}, ctiqa {version('ctiqa')}",
        "Score in [0, 1], higher is better. Research and quality assurance, no medical device.",
    )


def _caption(name: str, row: SliceResult) -> tuple[str, ...]:
    noise = "" if row.noise_hu is None else f", noise {row.noise_hu:.1f} HU"
    place = "" if row.z_mm is None else f"z {row.z_mm:.1f} mm"
    image = "" if row.instance_number is None else f"image {row.instance_number}"
    frame = "" if row.frame is None else f"frame {row.frame}"
    return f"{name}: score {row.score:.3f}{noise}", ", ".join(filter(None, (image, frame, place)))


def _chart(
    pen: ImageDraw.ImageDraw, rows: Sequence[SliceResult], box: tuple[float, float, float, float]
) -> None:
    """Draw the scores along the table, over the whole range of a score, so that pages compare."""
    left, top, right, bottom = box
    small = ImageFont.load_default(_SMALL_PX)
    scored = [(row, row.score) for row in rows if row.score is not None]
    positions = [row.z_mm for row, _ in scored if row.z_mm is not None]
    known = len(positions) == len(scored)
    places = positions if known else [float(place) for place in range(1, len(scored) + 1)]
    low, high = min(places), max(places)
    for level in np.linspace(0, 1, _TICKS).tolist():
        y = bottom - (bottom - top) * level
        pen.line((left, y, right, y), _GRID)
        pen.text((left - 10, y), f"{level:.2f}", _INK, small, anchor="rm")
    for share in np.linspace(0, 1, _TICKS if high > low else 1).tolist():
        x = left + (right - left) * (share if high > low else 0.5)
        pen.text((x, bottom + 8), f"{low + (high - low) * share:.0f}", _INK, small, anchor="ma")
    pen.rectangle(box, outline=_INK)
    for place, (row, score) in zip(places, scored, strict=True):
        x = left + (right - left) * ((place - low) / (high - low) if high > low else 0.5)
        y = bottom - (bottom - top) * score
        fill = _PAPER if row.status == "caution" else _INK
        pen.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill, _INK)
    along = "position along the table in mm" if known else "slice"
    words = f"score over {along}; hollow: with caution"
    pen.text(((left + right) / 2, bottom + 36), words, _INK, small, anchor="ma")
