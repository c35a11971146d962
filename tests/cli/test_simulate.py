"""``ctiqa simulate`` writes derived series, prints their folders and names what it refuses."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ctiqa.cli.main import app
from ctiqa.images.phantom import write_phantom_series
from ctiqa.images.series import read

Run = Callable[..., Any]


@pytest.fixture
def run() -> Run:
    return lambda *arguments: CliRunner().invoke(
        app, ["simulate", *map(str, arguments)], prog_name="ctiqa"
    )


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Return a series of two small slices."""
    write_phantom_series(tmp_path / "scan", slices=2, size=128, pixel_mm=3)
    return tmp_path / "scan"


def test_every_dose_becomes_a_series_whose_folder_is_printed(
    run: Run, scan: Path, tmp_path: Path
) -> None:
    done = run(scan, "-o", tmp_path / "out", "--dose", 0.5, "--dose", 0.25)
    assert done.exit_code == 0, done.output
    folders = [Path(line) for line in done.stdout.splitlines()]
    assert folders == [tmp_path / "out" / f"scan-dose-{dose}" for dose in ("0.50", "0.25")]
    assert [len(read(folder).series[0]) for folder in folders] == [2, 2]
    assert "scan: 2 slices" in done.stderr
    assert "quanta per ray" in done.stderr


def test_the_options_reach_the_simulation(run: Run, scan: Path, tmp_path: Path) -> None:
    import pydicom

    done = run(
        *(scan, "-o", tmp_path / "out", "--dose", 0.5, "--dose", 0.25),
        *("--seed", 7, "--shared-field", "--step", 2, "-q"),
    )
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    (file,) = (tmp_path / "out" / "scan-dose-0.50").iterdir()
    text = pydicom.dcmread(file).DerivationDescription
    assert "seed 7" in text
    assert "one noise field of dose 0.25 scaled to every dose" in text


def test_a_file_that_cannot_be_used_is_named_and_the_rest_goes_on(
    run: Run, scan: Path, tmp_path: Path
) -> None:
    (scan / "letter.dcm").write_text("Dear Sir")
    done = run(scan, "-o", tmp_path / "out", "--dose", 0.5, "-q")
    assert done.exit_code == 1
    assert "not simulated: letter.dcm" in done.stderr
    assert len(list((tmp_path / "out" / "scan-dose-0.50").iterdir())) == 2


def test_an_input_without_ct_is_said_in_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", "-o", tmp_path / "out", "--dose", 0.5)
    assert done.exit_code == 1
    assert "no CT series that can be simulated was found" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dose", ["0", "1.5", "-1", "nan"])
def test_an_impossible_dose_is_a_wrong_call(
    dose: str, run: Run, scan: Path, tmp_path: Path
) -> None:
    done = run(scan, "-o", tmp_path / "out", f"--dose={dose}")
    assert done.exit_code == 2
    assert "(0, 1]" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGINT of one process")
def test_ctrl_c_at_work_leaves_no_series_and_ends_with_code_130(tmp_path: Path) -> None:
    write_phantom_series(tmp_path / "scan", slices=48, size=128, pixel_mm=3)
    out = tmp_path / "out"
    doses = [word for percent in range(10, 90, 4) for word in ("--dose", f"{percent / 100}")]
    code = "from ctiqa.cli.main import run; run()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "simulate", tmp_path / "scan", "-o", out, *doses],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as working:
        while not list(out.glob("*")) and working.poll() is None:
            time.sleep(0.005)
        working.send_signal(signal.SIGINT)
        _, said = working.communicate()
    words = "ctiqa: stopped before the end; no unfinished result was written\n"
    assert (working.returncode, said, list(out.iterdir())) == (130, words, [])
