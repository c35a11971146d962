"""Many processes, any of which may be killed, and no run is lost or done twice."""

import csv
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ctiqa.errors import RecipeError, WriteError
from ctiqa.study import run_table
from ctiqa.study.alive import process_name
from ctiqa.study.run_progress import remaining_s, write_csv
from ctiqa.study.run_table import RunTable
from ctiqa.study.runs import Run

TEACHERS = tuple(Run(f"t{k}", "teacher", 0, "[a]\n", "t", k) for k in range(3))
STUDENT = Run("s", "student", 0, "[b]\n", "t", needs=TEACHERS)
RUNS = (*TEACHERS, STUDENT)
NAMES = [run.name for run in RUNS]
ELSEWHERE = "another-machine pid:[1] 1 00000000"

CLAIM_AND_WAIT = """
import sys, time
from pathlib import Path
from ctiqa.study.run_table import RunTable
print(RunTable(Path(sys.argv[1])).claim(["t0", "t1", "t2", "s"]), flush=True)
time.sleep(60)
"""

CLAIM_ALL = """
import sys
from pathlib import Path
from ctiqa.study.run_table import RunTable
table = RunTable(Path(sys.argv[1]))
while (name := table.claim(sys.argv[2:])):
    print(name, flush=True)
    table.finish(name, seconds=1.0, device="cpu", figures={})
"""


@pytest.fixture
def table(tmp_path: Path) -> RunTable:
    made = RunTable(tmp_path / "runs.sqlite")
    made.register(RUNS)
    return made


def done(table: RunTable, *names: str, seconds: float = 10.0) -> None:
    for name in names:
        assert table.claim([name]) == name
        table.finish(name, seconds=seconds, device="cpu", figures={"opm": 2.5, "gate": math.nan})


def states(table: RunTable) -> dict[str, str]:
    return {record.name: record.state for record in table.records()}


def test_teachers_come_before_the_student_that_needs_them(table: RunTable) -> None:
    done(table, "t0", "t1")
    assert table.claim(["s"]) is None
    done(table, "t2")
    assert table.claim(["s"]) == "s"


def test_a_run_is_held_by_one_process(table: RunTable) -> None:
    other = RunTable(table.path)
    assert [table.claim(NAMES), other.claim(NAMES), table.claim(NAMES)] == ["t0", "t1", "t2"]
    assert other.claim(NAMES) is None
    other.finish("t0", seconds=1, device="cpu", figures={})
    assert states(table)["t0"] == "running", "only who holds a run can finish it"


def test_only_wanted_runs_are_claimed(table: RunTable) -> None:
    assert table.claim(["t2"]) == "t2"
    assert table.claim(["t2"]) is None


def test_a_run_whose_process_was_killed_is_free_at_once_and_what_is_done_stays(
    table: RunTable,
) -> None:
    done(table, "t0")
    before = table.records(["t0"])
    child = subprocess.Popen(
        [sys.executable, "-c", CLAIM_AND_WAIT, str(table.path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline().strip() == "t1"
        assert states(table)["t1"] == "running"
        assert table.claim(NAMES) == "t2"
        table.release("t2")
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert states(table) == {"t0": "done", "t1": "waiting", "t2": "waiting", "s": "waiting"}
    assert table.claim(NAMES) == "t1"
    assert table.records(["t0"]) == before


def test_processes_at_work_together_never_double_a_run(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    runs = [Run(f"r{k}", "teacher", 0, "", "r", k) for k in range(40)]
    names = [run.name for run in runs]
    RunTable(path).register(runs)
    command = [sys.executable, "-c", CLAIM_ALL, str(path), *names]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        for _ in range(3)
    ]
    claimed = [name for child in children for name in child.communicate()[0].split()]
    assert sorted(claimed) == sorted(names)


def test_a_claim_of_another_machine_is_free_when_its_heart_has_stopped(
    table: RunTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = RunTable(table.path, who=ELSEWHERE)
    assert far.claim(["t0"]) == "t0"
    assert table.claim(["t0"]) is None
    later = time.time() + run_table.STALE_S - 1
    monkeypatch.setattr(run_table.time, "time", lambda: later)
    assert table.claim(["t0"]) is None
    assert far.beat("t0")
    monkeypatch.setattr(run_table.time, "time", lambda: later + run_table.STALE_S + 1)
    assert table.claim(["t0"]) == "t0"
    assert not far.beat("t0"), "who comes back late hears that the run is no longer his"


def test_a_process_of_another_namespace_is_not_taken_for_dead(table: RunTable) -> None:
    host, _, number, token = process_name().split(" ")
    RunTable(table.path, who=f"{host} pid:[1] {number}9999 {token}").claim(["t0"])
    assert table.claim(["t0"]) is None


def test_a_failed_run_keeps_its_reason_and_is_tried_again_on_request(table: RunTable) -> None:
    table.claim(["t0"])
    table.fail("t0", "the loss became nan")
    (record,) = table.records(["t0"])
    assert (record.state, record.reason) == ("failed", "the loss became nan")
    assert table.claim(["t0"]) is None
    table.retry(NAMES)
    assert table.claim(["t0"]) == "t0"


def test_registering_again_changes_nothing_and_another_recipe_is_refused(table: RunTable) -> None:
    done(table, "t0")
    before = table.records()
    table.register(RUNS)
    assert table.records() == before
    with pytest.raises(RecipeError, match="holds t0 with another recipe"):
        table.register([Run("t0", "teacher", 0, "[c]\n", "t")])


def test_what_is_left_takes_as_long_as_its_kind_took_shared_by_who_is_at_work(
    table: RunTable,
) -> None:
    assert remaining_s(table.records(), now=time.time()) is None
    done(table, "t0", seconds=100)
    assert remaining_s(table.records(), now=time.time()) == pytest.approx(300)
    table.claim(["t1"])
    RunTable(table.path, who=ELSEWHERE).claim(["t2"])
    started = time.time()
    assert remaining_s(table.records(), now=started) == pytest.approx(150, abs=2)
    assert remaining_s(table.records(), now=started + 40) == pytest.approx(110, abs=2)


def test_the_csv_has_a_line_for_each_run_and_names_no_machine(
    table: RunTable, tmp_path: Path
) -> None:
    done(table, "t0")
    table.claim(["t1"])
    write_csv(table.records(), tmp_path / "runs.csv")
    text = (tmp_path / "runs.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["state"] for row in rows] == ["done", "running", "waiting", "waiting"]
    assert (rows[0]["opm"], rows[0]["gate"], rows[0]["folder"]) == ("2.5", "", "t/teacher-0")
    assert rows[0]["started"].endswith("+00:00")
    assert rows[2]["started"] == ""
    assert table.who.split(" ")[0] not in text


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite").write_text("something else, long enough to be looked at" * 9)
    with pytest.raises(WriteError, match=r"runs\.sqlite cannot be used"):
        RunTable(tmp_path / "runs.sqlite")
