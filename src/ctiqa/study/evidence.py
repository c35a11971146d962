"""The table that evidence is drawn from: scores, references and what is known of each image."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.errors import TableError
from ctiqa.measures.correlation import Column

__all__ = [
    "EvidenceTable",
    "Names",
    "TableReading",
    "TrainingImages",
    "read_evidence",
    "read_lines",
]

Names: TypeAlias = npt.NDArray[np.str_]

# Beyond this a cell is a slip of the pen, and its square would overflow.
_LARGEST = 1e12
_POSITIVE = ("dose", "noise_hu")
_WORDS = ("patient", "slice")


@dataclass(frozen=True, slots=True, eq=False)
class TrainingImages:
    """What the training patients show of the reference; the trivial baselines learn from it.

    Args:
        reference: (n,) label of each image.
        dose: (n,) dose of each image, None where unknown.
        noise_hu: (n,) global noise in HU, NaN where an image shows too little tissue; None where
            it was not measured.
    """

    reference: Column
    dose: Column | None = None
    noise_hu: Column | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceTable:
    """Columns of equal length, one row for each image.

    Args:
        score: (n,) what the model says.
        reference: (n,) what is true: a label, or a reader's score.
        patient: (n,) pseudonym of the patient, None where unknown.
        dose: (n,) dose of the image, None where unknown.
        noise_hu: (n,) global noise in HU, NaN where it could not be measured.
        slice_id: (n,) names the slice whose doses are compared with each other.
        kind: (n,) by what each image is degraded, "" for a lower dose alone; None where no image
            is degraded otherwise.
        rivals: further columns on the reference's scale that stand beside the score, by name.
        interval: (n,) lower and (n,) upper ends that the model gives; None where it gives none.

    Raises:
        ValueError: if the columns differ in length, are empty, or hold a number that is not finite
            where only noise may be missing.
    """

    score: Column
    reference: Column
    patient: Names | None = None
    dose: Column | None = None
    noise_hu: Column | None = None
    slice_id: Names | None = None
    kind: Names | None = None
    rivals: Mapping[str, Column] = field(default_factory=dict)
    interval: tuple[Column, Column] | None = None

    def __post_init__(self) -> None:
        numbers = [self.score, self.reference, *self.rivals.values(), *(self.interval or ())]
        numbers += [] if self.dose is None else [self.dose]
        others = [self.patient, self.noise_hu, self.slice_id, self.kind]
        given = [*numbers, *(column for column in others if column is not None)]
        if not self.score.size or any(column.shape != self.score.shape for column in given):
            raise ValueError("a table of evidence holds columns of one length, at least one image")
        if not all(np.isfinite(column).all() for column in numbers):
            raise ValueError("only the noise of an image may be missing from a table of evidence")

    def __len__(self) -> int:
        return self.score.size

    @property
    def patients(self) -> list[str]:
        """Names of the patients, sorted; empty where unknown."""
        return [] if self.patient is None else [str(name) for name in np.unique(self.patient)]

    def as_training(self) -> TrainingImages:
        """Return what a baseline may learn from this table: all but scores and names."""
        return TrainingImages(self.reference, self.dose, self.noise_hu)


class TableReading(NamedTuple):
    """A table that was read, and one sentence for each line of the file that was left out."""

    table: EvidenceTable
    refused: tuple[str, ...]


def read_evidence(path: Path, *, need_score: bool = True) -> TableReading:
    """Read a CSV with the columns score, reference and, if known, patient, dose, noise_hu, slice.

    The columns stand in any order and others are ignored; commas, semicolons or tabs part them. The
    noise of an image may be blank. A line that cannot be used is left out and named.

    Args:
        path: the file, UTF-8.
        need_score: False for training images: nobody asks for their score, and it is read as 0.

    Raises:
        TableError: if the file cannot be read, lacks a column or holds no usable line.
    """
    needed = ("score", "reference") if need_score else ("reference",)
    header, lines = read_lines(path)
    _check_header(path, header, needed)
    usable: list[_Row] = []
    refused: list[str] = []
    for number, cells in lines:
        try:
            usable.append(_row(header, cells, needed))
        except ValueError as why:
            refused.append(f"{path.name}, line {number}: {why}")
    if not usable:
        first = f" ({refused[0]})" if refused else ""
        raise TableError(f"{path} holds no usable line{first}; give it one line for each image")
    return TableReading(_table(usable), tuple(refused))


class _Row(NamedTuple):
    numbers: dict[str, float]
    words: dict[str, str]


def read_lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header in lower case, and the other lines that are not blank with their number.

    Args:
        path: a CSV, UTF-8; commas, semicolons or tabs part its cells.

    Raises:
        TableError: if it cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path} is not UTF-8 text; save the table as CSV in UTF-8") from error
    except OSError as error:
        raise TableError(f"{path} cannot be read ({error.strerror}); name a CSV file") from error
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise TableError(f"{where} is not CSV ({error}); save the table as CSV") from error
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    return header, rows[1:]


def _check_header(path: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        raise TableError(
            f"{path} has no column {' and no column '.join(missing)}; "
            f"its first line must name the columns {', '.join(needed)}"
        )
    for name in (*needed, *_POSITIVE, *_WORDS):
        if header.count(name) > 1:
            raise TableError(f"{path} has {header.count(name)} columns {name}; keep one of them")


def _row(header: Sequence[str], cells: Sequence[str], needed: Sequence[str]) -> _Row:
    """Return the values of one line; a ValueError says in words what is wrong with it."""
    if len(cells) != len(header):
        raise ValueError(f"it has {len(cells)} cells under {len(header)} columns")
    named = dict(zip(header, (cell.strip() for cell in cells), strict=True))
    numbers = {name: _number(name, named[name]) for name in needed}
    for name in _POSITIVE:
        if name not in named or (name == "noise_hu" and not named[name]):
            continue
        numbers[name] = _number(name, named[name])
        if not numbers[name] > 0:
            raise ValueError(f"{name} is {named[name]} and must be positive")
    words = {name: named[name] for name in _WORDS if name in named}
    blank = [name for name, word in words.items() if not word]
    if blank:
        raise ValueError(f"{blank[0]} is blank")
    return _Row(numbers, words)


def _number(name: str, cell: str) -> float:
    if not cell:
        raise ValueError(f"{name} is blank")
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) <= _LARGEST:
        raise ValueError(
            f"{name} is {cell[:40]!r}, which is no usable number (decimals take a point)"
        )
    return value


def _table(rows: Sequence[_Row]) -> EvidenceTable:
    def numbers(name: str, *, missing: float = math.nan) -> Column:
        return np.array([row.numbers.get(name, missing) for row in rows], np.float64)

    def words(name: str) -> Names | None:
        return np.array([row.words[name] for row in rows]) if name in rows[0].words else None

    noise_hu = numbers("noise_hu")
    return EvidenceTable(
        score=numbers("score", missing=0.0),
        reference=numbers("reference"),
        patient=words("patient"),
        dose=numbers("dose") if "dose" in rows[0].numbers else None,
        noise_hu=None if np.isnan(noise_hu).all() else noise_hu,
        slice_id=words("slice"),
    )
