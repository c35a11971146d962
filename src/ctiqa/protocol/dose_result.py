"""Quality against dose, as plain data: points, curves, and what they rest on."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from ctiqa.images.refusal import Refusal
from ctiqa.measures.agreement import Interval
from ctiqa.protocol.lowest_dose import Answer, Goal
from ctiqa.scoring.columns import MEANING

__all__ = ["ASSUMPTIONS", "COLUMNS", "DoseCurve", "DoseCurves", "DosePoint"]

SCHEMA_VERSION = 1

ASSUMPTIONS = (
    "same tube voltage, and tube current modulation of the same shape at every dose",
    "same reconstruction, by filtered back-projection; an iterative one is not followed",
    "quanta calibrated on the noise that this scan shows, in a parallel-beam model of one slice",
    "intervals hold for other slices of this scan, not for other patients or scanners",
    "a score is no statement about diagnosis: try a lower dose only as your physicist decides",
)
"""What every curve takes for granted, in words."""

COLUMNS = (
    "series_instance_uid",
    "dose_fraction",
    "score",
    "score_low",
    "score_high",
    "noise_hu",
    "slices",
    "noise_law_ratio",
)
"""Columns of the table, in order; later versions add to its end and rename none."""

MODEL_COLUMNS = ("model_low", "model_high")
"""Columns that follow where the model tells an interval of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DosePoint:
    """One dose of a curve; None where nothing is known.

    Args:
        dose_fraction: of the scan's own dose.
        score: mean over the slices.
        score_low: lower end of its 95 % interval over slices; ``score_high`` likewise.
        noise_hu: median over the slices of the measured global noise.
        slices: how many were scored.
        noise_law_ratio: median over the slices of the noise over what quanta alone would make of
            the full-dose noise, noise / sqrt(dose).
        model_low: mean lower end of the model's own intervals; ``model_high`` likewise.
    """

    dose_fraction: float
    score: float
    score_low: float
    score_high: float
    noise_hu: float | None
    slices: int
    noise_law_ratio: float | None
    model_low: float | None = None
    model_high: float | None = None

    @property
    def dose_by_noise(self) -> float | None:
        """The fraction of the dose that the measured noise suggests, by noise ~ 1/sqrt(dose)."""
        ratio = self.noise_law_ratio
        return None if not ratio else self.dose_fraction / ratio**2


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseCurve:
    """Quality against dose of one series.

    Args:
        source: path of its first slice, relative to the input that the user gave.
        points: from full dose down.
        answer: the lowest dose that keeps the wanted score.
        quanta: fewest and most photons per unattenuated ray that the slices show.
        notes: what makes the curve doubtful, in words.
        refusals: slices that could not be read, with the reason.
    """

    study_instance_uid: str
    series_instance_uid: str
    source: str
    points: tuple[DosePoint, ...]
    answer: Answer
    quanta: Interval
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as plain data; where JSON knows no infinity, null."""
        low, high = self.answer.interval
        return {
            "study_instance_uid": self.study_instance_uid,
            "series_instance_uid": self.series_instance_uid,
            "source": self.source,
            "quanta": list(self.quanta),
            "lowest_dose": {
                "threshold": self.answer.threshold,
                "dose_fraction": self.answer.dose_fraction,
                "at_least": self.answer.low,
                "at_most": _finite(self.answer.high),
                "interval_low": low,
                "interval_high": _finite(high),
            },
            "points": [
                {**asdict(point), "dose_by_noise": point.dose_by_noise} for point in self.points
            ],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseCurves:
    """Everything that one run found: a curve for each series, and what has none.

    Args:
        curves: in the order of the series.
        refusals: files that could not be used and series that had too few slices.
        goal: the score that was to be kept.
        step: every how many slices of a series one was taken.
        seed: of all that was drawn.
        model: its name.
        model_sha256: of its file.
    """

    curves: tuple[DoseCurve, ...]
    refusals: tuple[Refusal, ...]
    goal: Goal
    step: int
    seed: int
    model: str
    model_sha256: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its table: the model's own interval only where it tells one."""
        known = any(point.model_low is not None for one in self.curves for point in one.points)
        return (*COLUMNS, *(MODEL_COLUMNS if known else ()))

    def table(self) -> Iterable[Iterable[object]]:
        """Return the cells of each dose of each curve, in :attr:`columns`."""
        columns = self.columns
        for curve in self.curves:
            series = {"series_instance_uid": curve.series_instance_uid}
            for point in curve.points:
                values = series | asdict(point)
                yield [values[name] for name in columns]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data that JSON can hold."""
        return {
            "schema_version": SCHEMA_VERSION,
            "meaning": MEANING,
            "assumptions": list(ASSUMPTIONS),
            "goal": asdict(self.goal),
            "step": self.step,
            "seed": self.seed,
            "model": {"name": self.model, "sha256": self.model_sha256},
            "curves": [curve.to_dict() for curve in self.curves],
            "refused": [{"path": one.path, "reason": one.reason} for one in self.refusals],
        }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
