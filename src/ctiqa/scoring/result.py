"""Slice and series results, as plain data."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from statistics import fmean, median, quantiles
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias, get_args, get_type_hints

from ctiqa.card import Card
from ctiqa.errors import CtiqaError
from ctiqa.scoring.calibration import Calibration
from ctiqa.scoring.columns import (
    COLUMNS,
    INTERVAL_COLUMNS,
    MEANING,
    OPTIONAL_COLUMNS,
    PART_COLUMNS,
    PATIENT_COLUMNS,
    READER_COLUMNS,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ScoreReport", "SeriesSummary", "SliceResult", "Status"]

SCHEMA_VERSION = 1

Status: TypeAlias = Literal["ok", "caution", "not_scored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """What is known about one image after scoring; None or "" where nothing is.

    Args:
        path: relative to the input that the user gave.
        frame: counts from 1 in a multi-frame file.
        score: mean of the members, clipped to [0, 1]; higher is better; None if not scored.
        members: what the network returned, neither clipped nor averaged.
        noise_hu: global noise; None where the slice shows too little soft tissue.
        status: "ok", "caution" (read the reasons first) or "not_scored".
        reasons: in words.
        acquired: the day of the scan, ISO 8601.
        score_noise: the part of the score that noise decides, clipped to [0, 1]; None where the
            model does not tell it. ``score_sharpness`` and ``score_streaks`` likewise.
        score_low: lower end of the interval that holds the label of 90 % of such images (the card
            tells the exact share); None where the model does not know. ``score_high`` likewise.
        reader_score: what readers would say, on their scale; None without a calibration.
        reader_low: lower end of its interval; ``reader_high`` likewise.
        patient_hash: equal for all visits of a patient, "" where the header names none; None where
            nobody gave a secret.
    """

    path: str
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    instance_number: int | None = None
    frame: int | None = None
    z_mm: float | None = None
    score: float | None = None
    members: tuple[float, ...] = ()
    noise_hu: float | None = None
    status: Status
    reasons: tuple[str, ...] = ()
    kvp: float | None = None
    tube_current_ma: float | None = None
    ctdivol_mgy: float | None = None
    kernel: str = ""
    slice_thickness_mm: float | None = None
    pixel_mm: float | None = None
    manufacturer: str = ""
    scanner: str = ""
    body_part: str = ""
    acquired: str = ""
    model: str = ""
    model_sha256: str = ""
    score_noise: float | None = None
    score_sharpness: float | None = None
    score_streaks: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    reader_score: float | None = None
    reader_low: float | None = None
    reader_high: float | None = None
    patient_hash: str | None = None

    def row(self, columns: Iterable[str] = COLUMNS) -> dict[str, Any]:
        """Return the columns of a table, in order, the reasons joined with "; "."""
        values = asdict(self) | {"reasons": "; ".join(self.reasons)}
        return {name: values[name] for name in columns}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSummary:
    """One series in a few numbers; None where nothing in it was scored.

    Args:
        slices: images of the series that were looked at.
        scored: how many of them carry a score, with or without caution.
        caution: how many of those want their reasons read first.
        not_scored: the others.
        score_p5: 5th percentile of the scores; ``score_p95`` likewise.
        worst: path, SOP Instance UID, z and score of the lowest score; ``best`` likewise.
        notes: what the reader saw in the series as a whole (repeated positions, a tilt).
        patient_hash: as in :class:`SliceResult`.
    """

    study_instance_uid: str
    series_instance_uid: str
    slices: int
    scored: int
    caution: int
    not_scored: int
    score_median: float | None = None
    score_mean: float | None = None
    score_p5: float | None = None
    score_p95: float | None = None
    noise_hu_median: float | None = None
    worst: dict[str, Any] | None = None
    best: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    patient_hash: str | None = None

    @classmethod
    def of(cls, results: Iterable[SliceResult], *, notes: tuple[str, ...] = ()) -> Self:
        """Return the summary of the results of one series, at least one."""
        rows = list(results)
        scored = [row for row in rows if row.score is not None]
        scores = [row.score for row in scored if row.score is not None]
        noise = [row.noise_hu for row in rows if row.noise_hu is not None]
        # The standard library knows no quantiles of one value; of the value twice it does.
        ranks = (
            quantiles(scores * 2 if len(scores) == 1 else scores, n=20, method="inclusive")
            if scores
            else None
        )
        ordered = sorted(scored, key=lambda row: row.score or 0.0)
        return cls(
            study_instance_uid=rows[0].study_instance_uid,
            series_instance_uid=rows[0].series_instance_uid,
            slices=len(rows),
            scored=len(scored),
            caution=sum(row.status == "caution" for row in rows),
            not_scored=len(rows) - len(scored),
            score_median=median(scores) if scores else None,
            score_mean=fmean(scores) if scores else None,
            score_p5=ranks[0] if ranks else None,
            score_p95=ranks[-1] if ranks else None,
            noise_hu_median=median(noise) if noise else None,
            worst=_place(ordered[0]) if ordered else None,
            best=_place(ordered[-1]) if ordered else None,
            notes=notes,
            patient_hash=rows[0].patient_hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReport:
    """Everything that one scoring run found: a row for each image, a summary for each series.

    Args:
        slices: in the order of the series and their slices, then the images that were refused.
        series: one summary each.
        card: of the model that scored.
        model_sha256: of its file.
        step: every how many slices of a series one was scored.
        calibration: what maps the scores to readers' grades; None where nobody gave one.
    """

    slices: tuple[SliceResult, ...]
    series: tuple[SeriesSummary, ...]
    card: Card
    model_sha256: str
    step: int = 1
    calibration: Calibration | None = None

    score_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    higher_is_better: ClassVar[bool] = True

    def __len__(self) -> int:
        """Return how many images there are, refused ones included."""
        return len(self.slices)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its table; those after :data:`COLUMNS` only where they hold something."""
        parts = (PART_COLUMNS[part] for part in self.card.parts if part in PART_COLUMNS)
        interval = INTERVAL_COLUMNS if self.card.interval else ()
        readers = READER_COLUMNS if self.calibration else ()
        hashed = any(row.patient_hash is not None for row in self.slices)
        return (*COLUMNS, *parts, *interval, *readers, *(PATIENT_COLUMNS if hashed else ()))

    @property
    def refused(self) -> tuple[SliceResult, ...]:
        """The images that carry no score."""
        return tuple(row for row in self.slices if row.status == "not_scored")

    def by_series(self) -> Iterator[tuple[SeriesSummary, tuple[SliceResult, ...]]]:
        """Yield each summary with the rows that it sums up."""
        first = 0
        for summary in self.series:
            yield summary, self.slices[first : first + summary.slices]
            first += summary.slices

    def table(self) -> Iterable[Iterable[object]]:
        """Return the cells of each image's row, in :attr:`columns`."""
        columns = self.columns
        return (row.row(columns).values() for row in self.slices)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data that JSON can hold."""
        model = self.card.to_dict()
        del model["schema_version"], model["recipe"]
        # An uncalibrated score has nothing to do with readers, not even the names of columns.
        hidden = OPTIONAL_COLUMNS.difference(self.columns)
        slices = [_without(asdict(row), hidden) for row in self.slices]
        calibrated = {} if self.calibration is None else {"calibration": self.calibration.to_dict()}
        return {
            "schema_version": SCHEMA_VERSION,
            "meaning": MEANING,
            "score_range": list(self.score_range),
            "higher_is_better": self.higher_is_better,
            "step": self.step,
            "model": {"name": self.card.name, "sha256": self.model_sha256, "card": model},
            **calibrated,
            "series": [_without(asdict(summary), hidden) for summary in self.series],
            "slices": slices,
        }

    def to_dataframe(self) -> "pd.DataFrame":
        """Return one row for each image, in :attr:`columns`.

        Raises:
            CtiqaError: if pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415  # an extra, and slow to import
        except ImportError as error:
            raise CtiqaError(
                "a table of results needs pandas: pip install 'ctiqa[table]', or use to_dict()"
            ) from error
        columns = self.columns
        frame = pd.DataFrame([row.row(columns) for row in self.slices], columns=list(columns))
        hints = get_type_hints(SliceResult)
        numbers = [name for name in columns if float in get_args(hints[name])]
        return frame.astype(dict.fromkeys(numbers, float) | {"instance_number": "Int64"})


def _without(row: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _place(row: SliceResult) -> dict[str, Any]:
    """Return where a slice is and what it scored."""
    return {
        "path": row.path,
        "sop_instance_uid": row.sop_instance_uid,
        "z_mm": row.z_mm,
        "score": row.score,
    }
