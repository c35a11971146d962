"""``ctiqa study`` from a corpus to pages, killed on its way."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ctiqa.cli.main import app
from ctiqa.corpus.store import Corpus
from ctiqa.measures.agreement import agreement
from ctiqa.study.kept import images_path, read_images, read_kept, scores_path
from ctiqa.study.run_table import RunTable

pytestmark = pytest.mark.usefixtures("_one_thread")

PROGRAM = "from ctiqa.cli.main import run; run()"
CHOSEN = "blocks4-seed0-student-beta0.75"


def ctiqa(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def options(folder: Path, tiny: Path) -> tuple[Any, ...]:
    return ("-o", folder, "--scale", tiny, "--seeds", 1, "--accelerator", "cpu", "--threads", 1)


def finished(folder: Path) -> list[Path]:
    return sorted((folder / "runs").rglob("result.json"))


@pytest.fixture(scope="module")
def study(five_patients: Corpus, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Table 2, begun by a process that is killed after two runs, ended by another."""
    folder = tmp_path_factory.mktemp("studies") / "study"
    words = ("study", "table2", five_patients.folder, *options(folder, tiny))
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 300
    while not (folder / "runs.csv").exists() or len(finished(folder)) < 2:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    before = {path: path.stat().st_mtime_ns for path in finished(folder)}
    ended = ctiqa(*words)
    assert ended.exit_code == 0, ended.stderr
    return folder, before, ended


def test_a_killed_study_goes_on_and_trains_nothing_again(study: Any) -> None:
    folder, before, ended = study
    assert len(before) >= 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert ended.stderr.splitlines()[-1] == "10 of 10 runs done, 0 running, 0 left"
    assert {one.state for one in RunTable(folder / "runs.sqlite").records()} == {"done"}


def test_the_table_of_runs_has_recipe_seed_state_device_seconds_and_figures(study: Any) -> None:
    folder, _, _ = study
    rows = {
        row["name"]: row for row in csv.DictReader((folder / "runs.csv").read_text().splitlines())
    }
    assert len(rows) == 10
    row = rows[CHOSEN]
    assert (row["state"], row["seed"], row["device"]) == ("done", "0", "cpu, 1 threads, 32-true")
    assert float(row["seconds"]) > 0
    assert float(row["opm"]) >= abs(float(row["signed_opm"])) > 0
    assert 0 <= float(row["gate_share"]) <= 1
    assert (folder / "runs" / row["folder"] / "recipe.toml").exists()
    assert rows["blocks4-seed0-teacher0"]["gate_share"] == ""


def test_figures_are_those_of_the_kept_scores_on_the_test_patients(
    study: Any, five_patients: Corpus
) -> None:
    folder, _, _ = study
    images, score = (
        read_images(images_path(folder, "images")),
        read_kept(scores_path(folder, CHOSEN)).score,
    )
    assert set(images.patient) == {"test"}
    assert images.dose.tolist() == [1.0, 0.75, 0.5, 0.25] * 2
    assert images.slice_id.tolist() == ["test-0"] * 4 + ["test-1"] * 4
    (record,) = RunTable(folder / "runs.sqlite").records([CHOSEN])
    assert record.figures["mae"] == pytest.approx(agreement(score, images.reference).mae, rel=1e-5)
    assert np.unique(score).size == score.size
    assert images.train.reference.size == 4 * len(five_patients.where("train"))


def test_checkpoints_of_what_is_done_are_deleted_and_weights_stay(study: Any) -> None:
    folder, _, _ = study
    assert not list((folder / "runs").rglob("checkpoint.safetensors"))
    assert len(list((folder / "runs").rglob("weights.safetensors"))) == 10


def test_a_page_begins_with_its_command_then_data_scale_device_and_date(study: Any) -> None:
    folder, _, _ = study
    lines = (folder / "table2.md").read_text("utf-8").splitlines()
    assert lines[0] == "`ctiqa study table2 corpus -o study --scale tiny.toml --seeds 1`"
    starts = [line.partition(":")[0] for line in lines[2:9] if line]
    assert starts == ["# Table 2", "- data", "- scale", "- device", "- date", "- done"]


def test_what_other_tables_share_is_not_trained_again(
    study: Any, five_patients: Corpus, tiny: Path
) -> None:
    folder, _, _ = study
    before = {path: path.stat().st_mtime_ns for path in finished(folder)}
    shown = ctiqa("study", "figure4", five_patients.folder, *options(folder, tiny))
    assert shown.exit_code == 0, shown.stderr
    assert " epoch " not in shown.stderr
    assert {path: path.stat().st_mtime_ns for path in finished(folder)} == before
    assert (folder / "figure4.png").read_bytes().startswith(b"\x89PNG")
    assert "![" in (folder / "figure4.md").read_text("utf-8")


