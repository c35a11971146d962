"""Work through a table of runs: claim one, keep the claim alive, write down what came of it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ctiqa.errors import CtiqaError, WriteError
from ctiqa.study.run_table import RunTable
from ctiqa.study.runs import Run

__all__ = ["LostClaimError", "Outcome", "StillMine", "work"]

BEAT_S = 20.0
WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has reached.

    Args:
        seconds: that training took, over all starts.
        device: in words.
        figures: by name; NaN where not defined.
    """

    seconds: float
    device: str
    figures: Mapping[str, float]


class LostClaimError(CtiqaError):
    """A run was taken over by another process, since this one seemed to be gone."""


StillMine = Callable[[], None]
"""Raises :class:`LostClaimError` once another process has taken the run over."""


def work(
    table: RunTable,
    runs: Sequence[Run],
    perform: Callable[[Run, StillMine], Outcome],
    *,
    told: Callable[[Run], None],
    waits: Callable[[], None] = lambda: None,
    beat_s: float = BEAT_S,
    wait_s: float = WAIT_S,
) -> None:
    """Work until every run is done or cannot be, beside any number of other processes.

    A run that fails is written down with its reason, and the others go on; one that is broken off
    is free again.

    Args:
        table: holds the runs.
        runs: that are wanted, those that they need among them.
        perform: trains and judges one.
        told: hears of each run that ended here.
        waits: hears that all that can be done now is in other hands.
        beat_s: seconds between two signs of life.
        wait_s: seconds between two looks at a table from which others hold everything.
    """
    by_name = {run.name: run for run in runs}
    waiting = False
    while True:
        name = table.claim(list(by_name))
        if name is None:
            # Teachers in another process's hands may free a student, or be given back.
            if not any(record.state == "running" for record in table.records(list(by_name))):
                return
            if not waiting:
                waits()
            waiting = True
            time.sleep(wait_s)
            continue
        waiting = False
        with _held(table, name, beat_s) as still_mine:
            try:
                outcome = perform(by_name[name], still_mine)
            except LostClaimError:
                continue
            except CtiqaError as error:
                table.fail(name, str(error))
            else:
                table.finish(
                    name, seconds=outcome.seconds, device=outcome.device, figures=outcome.figures
                )
        told(by_name[name])


@contextmanager
def _held(table: RunTable, name: str, beat_s: float) -> Iterator[StillMine]:
    """Keep a claim alive by a thread, and give it back if it ends without a result."""
    over, lost = threading.Event(), threading.Event()

    def beat() -> None:
        while not over.wait(beat_s):
            # A disk that is full for a while costs a beat, not the training.
            with suppress(WriteError):
                if not table.beat(name):
                    lost.set()
                    return

    def still_mine() -> None:
        if lost.is_set():
            raise LostClaimError(f"{name} was taken over by another process")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield still_mine
    finally:
        over.set()
        thread.join()
        # After a result this changes nothing, since the run is then nobody's.
        table.release(name)
