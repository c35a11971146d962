"""What a study is made of: runs, the rows that they fill, the tables of these rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Row", "Run", "Table", "distinct"]


@dataclass(frozen=True, slots=True)
class Run:
    """One network to be trained and judged.

    Args:
        name: says in short what is special about it; no two runs share one.
        kind: what it is.
        seed: of the study, from 0; draws of two seeds have nothing in common.
        recipe: TOML; all teachers of one family share it.
        family: the folder of the teachers that it belongs to, or learns from.
        member: place of a teacher in its family.
        needs: teachers that must be trained before it.
    """

    name: str
    kind: Literal["teacher", "student"]
    seed: int
    recipe: str
    family: str
    member: int = 0
    needs: tuple["Run", ...] = ()

    @property
    def folder(self) -> str:
        """Where it lies, below the folder of all runs; a student's is its own."""
        return f"{self.family}/teacher-{self.member}" if self.kind == "teacher" else self.name


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Args:
        key: by which the paper's printed values are found.
        words: what it is called.
        runs: for each seed the runs whose mean prediction it is.
    """

    key: str
    words: str
    runs: tuple[tuple[Run, ...], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table, or the figure, of the paper.

    Args:
        name: such as "table1".
        title: what it asks.
        chosen: key of the row that the paper settled on.
        rows: those that the paper prints.
        further: those that its text speaks of but nothing prints.
        images: which labels its networks learn and are judged by: those of the scale, or others.
    """

    name: str
    title: str
    chosen: str
    rows: tuple[Row, ...]
    further: tuple[Row, ...] = ()
    images: str = "images"


def distinct(chosen: Iterable[Table]) -> tuple[Run, ...]:
    """Return every run that some tables need, once, seed by seed, teachers before students."""
    rows = [row for table in chosen for row in (*table.rows, *table.further)]
    met = (run for row in rows for together in row.runs for run in _with_needs(together))
    return tuple(sorted(dict.fromkeys(met), key=lambda run: run.seed))


def _with_needs(runs: Sequence[Run]) -> Iterator[Run]:
    for run in runs:
        yield from run.needs
        yield run