def test_pages_are_made_again_without_torch_or_the_corpus(study: Any, tmp_path: Path) -> None:
    folder, _, _ = study
    copy = tmp_path / "study"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("runs"))
    page = copy / "table2.md"
    before = page.read_text("utf-8")
    page.unlink()
    code = (
        "import sys\nfrom ctiqa.cli.main import run\n"
        "try:\n    run()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "sys.exit('torch' in sys.modules)"
    )
    words = ["study", "table2", "gone", "-o", str(copy), "--seeds", "1", "--only-pages"]
    subprocess.run([sys.executable, "-c", code, *words], check=True, stderr=subprocess.DEVNULL)
    assert page.read_text("utf-8").splitlines()[1:] == before.splitlines()[1:]


def test_a_folder_never_mixes_two_scales_or_two_corpora(
    study: Any, five_patients: Corpus, tiny: Path, small_corpus: Any, tmp_path: Path
) -> None:
    folder, _, _ = study
    refused = ctiqa("study", "table2", five_patients.folder, "-o", folder, "--scale", "compact")
    assert refused.exit_code == 1
    assert "holds a study at scale tiny by another recipe" in refused.stderr
    other = small_corpus(tmp_path / "other", patients=("f", "g", "h", "i", "j"), slices=1)
    refused = ctiqa("study", "table2", other.folder, *options(folder, tiny))
    assert refused.exit_code == 1
    assert "holds a study on another corpus (corpus)" in refused.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("doses = [1, 0.75, 0.5, 0.25]", "doses = [1, 0.1]"), "holds no images at dose 0.1"),
        (("[student]", "[teachers]\nfolds = 6\n[student]"), "fewer than the 6 folds"),
        (("[student]", "[teachers]\nfolds = 4\n[student]"), "5 members need as many folds"),
        (("epochs = 1", "epoch = 1"), 'unknown key "epoch"'),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_sentence_before_any_training(
    five_patients: Corpus, tiny: Path, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    recipe = tmp_path / "changed.toml"
    recipe.write_text(tiny.read_text("utf-8").replace(*change), "utf-8")
    folder = tmp_path / "study"
    refused = ctiqa("study", "table1", five_patients.folder, "-o", folder, "--scale", recipe)
    assert refused.exit_code == 1
    assert words in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not folder.exists()


def test_a_corpus_without_test_patients_is_refused(
    small_corpus: Any, tiny: Path, tmp_path: Path
) -> None:
    corpus = small_corpus(tmp_path / "corpus", patients=("a", "b", "c", "d", "e"), slices=1)
    table = corpus.folder / "slices.csv"
    table.write_text(table.read_text().replace(",test,test,", ",spare,test,"))
    refused = ctiqa("study", "table1", corpus.folder, *options(tmp_path / "study", tiny))
    assert refused.exit_code == 1
    assert "holds no slice of split 'test'" in refused.stderr


def test_pages_of_no_study_are_refused(tmp_path: Path) -> None:
    refused = ctiqa("study", "table1", "corpus", "-o", tmp_path, "--only-pages")
    assert refused.exit_code == 1
    assert "holds no study" in refused.stderr


def test_a_run_that_fails_is_named_and_the_command_ends_with_code_1(
    five_patients: Corpus, tiny: Path, tmp_path: Path
) -> None:
    recipe, folder = tmp_path / "bad.toml", tmp_path / "study"
    bad = tiny.read_text("utf-8").replace("[student]", '[vit]\nweights = "none.pth"\n[student]')
    recipe.write_text(bad, "utf-8")
    ended = ctiqa("study", "figure4", five_patients.folder, *options(folder, recipe))
    assert ended.exit_code == 1
    assert "blocks4-seed0-teacher0 failed: " in ended.stderr
    rows = list(csv.DictReader((folder / "runs.csv").read_text().splitlines()))
    assert [row["state"] for row in rows] == ["failed"] * 4 + ["waiting"]
    assert "none.pth" in rows[0]["reason"]


def test_help_says_how_and_does_not_wait_for_torch() -> None:
    code = (
        "import sys\nfrom ctiqa.cli.main import run\n"
        "try:\n    run()\n"
        "except SystemExit:\n    pass\n"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, "study", "--help"], check=True, capture_output=True, text=True
    )
    assert "ctiqa study table1 corpus -o study" in shown.stdout
