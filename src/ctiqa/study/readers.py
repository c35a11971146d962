"""Join a table of scores with the grades that readers gave, image by image."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from ctiqa.errors import TableError
from ctiqa.scoring.calibrate import Graded
from ctiqa.study.evidence import read_lines

__all__ = ["Joined", "join"]

_KEYS = ("sop_instance_uid", "path")
_GRADE = "reference"
_LARGEST = 1e6

Key: TypeAlias = tuple[str, ...]
Cells: TypeAlias = Mapping[str, str]


class Joined(NamedTuple):
    """The graded images, a sentence for each line that was left out, and what to know of both.

    Args:
        graded: one row for each image that has both a score and a grade.
        refused: one sentence for each line of either table that could not be used.
        notes: how the images were joined and told apart, in sentences.
    """

    graded: Graded
    refused: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """A CSV as cells by column, with the number of each line."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, Cells], ...]

    @classmethod
    def read(cls, path: Path) -> "_Table":
        header, lines = read_lines(path)
        for name in header:
            if name and header.count(name) > 1:
                raise TableError(f"{path} has {header.count(name)} columns {name}; keep one")
        rows = []
        for number, cells in lines:
            if len(cells) != len(header):
                raise TableError(
                    f"{path}, line {number} has {len(cells)} cells under {len(header)} columns; "
                    "mend the line"
                )
            stripped = (cell.strip() for cell in cells)
            rows.append((number, dict(zip(header, stripped, strict=True))))
        return cls(path, tuple(header), tuple(rows))

    def need(self, *names: str) -> None:
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise TableError(
                f"{self.path} has no column {' and no column '.join(missing)}; "
                f"its first line must name {', '.join(names)}"
            )

    def says(self, name: str) -> bool:
        """Whether every line has something in the column."""
        return name in self.columns and all(cells[name] for _, cells in self.rows)


def join(scores: Path, readers: Path) -> Joined:
    """Join what ``ctiqa score`` wrote with a table of readers' grades.

    Both name an image by ``sop_instance_uid`` or, if the readers' table has no such column, by
    ``path``, as the scores have it; and by ``instance_number``, too, where both have that.
    ``reference`` is a grade; several lines for one image, one of each reader, are averaged.
    ``patient`` tells whom an image shows; without it a study counts as a patient.

    Args:
        scores: CSV with the columns score, model, model_sha256 and those that name images.
        readers: CSV with the columns reference, patient and one that names images.

    Raises:
        TableError: if a table lacks a column, the scores come from several models, or no image
            of one table is in the other.
    """
    scored, said = _Table.read(scores), _Table.read(readers)
    scored.need("score", "model", "model_sha256")
    said.need(_GRADE)
    key = _key(scored, said)
    rows, refused = _scored(scored, key)
    grades, more = _grades(said, key, rows)
    refused = [*refused, *more]
    if not grades:
        raise TableError(_nothing_in_common(scored, said, key, refused))
    model, sha256 = _model(scored, [rows[name] for name in grades])
    patients, note = _patients(said, grades, rows)
    graded = Graded(
        score=np.array([float(rows[name]["score"]) for name in grades]),
        reference=np.array([np.mean([grade for grade, _ in grades[name]]) for name in grades]),
        patient=np.array(patients),
        model=model,
        model_sha256=sha256,
    )
    return Joined(graded, tuple(refused), (f"Images were joined by {' and '.join(key)}.", *note))


def _key(scored: _Table, said: _Table) -> Key:
    for name in _KEYS:
        if said.says(name) and name in scored.columns:
            number = "instance_number"
            both = number in scored.columns and said.says(number)
            return (name, number) if both else (name,)
    raise TableError(
        f"{said.path} does not name its images; give it a column {' or '.join(_KEYS)}, filled in "
        f"every line as in {scored.path}"
    )


def _scored(scored: _Table, key: Key) -> tuple[dict[Key, Cells], list[str]]:
    """Return the scored lines by image; an image on two lines is not known any more."""
    rows: dict[Key, Cells] = {}
    refused: list[str] = []
    twice: set[Key] = set()
    for number, cells in scored.rows:
        name = tuple(cells[column] for column in key)
        # A blank score is an image that was not scored, and its line says why.
        if not cells["score"] or not all(name):
            continue
        if _number(cells["score"]) is None:
            refused.append(f"{scored.path.name}, line {number}: no score is {cells['score']!r}")
        elif name in rows:
            twice.add(name)
        else:
            rows[name] = cells
    for name in sorted(twice):
        refused.append(f"{scored.path.name}: {' '.join(name)} has two scores")
        del rows[name]
    return rows, refused


def _grades(
    said: _Table, key: Key, rows: Mapping[Key, Cells]
) -> tuple[dict[Key, list[tuple[float, Cells]]], list[str]]:
    """Return the grades of each scored image, in the order of the readers' table."""
    grades: dict[Key, list[tuple[float, Cells]]] = {}
    refused = []
    for number, cells in said.rows:
        name = tuple(cells[column] for column in key)
        grade, where = _number(cells[_GRADE]), f"{said.path.name}, line {number}"
        if grade is None:
            refused.append(f"{where}: {_GRADE} is {cells[_GRADE]!r}, which is no number")
        elif name not in rows:
            refused.append(f"{where}: there is no score of {' '.join(name)}")
        else:
            grades.setdefault(name, []).append((grade, cells))
    return grades, refused


def _model(scored: _Table, rows: Sequence[Cells]) -> tuple[str, str]:
    models = {(cells["model"], cells["model_sha256"]) for cells in rows}
    if len({sha256 for _, sha256 in models}) > 1:
        raise TableError(
            f"{scored.path} holds scores of several models; score all images with one of them"
        )
    model, sha256 = next(iter(models))
    if not sha256:
        raise TableError(
            f"{scored.path} does not say which model scored; write it anew by 'ctiqa score'"
        )
    return model, sha256


def _patients(
    said: _Table, grades: Mapping[Key, list[tuple[float, Cells]]], rows: Mapping[Key, Cells]
) -> tuple[list[str], tuple[str, ...]]:
    """Return whom each image shows, and a sentence where that was guessed."""
    if said.says("patient"):
        return list(_named(said, grades)), ()
    studies = [rows[name].get("study_instance_uid", "") for name in grades]
    if not all(studies):
        raise TableError(
            f"{said.path} does not tell the patients apart; give it a column patient, filled in "
            "every line"
        )
    return studies, ("The readers' table names no patients: each study counts as one.",)


def _named(said: _Table, grades: Mapping[Key, list[tuple[float, Cells]]]) -> Iterator[str]:
    for name, given in grades.items():
        whom = {cells["patient"] for _, cells in given}
        if len(whom) > 1:
            raise TableError(
                f"{said.path} gives {' '.join(name)} to {len(whom)} patients; mend the lines"
            )
        yield whom.pop()


def _nothing_in_common(scored: _Table, said: _Table, key: Key, refused: Sequence[str]) -> str:
    first = f" ({refused[0]})" if refused else ""
    return (
        f"no image of {said.path} has a score in {scored.path}{first}; both must name an image by "
        f"the same {' and '.join(key)}"
    )


def _number(cell: str) -> float | None:
    """Return the number of a cell; None where it is none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) <= _LARGEST else None
