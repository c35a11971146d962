"""``ctiqa score``: one row for each image whatever it holds, one sentence for what went wrong."""

import csv
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from ctiqa.card import Card
from ctiqa.cli import main
from ctiqa.scoring.columns import COLUMNS

WriteDicom = Callable[..., Path]

# Mean of the HU in thousands plus a half.
NETWORK = """
<ir_version: 8, opset_import: ["" : 17]>
mean (float[N, 64, 64] hu) => (float[N, 1] scores)
<float thousandth = {0.001}, float half = {0.5}>
{
   mean = ReduceMean<axes = [1, 2], keepdims = 0>(hu)
   unit = Mul(mean, thousandth)
   last = Constant<value_ints = [1]>()
   column = Unsqueeze(unit, last)
   scores = Add(column, half)
}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    card = Card(name="mean", outputs=1, size=64, windows_hu=((2000.0, 0.0),))
    network = onnx.parser.parse_model(NETWORK)
    onnx.helper.set_model_props(network, {"ctiqa_card": card.to_json()})
    path = tmp_path / "mean.onnx"
    path.write_bytes(network.SerializeToString())
    return path


@pytest.fixture
def scan(write_dicom: WriteDicom) -> Path:
    for number in range(3):
        path = write_dicom(f"scan/{number}.dcm", water(number))
    return path.parent


@pytest.fixture
def score(model: Path) -> Callable[..., Any]:
    """Return ``ctiqa score`` with the model of these tests."""

    def run(*arguments: str | Path, **environment: str) -> Any:
        told = {"CTIQA_MODEL": str(model)} | environment
        return CliRunner().invoke(main.app, ["score", *map(str, arguments)], env=told)

    return run


def water(number: int) -> np.ndarray:
    noise = np.random.default_rng(number).normal(0, 10, (64, 64))
    return (noise + 1024).round().astype(np.int16)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Return a run in a process of its own, in which a traceback would be seen."""
    code = "from ctiqa.cli.main import run; run()"
    command = [sys.executable, "-c", code, "score", *map(str, arguments)]
    # Without its buffer stdout would fail earlier than it does for a user.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(command, text=True, check=False, env=environment, **options)


def test_a_folder_becomes_a_table_on_stdout_and_a_summary_on_stderr(
    score: Callable[..., Any], scan: Path
) -> None:
    shown = score(scan)
    assert shown.exit_code == 0
    rows = rows_of(shown.stdout)
    assert tuple(rows[0]) == COLUMNS
    assert [row["path"] for row in rows] == ["0.dcm", "1.dcm", "2.dcm"]
    assert all(abs(float(row["score"]) - 0.5) < 0.01 for row in rows)
    assert "Score in [0, 1], higher is better. Model mean" in shown.stderr
    assert "3 slices, 3 scored, 0 with caution, 0 not scored" in shown.stderr


@pytest.mark.parametrize("name", ["scores.csv", "scores.JSON"])
def test_results_go_to_a_file_and_nothing_to_stdout(
    score: Callable[..., Any], scan: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    shown = score(scan, "-o", path)
    assert (shown.exit_code, shown.stdout) == (0, "")
    text = path.read_text("utf-8")
    rows = json.loads(text)["slices"] if "JSON" in name else rows_of(text)
    assert len(rows) == 3


def test_json_goes_to_stdout_on_request(score: Callable[..., Any], scan: Path) -> None:
    data = json.loads(score(scan, "--json").stdout)
    assert data["meaning"] == "score in [0, 1], higher is better"
    assert data["series"][0]["slices"] == 3


def test_quiet_leaves_the_table_alone(score: Callable[..., Any], scan: Path) -> None:
    shown = score(scan, "--quiet")
    assert shown.stderr == ""
    assert shown.stdout == score(scan).stdout


def test_every_third_slice_is_scored_on_request(score: Callable[..., Any], scan: Path) -> None:
    assert [row["path"] for row in rows_of(score(scan, "--step", "3").stdout)] == ["0.dcm"]


def test_an_option_is_stronger_than_its_twin_in_the_environment(
    score: Callable[..., Any], scan: Path, model: Path
) -> None:
    assert score(scan, CTIQA_DEVICE="tpu").exit_code == 1
    assert score(scan, "--device", "cpu", CTIQA_DEVICE="tpu").exit_code == 0
    assert score(scan, CTIQA_MODEL="nowhere.onnx").exit_code == 1
    assert score(scan, "--model", model, CTIQA_MODEL="nowhere.onnx").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "scores.txt"],
        ["--series-table", "series"],
        ["--manifest", "m.txt"],
        ["--step", "0"],
        ["--batch", "none"],
        ["--threads"],
    ],
)
def test_a_wrong_option_is_refused_before_any_work(
    score: Callable[..., Any], scan: Path, arguments: list[str]
) -> None:
    shown = score(scan, *arguments)
    assert (shown.exit_code, shown.stdout) == (2, "")


