"""What a scoring run found, in words for people; here numbers are rounded."""

from collections import Counter

from ctiqa.cli.console import stderr
from ctiqa.scoring.calibration import Calibration
from ctiqa.scoring.columns import MEANING
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

__all__ = ["summarise"]

_SHOWN = 10
"""Images and reasons that are named without -v; all of them stand in the table."""


def summarise(report: ScoreReport, *, verbose: bool) -> None:
    """Say on stderr what was found: each series, what was not scored, what to be careful with.

    Args:
        report: of a run.
        verbose: name every image and reason, not the first ten alone.
    """
    console = stderr()
    sha256 = report.model_sha256[:12]
    console.print(f"{MEANING.capitalize()}. Model {report.card.name} (sha256 {sha256}...).")
    for series in report.series:
        console.print("\n".join(_series_lines(series)))
    if report.calibration is not None:
        console.print("\n".join(_calibration_lines(report, report.calibration)))
    refused = report.refused if verbose else report.refused[:_SHOWN]
    for row in refused:
        console.print(f"Not scored: {row.path}: {'; '.join(row.reasons)}")
    if len(report.refused) > len(refused):
        console.print(f"... and {len(report.refused) - len(refused)} more not scored (-v)")
    cautions = Counter(reason for row in report.slices for reason in _cautions(row))
    for reason, count in cautions.most_common(None if verbose else _SHOWN):
        console.print(f"Caution ({count} of {len(report)}): {reason}")
    if not verbose and len(cautions) > _SHOWN:
        console.print(f"... and {len(cautions) - _SHOWN} more reasons (-v)")


def _cautions(row: SliceResult) -> tuple[str, ...]:
    return row.reasons if row.status == "caution" else ()


def _calibration_lines(report: ScoreReport, calibration: Calibration) -> list[str]:
    low, high = calibration.scale
    graded = f"{calibration.images} images of {calibration.patients} patients"
    whom = f"reader_low to reader_high holds {calibration.level:.0%} of grades of new patients"
    lines = [f"Readers' grades, {low:g} to {high:g}, as {graded} were graded; {whom}."]
    scores = [row.score for row in report.slices if row.score is not None]
    if strange := sum(not calibration.knows(score) for score in scores):
        first, last = calibration.score_range
        lines.append(
            f"Caution: {strange} of {len(scores)} scores lie outside those of the graded images "
            f"({first:.3f} to {last:.3f}); their grades are guesses."
        )
    return lines + [f"Caution: {note}" for note in calibration.notes]


def _series_lines(series: SeriesSummary) -> list[str]:
    """Return a series in a few lines for people; here numbers are rounded, and only here."""
    name = series.series_instance_uid or "without UID"
    counts = f"{series.scored} scored, {series.caution} with caution"
    lines = [f"Series {name}: {series.slices} slices, {counts}, {series.not_scored} not scored"]
    if series.worst is not None and series.best is not None:
        noise = "unknown" if series.noise_hu_median is None else f"{series.noise_hu_median:.1f} HU"
        middle = f"median {series.score_median:.3f}, mean {series.score_mean:.3f}"
        spread = f"5th to 95th percentile {series.score_p5:.3f} to {series.score_p95:.3f}"
        worst = f"worst {series.worst['score']:.3f} ({series.worst['path']})"
        best = f"best {series.best['score']:.3f} ({series.best['path']})"
        lines += [f"  score: {middle}, {spread}; noise: median {noise}", f"  {worst}, {best}"]
    return lines + [f"  note: {note}" for note in series.notes]
