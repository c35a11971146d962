"""Draw score and noise along the table for the page of a series."""

from collections.abc import Sequence

from ctiqa.outputs.report_words import interval
from ctiqa.outputs.svg_chart import Chart, Point, as_svg
from ctiqa.scoring.result import SliceResult

__all__ = ["noise_chart", "score_chart"]


def score_chart(rows: Sequence[SliceResult]) -> str:
    """Return the scores of a series as an ``svg`` element, intervals round them where told.

    Args:
        rows: in the order of the series, at least one with a score.
    """
    scores = [row.score for row in rows if row.score is not None]
    points = [
        Point(x, row.score, row.status, interval(row))
        for x, row in zip(_places(rows), rows, strict=True)
    ]
    return as_svg(
        Chart(
            key="score",
            title="Score along the table",
            description=_walk(scores, ".2f"),
            points=points,
            x_label=_x_label(rows),
            y_label="score",
            y_limits=(0.0, 1.0),
        )
    )


def noise_chart(rows: Sequence[SliceResult]) -> str:
    """Return the noise of a series as an ``svg`` element, "" where none was measured."""
    noise_hu = [row.noise_hu for row in rows if row.noise_hu is not None]
    if not noise_hu:
        return ""
    points = [
        Point(x, row.noise_hu, row.status) for x, row in zip(_places(rows), rows, strict=True)
    ]
    return as_svg(
        Chart(
            key="noise",
            title="Global noise along the table",
            description=_walk(noise_hu, ".1f", " HU"),
            points=points,
            x_label=_x_label(rows),
            y_label="global noise in HU",
            y_limits=(0.0, max(1.1 * max(noise_hu), 1.0)),
        )
    )


def _walk(values: Sequence[float], form: str, unit: str = "") -> str:
    """Say what a line does, for whoever cannot see it."""
    ends = (values[0], values[-1], min(values), max(values))
    first, last, low, high = (f"{value:{form}}{unit}" for value in ends)
    return f"From {first} to {last}; lowest {low}, highest {high}."


def _places(rows: Sequence[SliceResult]) -> list[float]:
    """Return where the slices lie along the table; where that is unknown, which one each is."""
    if all(row.z_mm is not None for row in rows):
        return [row.z_mm or 0.0 for row in rows]
    return [float(number) for number, _ in enumerate(rows, start=1)]


def _x_label(rows: Sequence[SliceResult]) -> str:
    known = all(row.z_mm is not None for row in rows)
    return "table position in mm" if known else "number of the slice"
