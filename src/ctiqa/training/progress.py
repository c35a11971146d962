"""Tell a person how training goes, and how long it still takes."""

import math
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ctiqa.training.course import Row

__all__ = ["Told"]


class Told:
    """Tell stderr: a bar with an estimate on a terminal, and one line for each epoch anywhere.

    Args:
        quiet: tell nothing, as a rank other than the first should.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._name, self._epochs, self._done = "", 0, 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, name: str, *, epochs: int, done: int) -> None:
        """Say whose training begins, or goes on after ``done`` epochs."""
        self._name, self._epochs, self._done = name, epochs, done
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(name, total=None, loss="")
        if done:
            words = "is trained already" if done >= epochs else f"goes on after epoch {done}"
            self._say(f"{name} {words} ({epochs} epochs)")

    def step(self, *, epoch: int, done: int, steps: int, loss: float) -> None:
        """Move the bar, which counts the steps that this start has to take."""
        if self._task is not None:
            self._bar.update(
                self._task,
                description=f"{self._name} epoch {epoch + 1} of {self._epochs}",
                total=(self._epochs - self._done) * steps,
                completed=(epoch - self._done) * steps + done,
                loss=f"loss {loss:.4f}",
            )

    def row(self, row: Row, *, epochs: int) -> None:
        """Say in one line what was recorded of an epoch."""
        share = row["gate_share"]
        gate = "" if math.isnan(share) else f", gate open {share:.0%}"
        self._say(
            f"{self._name} epoch {row['epoch']:.0f} of {epochs}: loss {row['loss']:.5f}, "
            f"OPM {row['signed_opm']:.4f} (PLCC {row['plcc']:.4f}, SROCC {row['srocc']:.4f}, "
            f"KROCC {row['krocc']:.4f}), MAE {row['mae']:.4f}{gate}, {row['seconds']:.0f} s"
        )

    def _say(self, sentence: str) -> None:
        self._console.print(sentence, soft_wrap=True, markup=False)
