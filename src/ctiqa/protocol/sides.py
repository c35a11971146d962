"""One side of a comparison: the scored slices of a scan or of a table of scores, by series."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from ctiqa.errors import ReadError, TableError
from ctiqa.images.find import is_nifti
from ctiqa.images.series import read
from ctiqa.scoring.intake import behind_rows
from ctiqa.scoring.predict import Progress, score
from ctiqa.scoring.result import SliceResult, Status
from ctiqa.scoring.scorer import Scorer

__all__ = ["TABLES", "ScoredSeries", "Side", "side_of_scan", "side_of_table"]

TABLES = (".csv", ".json")
"""How the name of a table of scores ends."""

_WORDS = (
    "path",
    "study_instance_uid",
    "series_instance_uid",
    "sop_instance_uid",
    "kernel",
    "body_part",
    "model",
    "model_sha256",
)
_NUMBERS = ("z_mm", "score", "noise_hu", "slice_thickness_mm", "pixel_mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSeries:
    """The slices of one series that carry a score and a place, in order along the table.

    Args:
        name: Series Instance UID; where there is none, the file or folder.
        rows: with ``z_mm`` and ``score``, by rising z.
        frame_of_reference_uid: "" where a table or a file does not tell it.
        normal: unit vector along which z rises; None where a table does not tell it.
    """

    name: str
    rows: tuple[SliceResult, ...]
    frame_of_reference_uid: str = ""
    normal: tuple[float, float, float] | None = None

    @property
    def study_instance_uid(self) -> str:
        """UID of the study, "" where nobody names it."""
        return self.rows[0].study_instance_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is compared with another of its kind.

    Args:
        name: the scan or the table, as the user called it.
        series: at least one.
        left_out: images without a score or a position.
        model: its name; ``model_sha256`` that of its file.
    """

    name: str
    series: tuple[ScoredSeries, ...]
    left_out: int
    model: str
    model_sha256: str


def side_of_scan(
    path: Path, scorer: Scorer, *, threads: int | None = None, progress: Progress | None = None
) -> Side:
    """Score a scan.

    Args:
        path: a file, folder or zip.
        scorer: the model.
        threads: how many score; None for one a core.
        progress: is told how far it has come.

    Raises:
        ReadError: if no slice of it has a score and a position.
    """
    reading = read(path, size=scorer.card.size)
    headers = behind_rows(reading)
    rows = score(reading, model=scorer, threads=threads, progress=progress).slices
    kept = [row for row in rows if row.score is not None and row.z_mm is not None]
    if not kept:
        reasons = "; ".join(next((row.reasons for row in rows if row.reasons), ()))
        raise ReadError(
            f"{path} holds no slice that has a score and a position"
            f"{f' ({reasons})' if reasons else ''}; name a scan of axial CT slices"
        )

    def whereabouts(row: SliceResult) -> tuple[str, tuple[float, float, float] | None]:
        header = headers[row.path, row.frame]
        return header.frame_of_reference_uid, header.normal

    return _side(path, kept, left_out=len(rows) - len(kept), whereabouts=whereabouts)


def side_of_table(path: Path) -> Side:
    """Read what ``ctiqa score -o`` wrote, CSV or JSON by its name.

    Raises:
        TableError: if it cannot be read, lacks a column, holds no slice with score and position,
            or scores of several models.
    """
    rows = [_row(cells, where) for where, cells in _lines(path)]
    kept = [row for row in rows if row.score is not None and row.z_mm is not None]
    if not kept:
        raise TableError(
            f"{path} holds no slice that has a score and a position (z_mm); name another table"
        )
    if len({row.model_sha256 for row in kept}) > 1:
        raise TableError(f"{path} mixes scores of several models; score all with one model")
    return _side(path, kept, left_out=len(rows) - len(kept), whereabouts=lambda _row: ("", None))


def _side(
    path: Path,
    rows: list[SliceResult],
    *,
    left_out: int,
    whereabouts: Callable[[SliceResult], tuple[str, tuple[float, float, float] | None]],
) -> Side:
    """Return the rows by series: what shares a name, a frame of reference and a direction."""
    groups: dict[tuple[Any, ...], list[SliceResult]] = {}
    for row in rows:
        frame, normal = whereabouts(row)
        rounded = normal and tuple(round(part, 2) for part in normal)
        groups.setdefault((row.study_instance_uid, _name(row), frame, rounded), []).append(row)
    series = tuple(
        ScoredSeries(
            name=name,
            rows=tuple(sorted(members, key=_z_mm)),
            frame_of_reference_uid=frame,
            normal=normal,
        )
        for (_, name, frame, normal), members in groups.items()
    )
    return Side(
        name=str(path),
        series=series,
        left_out=left_out,
        model=rows[0].model,
        model_sha256=rows[0].model_sha256,
    )


def _name(row: SliceResult) -> str:
    nameless = row.path if is_nifti(row.path) else str(PurePath(row.path).parent)
    return row.series_instance_uid or nameless


def _z_mm(row: SliceResult) -> float:
    return row.z_mm or 0.0


def _lines(path: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Return each row of a table with words for where it stands."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 text; make it again with 'ctiqa score'") from error
    except OSError as error:
        raise TableError(f"{path} cannot be read ({error.strerror}); name another file") from error
    if path.suffix.lower() == ".csv":
        return _csv_lines(path, text)
    try:
        rows = json.loads(text)["slices"]
        return [(f"{path}, slice {number}", dict(row)) for number, row in enumerate(rows, start=1)]
    except (TypeError, ValueError, KeyError) as error:
        raise TableError(
            f"{path} is not what 'ctiqa score -o' writes as JSON; make it again"
        ) from error


def _csv_lines(path: Path, text: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    lines = csv.DictReader(io.StringIO(text, newline=""))
    try:
        found = [(f"{path}, line {lines.line_num}", cells) for cells in lines]
    except csv.Error as error:
        raise TableError(
            f"{path} is not CSV ({error}); make it again with 'ctiqa score'"
        ) from error
    for where, cells in found:
        # Marks of a line that is too long, and of one that is too short.
        if None in cells or None in cells.values():
            raise TableError(f"{where} has not as many cells as the header; mend the line")
    return found


def _row(cells: Mapping[str, Any], where: str) -> SliceResult:
    missing = [name for name in (*_WORDS, *_NUMBERS, "reasons") if name not in cells]
    if missing:
        raise TableError(
            f"{where} has no {' and no '.join(missing)}; make the table with 'ctiqa score -o'"
        )
    numbers = {name: _number(cells[name], name, where) for name in _NUMBERS}
    said = cells["reasons"]
    reasons = tuple(filter(None, said.split("; ") if isinstance(said, str) else said or ()))
    facts: dict[str, Any] = {name: str(cells[name] or "") for name in _WORDS} | numbers
    status: Status = "caution" if reasons else "ok"
    return SliceResult(**facts, status=status, reasons=reasons)


def _number(cell: object, name: str, where: str) -> float | None:
    if cell is None or cell == "":
        return None
    try:
        number = float(str(cell))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TableError(f"{where}: {name} is {cell}, which is no number; mend the line")
    return number
