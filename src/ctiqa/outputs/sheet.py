"""Lay what a run found out as sheets: columns of one kind each, rows, and what they are about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, TypeAlias, get_args, get_type_hints

from ctiqa.images.ct_slice import Acquisition, Identity
from ctiqa.outputs.tables import Report, known
from ctiqa.protocol.measured import FIGURES, Measured, MeasureReport
from ctiqa.scoring.columns import MEANING, PATIENT_COLUMNS
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

__all__ = ["Kind", "Sheet", "kinds_of", "series_of", "sheets_of", "table_of"]

SCHEMA_VERSION = 1

Kind: TypeAlias = type[str] | type[int] | type[float]

_PLACE: Mapping[str, Kind] = {
    "path": str,
    "sop_instance_uid": str,
    "z_mm": float,
    "score": float,
}
"""What a summary tells of the worst and the best slice of its series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table whose cells are plain: a text, a finite number, or None where nothing is known.

    It is a report of its own, so that whatever writes reports writes it, too.

    Args:
        kinds: what each column holds, by its name, in order.
        rows: the cells.
        about: what a reader has to know: the model, the meaning of its score, when it was written.
    """

    kinds: Mapping[str, Kind]
    rows: tuple[tuple[object, ...], ...]
    about: Mapping[str, str | int]

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns, in order."""
        return tuple(self.kinds)

    def table(self) -> Iterable[Iterable[object]]:
        """Return the cells of each row."""
        return self.rows

    def to_dict(self) -> dict[str, Any]:
        """Return the sheet as plain data that JSON can hold."""
        rows = [dict(zip(self.kinds, row, strict=True)) for row in self.rows]
        return {"schema_version": SCHEMA_VERSION, **self.about, "rows": rows}


def table_of(report: Report) -> Sheet:
    """Return the whole table of a report, its columns as CSV has them.

    Raises:
        TypeError: if nobody said what the columns of such a report hold.
    """
    if isinstance(report, Sheet):
        return report
    if isinstance(report, ScoreReport | MeasureReport):
        return _sheet(report, report.columns, report.table())
    raise TypeError(f"a {type(report).__name__} has no sheet")


def series_of(report: ScoreReport) -> Sheet:
    """Return one row for each series; its UIDs join it to the table of slices."""
    model = {"model": report.card.name, "model_sha256": report.model_sha256}
    kinds = _flat_kinds() | dict.fromkeys(model, str)
    for name in PATIENT_COLUMNS:
        kind = kinds.pop(name)
        if name in report.columns:
            kinds[name] = kind
    flat = [dict(_flattened(asdict(summary))) | model for summary in report.series]
    rows = tuple(tuple(known(row[name]) for name in kinds) for row in flat)
    return Sheet(kinds=kinds, rows=rows, about=_about(report))


def sheets_of(report: Report) -> dict[str, Sheet]:
    """Return the sheets of a report by their titles: slices, series and, of measurements, exams."""
    if isinstance(report, ScoreReport):
        return {"slices": table_of(report), "series": series_of(report)}
    if isinstance(report, MeasureReport):
        levels = {"slices": report.slices, "series": report.series, "exams": report.exams}
        return {
            title: _sheet(report, report.columns, (each.row().values() for each in rows))
            for title, rows in levels.items()
        }
    return {"series": table_of(report)}


def kinds_of(report: type[ScoreReport] | type[MeasureReport]) -> dict[str, Kind]:
    """Return what every column holds that the table of such a report can have."""
    if report is ScoreReport:
        return _hinted(SliceResult)
    figures: dict[str, Kind] = dict.fromkeys(FIGURES, float)
    return {**_hinted(Measured), **_hinted(Identity), **_hinted(Acquisition), **figures}


def _sheet(
    report: ScoreReport | MeasureReport, columns: Sequence[str], table: Iterable[Iterable[object]]
) -> Sheet:
    kinds = kinds_of(type(report))
    return Sheet(
        kinds={name: kinds[name] for name in columns},
        rows=tuple(tuple(map(known, row)) for row in table),
        about=_about(report),
    )


def _hinted(rows: type) -> dict[str, Kind]:
    """Return the kind of each field of a dataclass; what is no number is written as text."""
    return {name: _kind(hint) for name, hint in get_type_hints(rows).items()}


def _kind(hint: Any) -> Kind:
    options = (hint, *get_args(hint))
    return next((kind for kind in (float, int) if kind in options), str)


def _flattened(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if name in {"worst", "best"}:
            yield from ((f"{name}_{key}", (value or {}).get(key)) for key in _PLACE)
        else:
            yield name, "; ".join(value) if isinstance(value, tuple) else value


def _flat_kinds() -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for name, kind in _hinted(SeriesSummary).items():
        places = {f"{name}_{key}": each for key, each in _PLACE.items()}
        kinds |= places if name in {"worst", "best"} else {name: kind}
    return kinds


def _about(report: ScoreReport | MeasureReport) -> dict[str, str | int]:
    """Return what a reader of a sheet has to know."""
    scored: dict[str, str | int] = {"meaning": "measurements; the unit ends the name of a column"}
    if isinstance(report, ScoreReport):
        scored = {
            "meaning": MEANING,
            "model": report.card.name,
            "model_sha256": report.model_sha256,
        }
    written = datetime.now(UTC).isoformat(timespec="seconds")
    return {**scored, "step": report.step, "ctiqa": version("ctiqa"), "written": written}
