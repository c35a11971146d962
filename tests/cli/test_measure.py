"""``ctiqa measure``: one row for each image whatever it holds, one sentence for what went wrong."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ctiqa.cli import main
from ctiqa.images.phantom import write_phantom_series
from ctiqa.protocol.measured import COLUMNS

WriteDicom = Callable[..., Path]


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "scan"
    write_phantom_series(folder, slices=3, size=256, pixel_mm=1.5)
    return folder


@pytest.fixture
def measure() -> Callable[..., Any]:
    return lambda *words: CliRunner().invoke(main.app, ["measure", *map(str, words)])


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Return a run in a process of its own, in which a traceback would be seen."""
    code = "from ctiqa.cli.main import run; run()"
    command = [sys.executable, "-c", code, "measure", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(command, text=True, check=False, env=environment, **options)


def test_a_folder_becomes_a_table_on_stdout_and_a_summary_on_stderr(
    measure: Callable[..., Any], scan: Path
) -> None:
    shown = measure(scan)
    assert shown.exit_code == 0
    rows = rows_of(shown.stdout)
    assert tuple(rows[0]) == COLUMNS
    assert [row["level"] for row in rows] == ["slice"] * 3 + ["series", "exam"]
    assert all(row["noise_hu"] for row in rows)
    assert "3 slices measured" in shown.stderr
    assert "mm of water" in shown.stderr


@pytest.mark.parametrize("name", ["out.csv", "out.JSON"])
def test_results_go_to_a_file_and_nothing_to_stdout(
    measure: Callable[..., Any], scan: Path, tmp_path: Path, name: str
) -> None:
    shown = measure(scan, "-o", tmp_path / name, "-q")
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", "")
    text = (tmp_path / name).read_text("utf-8")
    rows = json.loads(text)["slices"] if "JSON" in name else rows_of(text)
    assert len(rows) == (3 if "JSON" in name else 5)


def test_json_goes_to_stdout_on_request(measure: Callable[..., Any], scan: Path) -> None:
    data = json.loads(measure(scan, "--json", "--step", "2").stdout)
    assert data["step"] == 2
    assert len(data["slices"]) == 2
    assert data["series"][0]["slices"] == 2


@pytest.mark.parametrize(
    "arguments", [["-o", "out.txt"], ["-o", "out"], ["--step", "0"], ["--threads", "0"]]
)
def test_a_wrong_option_is_refused_before_any_work(
    measure: Callable[..., Any], scan: Path, arguments: list[str]
) -> None:
    shown = measure(scan, *arguments)
    assert (shown.exit_code, shown.stdout) == (2, "")


def test_every_refused_image_has_a_row_and_a_sentence_and_the_code_is_1(
    measure: Callable[..., Any], write_dicom: WriteDicom, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).normal(1064, 10, (64, 64)).round().astype(np.int16)
    good = write_dicom("scan/good.dcm", noise)
    folder = good.parent
    (folder / "cut-pixels.dcm").write_bytes(good.read_bytes()[:-500])
    (folder / "empty.dcm").write_bytes(b"")
    (folder / "words.dcm").write_text("no image")
    write_dicom("scan/mr.dcm", noise, Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    write_dicom("scan/blank.dcm", np.zeros((64, 64), np.int16))
    shown = measure(folder, tmp_path / "nowhere", "--verbose")
    assert shown.exit_code == 1
    rows = rows_of(shown.stdout)
    refused = {Path(row["path"]).name for row in rows if row["status"] == "not_measured"}
    assert refused == {
        "cut-pixels.dcm",
        "empty.dcm",
        "words.dcm",
        "mr.dcm",
        "blank.dcm",
        "nowhere",
    }
    assert all(f"{name}: " in shown.stderr for name in refused)
    measured = [row for row in rows if row["level"] == "slice" and row["status"] == "measured"]
    assert [row["path"] for row in measured] == ["scan/good.dcm"]


def test_more_refused_images_than_fit_are_counted(
    measure: Callable[..., Any], write_dicom: WriteDicom
) -> None:
    folder = write_dicom("scan/0.dcm").parent
    for number in range(13):
        (folder / f"words-{number}.dcm").write_text("no image")
    shown = measure(folder)
    assert shown.stderr.count("Not measured: ") == 10
    assert "... and 4 more not measured" in shown.stderr


def test_a_full_disk_leaves_nothing_behind(scan: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    path = tmp_path / "out" / "m.csv"
    done = process(scan, "-o", path, "-q", capture_output=True, preexec_fn=fill)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ctiqa: {path}: File too large")
    assert list(path.parent.iterdir()) == []


def test_no_name_and_no_identifier_of_a_patient_is_written(
    measure: Callable[..., Any], write_dicom: WriteDicom
) -> None:
    noise = np.random.default_rng(0).normal(1064, 10, (64, 64)).round().astype(np.int16)
    shown = measure(write_dicom("scan/0.dcm", noise).parent, "--json", "--verbose")
    for word in ("Somebody", "4711", "19700101", "patient"):
        assert word not in shown.stdout + shown.stderr


def test_measuring_needs_neither_torch_nor_a_model() -> None:
    code = (
        "import sys\nimport ctiqa.cli.measure, ctiqa.outputs.tables\n"
        "from ctiqa.protocol import measure_series\n"
        "heavy = {'torch', 'onnxruntime', 'pandas'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