def test_every_refused_image_has_a_row_and_a_sentence_and_the_code_is_1(
    score: Callable[..., Any], scan: Path, write_dicom: WriteDicom, tmp_path: Path
) -> None:
    whole = (scan / "0.dcm").read_bytes()
    (scan / "cut-header.dcm").write_bytes(whole[:400])
    (scan / "cut-pixels.dcm").write_bytes(whole[:-500])
    (scan / "empty.dcm").write_bytes(b"")
    (scan / "words.dcm").write_text("no image")
    write_dicom("scan/mr.dcm", water(9), Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    write_dicom("scan/scout.dcm", water(9), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_dicom("scan/blank.dcm", np.zeros((64, 64), np.int16))
    (tmp_path / "hollow").mkdir()
    bad = {"cut-header.dcm", "cut-pixels.dcm", "empty.dcm", "words.dcm", "mr.dcm", "scout.dcm"}
    shown = score(scan, tmp_path / "hollow", tmp_path / "nowhere", "--verbose")
    assert shown.exit_code == 1
    rows = rows_of(shown.stdout)
    refused = {Path(row["path"]).name: row for row in rows if row["status"] == "not_scored"}
    assert set(refused) == bad | {"blank.dcm", "hollow", "nowhere"}
    assert all(row["reasons"] and not row["score"] for row in refused.values())
    assert all(f"{name}: " in shown.stderr for name in refused)
    assert sum(row["status"] == "ok" for row in rows) == 3


def test_a_zip_is_scored_and_a_zip_inside_it_refused(
    score: Callable[..., Any], scan: Path, tmp_path: Path
) -> None:
    inner, outer = tmp_path / "inner.zip", tmp_path / "outer.zip"
    with zipfile.ZipFile(inner, "w") as packed:
        packed.write(scan / "0.dcm", "0.dcm")
    with zipfile.ZipFile(outer, "w") as packed:
        packed.write(scan / "1.dcm", "deep/1.dcm")
        packed.write(inner, "inner.zip")
    shown = score(outer)
    assert shown.exit_code == 1
    statuses = {Path(row["path"]).name: row["status"] for row in rows_of(shown.stdout)}
    assert statuses == {"1.dcm": "ok", "inner.zip": "not_scored"}


def test_more_refused_images_than_fit_are_counted(score: Callable[..., Any], scan: Path) -> None:
    for number in range(14):
        (scan / f"words-{number}.dcm").write_text("no image")
    shown = score(scan)
    assert shown.stderr.count("Not scored: ") == 10
    assert "... and 4 more not scored" in shown.stderr
    assert len(rows_of(shown.stdout)) == 17


def test_reasons_for_caution_are_counted(
    score: Callable[..., Any], write_dicom: WriteDicom
) -> None:
    for number in range(3):
        path = write_dicom(f"small/{number}.dcm", water(number)[:48, :48].copy())
    shown = score(path.parent)
    assert shown.exit_code == 0
    assert "Caution (3 of 3): padded from 48 x 48 to 64 x 64" in shown.stderr


def test_a_damaged_model_is_one_sentence(scan: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.onnx"
    path.write_bytes(b"\x08\x08" * 500)
    done = process(scan, "--model", path, capture_output=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ctiqa: ")
    assert done.stderr.count("\n") == 1


def test_a_damaged_scan_gives_no_traceback(scan: Path, model: Path) -> None:
    rng = np.random.default_rng(0)
    whole = (scan / "0.dcm").read_bytes()
    for number in range(20):
        damaged = bytearray(whole)
        for place in rng.integers(128, 1200, 20):
            damaged[place] = int(rng.integers(256))
        (scan / f"damaged-{number}.dcm").write_bytes(damaged)
    done = process(scan, "--model", model, capture_output=True)
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}
    assert len(rows_of(done.stdout)) == 23


def test_a_full_disk_leaves_nothing_behind(scan: Path, model: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    path = tmp_path / "out" / "scores.csv"
    done = process(scan, "-m", model, "-o", path, "-q", capture_output=True, preexec_fn=fill)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ctiqa: {path}: File too large")
    assert done.stderr.count("\n") == 1
    assert list(path.parent.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_stdout_is_one_sentence(scan: Path, model: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = process(scan, "-m", model, "-q", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == (
        "ctiqa: the results could not be printed (No space left on device); use -o\n"
    )


def test_a_reader_that_goes_away_is_no_reason_for_words(scan: Path, model: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        done = process(scan, "-m", model, "-q", stdout=gone, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_without_the_right_to_read_it_is_a_row(
    score: Callable[..., Any], scan: Path
) -> None:
    (scan / "1.dcm").chmod(0)
    shown = score(scan)
    assert shown.exit_code == 1
    statuses = [row["status"] for row in rows_of(shown.stdout)]
    assert sorted(statuses) == ["not_scored", "ok", "ok"]


def test_no_name_and_no_identifier_of_a_patient_is_written(
    score: Callable[..., Any], scan: Path
) -> None:
    shown = score(scan, "--json", "--verbose")
    for word in ("Somebody", "4711", "19700101", "patient"):
        assert word not in shown.stdout + shown.stderr


def test_a_manifest_knows_the_files_that_were_written(
    score: Callable[..., Any], scan: Path, tmp_path: Path
) -> None:
    files = [tmp_path / "scores.parquet", tmp_path / "series.csv"]
    manifest = tmp_path / "manifest.json"
    shown = score(scan, "-o", files[0], "--series-table", files[1], "--manifest", manifest)
    assert (shown.exit_code, shown.stdout) == (0, "")
    written = json.loads(manifest.read_text("utf-8"))
    digests = [sha256(path.read_bytes()).hexdigest() for path in files]
    assert [each["sha256"] for each in written["outputs"]] == digests
    assert (written["inputs"], written["images"], written["exit_status"]) == (1, 3, 0)


def test_a_report_is_a_page_beside_the_table_for_a_folder_a_zip_and_a_volume(
    score: Callable[..., Any], scan: Path, tmp_path: Path
) -> None:
    zipped, volume = tmp_path / "scan.zip", tmp_path / "scan.nii"
    with zipfile.ZipFile(zipped, "w") as packed:
        for file in scan.iterdir():
            packed.write(file, file.name)
    stack = np.stack([water(number) - np.int16(1024) for number in range(3)], axis=-1)
    stack[:4] = -1000
    nibabel.save(nibabel.Nifti1Image(stack, np.diag([0.75, 0.75, 1, 1])), volume)
    written = {}
    for given in (scan, zipped, volume):
        folder = tmp_path / f"pages-{given.name}"
        shown = score(given, "--report", folder)
        assert shown.exit_code == 0, shown.stderr
        assert len(rows_of(shown.stdout)) == 3
        (written[given],) = folder.iterdir()
        assert f"Report: {written[given]}" in shown.stderr
    assert written[scan].name == written[zipped].name
    assert all(page.read_text("utf-8").count("data:image/png") == 3 for page in written.values())


def test_a_series_without_a_score_gets_no_page_and_the_code_is_1(
    score: Callable[..., Any], scan: Path, write_dicom: WriteDicom, tmp_path: Path
) -> None:
    write_dicom("scan/blank.dcm", np.zeros((64, 64), np.int16), SeriesInstanceUID="1.2.3.4")
    shown = score(scan, "--report", tmp_path / "pages")
    assert shown.exit_code == 1
    assert "ctiqa: 1.2.3.4: no slice was scored" in shown.stderr
    assert len(rows_of(shown.stdout)) == 4
    assert len(list((tmp_path / "pages").glob("series-*.html"))) == 1


def test_a_report_into_a_file_is_refused_before_any_work(
    score: Callable[..., Any], scan: Path
) -> None:
    shown = score(scan, "--report", scan / "0.dcm")
    assert (shown.exit_code, shown.stdout) == (2, "")


def test_structured_reports_are_written_beside_the_table(
    score: Callable[..., Any], scan: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "reports"
    shown = score(scan, "--sr", folder)
    assert shown.exit_code == 0
    assert len(rows_of(shown.stdout)) == 3
    files = sorted(path.name for path in folder.iterdir())
    assert [name[:3] for name in files] == ["sc-", "sr-"]
    assert all(name in shown.stderr for name in files)


def test_a_series_that_cannot_be_reported_is_named_and_fails_the_run(
    score: Callable[..., Any], write_dicom: WriteDicom, tmp_path: Path
) -> None:
    scan = write_dicom("nameless/0.dcm", water(0), StudyInstanceUID=None).parent
    shown = score(scan, "--sr", tmp_path / "reports", "-q")
    assert shown.exit_code == 1
    assert len(rows_of(shown.stdout)) == 1
    assert "No structured report of series" in shown.stderr


def test_maps_are_written_beside_the_table_and_on_the_pages_and_change_no_score(
    map_model: Path, write_dicom: WriteDicom, tmp_path: Path
) -> None:
    for number in range(3):
        noise = np.random.default_rng(number).normal(1064, 20, (128, 128))
        scan = write_dicom(f"noisy/{number}.dcm", noise.astype(np.int16)).parent
    run = CliRunner().invoke
    bare = run(main.app, ["score", str(scan), "-m", str(map_model), "-q"])
    maps, pages = tmp_path / "maps", tmp_path / "pages"
    line = ["score", str(scan), "-m", str(map_model), "--quality-map", maps, "--report", pages]
    done = run(main.app, [*map(str, line), "--manifest", str(tmp_path / "run.json")])
    assert (bare.exit_code, done.exit_code) == (0, 0), done.stderr
    assert done.stdout == bare.stdout
    assert f"{maps}: 3 pictures, 1 in NIfTI, 1 in DICOM, which name the patient" in done.stderr
    (page,) = pages.iterdir()
    assert page.read_text("utf-8").count("<figcaption>where quality is lost") == 3
    forms = [each["form"] for each in json.loads((tmp_path / "run.json").read_text())["outputs"]]
    assert sorted(forms) == [".dcm", ".gz", ".html", ".png", ".png", ".png"]


def test_a_model_without_a_map_is_refused_before_any_work(
    score: Callable[..., Any], scan: Path, tmp_path: Path
) -> None:
    done = score(scan, "--quality-map", tmp_path / "maps")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "ctiqa: the model mean gives scores and no quality map; train one by 'ctiqa quality-map'\n"
    )
    assert not (tmp_path / "maps").exists()
