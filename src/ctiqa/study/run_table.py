"""The table of runs on disk, which any number of processes work through without doubling one."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ctiqa.errors import RecipeError, WriteError
from ctiqa.study.alive import dead, process_name
from ctiqa.study.runs import Run

__all__ = ["STALE_S", "Record", "RunTable", "State"]

State: TypeAlias = Literal["waiting", "running", "done", "failed"]

STALE_S = 300.0
"""A claim whose heartbeat is older is free again: whoever held it is gone."""

_PATIENCE_S = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    name TEXT PRIMARY KEY, place INTEGER NOT NULL, kind TEXT NOT NULL, seed INTEGER NOT NULL,
    folder TEXT NOT NULL, recipe TEXT NOT NULL, needs TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', who TEXT NOT NULL DEFAULT '',
    started REAL, heartbeat REAL, seconds REAL, device TEXT NOT NULL DEFAULT '',
    figures TEXT NOT NULL DEFAULT '{}', reason TEXT NOT NULL DEFAULT ''
)
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the table of runs.

    Args:
        name: of the run.
        kind: "teacher" or "student".
        seed: of the study.
        folder: where it lies, below the folder of all runs; its recipe.toml is there.
        recipe: TOML.
        needs: names of the runs that come before it.
        state: how far it is.
        who: the process that holds it.
        started: when it was last claimed, in seconds since 1970.
        heartbeat: when its process was last seen alive.
        seconds: how long training took in all.
        device: on what it was trained.
        figures: what it reached.
        reason: why it failed, in a sentence.
    """

    name: str
    kind: str
    seed: int
    folder: str
    recipe: str
    needs: tuple[str, ...]
    state: State
    who: str
    started: float | None
    heartbeat: float | None
    seconds: float | None
    device: str
    figures: Mapping[str, float | None]
    reason: str


class RunTable:
    """The table of runs in one file of SQLite, which is made if it is not there.

    Args:
        path: of the file; on a disk that all processes share.
        who: of this process.

    Raises:
        WriteError: from every method, if the file cannot be read or written.
    """

    def __init__(self, path: Path, *, who: str | None = None) -> None:
        self.path, self.who = path, who or process_name()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError(f"{path.parent} cannot be made ({error.strerror})") from error
        with self._changing() as table:
            table.execute(_SCHEMA)

    def register(self, runs: Sequence[Run]) -> None:
        """Add the runs that are not there yet.

        Raises:
            RecipeError: if one of them is there with another recipe.
        """
        with self._changing() as table:
            known = dict(table.execute("SELECT name, recipe FROM runs").fetchall())
            if other := [run.name for run in runs if known.get(run.name, run.recipe) != run.recipe]:
                raise RecipeError(
                    f"{self.path} holds {other[0]} with another recipe; choose another folder"
                )
            new = [run for run in runs if run.name not in known]
            rows = [
                (run.name, place, run.kind, run.seed, run.folder, run.recipe, _names(run.needs))
                for place, run in enumerate(new, start=len(known))
            ]
            table.executemany(
                "INSERT INTO runs (name, place, kind, seed, folder, recipe, needs) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def claim(self, names: Sequence[str]) -> str | None:
        """Take the first run that is free and whose teachers are done; None if there is none.

        Args:
            names: of the runs to choose from.
        """
        wanted = set(names)
        with self._changing() as table:
            records = _records(table)
            done = {record.name for record in records if record.state == "done"}
            for record in records:
                if record.name in wanted and _free(record) and done.issuperset(record.needs):
                    now = time.time()
                    table.execute(
                        "UPDATE runs SET state = 'running', who = ?, started = ?, heartbeat = ?, "
                        "reason = '' WHERE name = ?",
                        (self.who, now, now, record.name),
                    )
                    return record.name
        return None

    def beat(self, name: str) -> bool:
        """Say that this process is still at a run; False if the run is no longer its own."""
        with self._changing() as table:
            changed = table.execute(
                "UPDATE runs SET heartbeat = ? WHERE name = ? AND who = ? AND state = 'running'",
                (time.time(), name, self.who),
            )
            return changed.rowcount == 1

    def finish(
        self, name: str, *, seconds: float, device: str, figures: Mapping[str, float]
    ) -> None:
        """Write down what a run of this process has reached."""
        held = json.dumps({k: v if v == v else None for k, v in figures.items()})  # noqa: PLR0124 - NaN
        self._end(name, "done", seconds=seconds, device=device, figures=held)

    def fail(self, name: str, reason: str) -> None:
        """Write down why a run of this process came to nothing."""
        self._end(name, "failed", reason=reason)

    def release(self, name: str) -> None:
        """Give a run back that this process did not finish."""
        self._end(name, "waiting")

    def retry(self, names: Sequence[str]) -> None:
        """Let failed runs wait for another try."""
        with self._changing() as table:
            table.executemany(
                "UPDATE runs SET state = 'waiting' WHERE name = ? AND state = 'failed'",
                [(name,) for name in names],
            )

    def records(self, names: Sequence[str] | None = None) -> tuple[Record, ...]:
        """Return all runs, or those of some names, in the order in which they are worked through.

        A run whose process is gone is waiting again.
        """
        wanted = None if names is None else set(names)
        with self._changing() as table:
            return tuple(
                record for record in _records(table) if wanted is None or record.name in wanted
            )

    def _end(self, name: str, state: State, **values: object) -> None:
        changes = {"state": state, "who": "", **values}
        columns = ", ".join(f"{column} = ?" for column in changes)
        with self._changing() as table:
            table.execute(
                f"UPDATE runs SET {columns} WHERE name = ? AND who = ?",  # noqa: S608 - own columns
                (*changes.values(), name, self.who),
            )

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Yield the table, locked against every other process; all changes stay or none does."""
        try:
            with closing(sqlite3.connect(self.path, timeout=_PATIENCE_S)) as table:
                table.isolation_level = None
                table.execute("BEGIN IMMEDIATE")
                try:
                    yield table
                except BaseException:
                    table.execute("ROLLBACK")
                    raise
                table.execute("COMMIT")
        except sqlite3.Error as error:
            raise WriteError(
                f"{self.path} cannot be used ({error}); free some space or choose another folder"
            ) from error


def _names(runs: Sequence[Run]) -> str:
    return json.dumps([run.name for run in runs])


def _records(table: sqlite3.Connection) -> list[Record]:
    columns = list(Record.__dataclass_fields__)
    rows = table.execute(f"SELECT {', '.join(columns)} FROM runs ORDER BY place")  # noqa: S608 - own
    made = []
    for row in rows:
        values: dict[str, Any] = dict(zip(columns, row, strict=True))
        values["needs"] = tuple(json.loads(values["needs"]))
        values["figures"] = json.loads(values["figures"])
        record = Record(**values)
        if record.state == "running" and _free(record):
            record = Record(**(values | {"state": "waiting", "who": ""}))
        made.append(record)
    return made


def _free(record: Record) -> bool:
    """Say whether a run can be claimed: nobody holds it, or whoever did is gone."""
    if record.state != "running":
        return record.state == "waiting"
    late = time.time() - (record.heartbeat or 0.0) > STALE_S
    return late or dead(record.who)
