"""Runs are worked through, whatever happens to one of them."""

import time
from pathlib import Path

import pytest

from ctiqa.errors import CtiqaError
from ctiqa.study.run_progress import progress_words
from ctiqa.study.run_table import RunTable
from ctiqa.study.runs import Run
from ctiqa.study.workshop import LostClaimError, Outcome, StillMine, work

TEACHERS = tuple(Run(f"t{k}", "teacher", 0, "", "t", k) for k in range(2))
STUDENT = Run("s", "student", 0, "", "t", needs=TEACHERS)
RUNS = (STUDENT, *TEACHERS)
REACHED = Outcome(2.0, "cpu", {"opm": 2.5})


@pytest.fixture
def table(tmp_path: Path) -> RunTable:
    made = RunTable(tmp_path / "runs.sqlite")
    made.register(RUNS)
    return made


def states(table: RunTable) -> dict[str, str]:
    return {record.name: record.state for record in table.records()}


def test_everything_is_done_teachers_first_and_nothing_is_done_again(table: RunTable) -> None:
    order: list[str] = []
    told: list[str] = []

    def perform(run: Run, _: StillMine) -> Outcome:
        order.append(run.name)
        return REACHED

    for _ in range(2):
        work(table, RUNS, perform, told=lambda run: told.append(run.name))
    assert order == told == ["t0", "t1", "s"]
    assert table.records(["s"])[0].figures == {"opm": 2.5}


def test_a_failure_is_written_down_and_stops_only_who_needs_it(table: RunTable) -> None:
    alone = Run("alone", "teacher", 0, "", "a")
    table.register([alone])

    def perform(run: Run, _: StillMine) -> Outcome:
        if run.name == "t0":
            raise CtiqaError("the loss became nan")
        return REACHED

    work(table, [*RUNS, alone], perform, told=lambda _run: None)
    assert states(table) == {"t0": "failed", "t1": "done", "alone": "done", "s": "waiting"}
    assert table.records(["t0"])[0].reason == "the loss became nan"


@pytest.mark.parametrize("broken", [KeyboardInterrupt, ZeroDivisionError])
def test_a_run_that_is_broken_off_is_free_again(
    table: RunTable, broken: type[BaseException]
) -> None:
    def perform(_run: Run, _: StillMine) -> Outcome:
        assert list(states(table).values()).count("running") == 1
        raise broken

    with pytest.raises(broken):
        work(table, RUNS, perform, told=lambda _run: None)
    assert set(states(table).values()) == {"waiting"}


def test_a_long_run_keeps_its_claim_alive(table: RunTable) -> None:
    beats: list[float] = []

    def perform(run: Run, _: StillMine) -> Outcome:
        start = table.records([run.name])[0].heartbeat
        deadline = time.monotonic() + 20
        while table.records([run.name])[0].heartbeat == start and time.monotonic() < deadline:
            time.sleep(0.02)
        beats.append((table.records([run.name])[0].heartbeat or 0) - (start or 0))
        return REACHED

    work(table, TEACHERS[:1], perform, told=lambda _run: None, beat_s=0.02)
    assert beats[0] > 0


def test_who_lost_a_run_stops_and_leaves_it_to_the_other(table: RunTable) -> None:
    other = RunTable(table.path, who="another-machine pid:[1] 1 00000000")
    told: list[Run] = []

    def perform(run: Run, still_mine: StillMine) -> Outcome:
        table.release(run.name)
        assert other.claim([run.name])
        deadline = time.monotonic() + 20
        try:
            while time.monotonic() < deadline:
                still_mine()
                time.sleep(0.02)
        except LostClaimError:
            other.finish(run.name, seconds=1.0, device="far", figures={})
            raise
        return REACHED

    work(table, TEACHERS[:1], perform, told=told.append, beat_s=0.02, wait_s=0.02)
    assert told == []
    assert table.records(["t0"])[0].device == "far"


def test_who_finds_everything_in_other_hands_waits_until_it_is_done_or_free(
    table: RunTable,
) -> None:
    other = RunTable(table.path, who="another-machine pid:[1] 1 00000000")
    for name in ("t0", "t1"):
        other.claim([name])
    waited: list[str] = []
    performed: list[str] = []

    def waits() -> None:
        waited.append("once")
        other.finish("t0", seconds=1.0, device="far", figures={})
        other.release("t1")

    def perform(run: Run, _: StillMine) -> Outcome:
        performed.append(run.name)
        return REACHED

    work(table, RUNS, perform, told=lambda _run: None, waits=waits, wait_s=0.02)
    assert (waited, performed) == (["once"], ["t1", "s"])


def test_progress_says_done_running_left_and_how_long(table: RunTable) -> None:
    now = time.time()
    assert progress_words(table.records(), now=now) == "0 of 3 runs done, 0 running, 3 left"
    table.claim(["t0"])
    table.finish("t0", seconds=3600, device="cpu", figures={})
    words = progress_words(table.records(), now=now)
    assert words == "1 of 3 runs done, 0 running, 2 left, about 2 h 0 min"
    table.claim(["t1"])
    table.fail("t1", "x")
    words = progress_words(table.records(), now=now)
    assert words == "1 of 3 runs done, 0 running, 1 left, 1 failed, about 1 h 0 min"
