"""From scans to a score: the commands of the page about training, run from top to bottom.

The scans are synthetic and few, and a recipe of its own takes the place of the compact one, so that
all of it takes seconds.
"""

import csv
import hashlib
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ctiqa.cli.main import app
from ctiqa.corpus.store import Corpus
from ctiqa.images.phantom import write_phantom_series
from ctiqa.scoring.scorer import Scorer

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to" / "train.md").read_text("utf-8")
EVALUATING = (ROOT / "docs" / "how-to" / "evaluate.md").read_text("utf-8")
RECIPE = Path(__file__).with_name("pipeline.toml")
MIXTURE = Path(__file__).with_name("pipeline_mixture.toml")
SPLITS = {0: "train", 1: "train", 2: "test"}
SLICES = 3


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which every command of the page was given."""
    folder = tmp_path_factory.mktemp("desk")
    rows = ["patient,split"]
    for seed, split in SPLITS.items():
        scan = folder / "scans" / str(seed)
        write_phantom_series(scan, slices=SLICES, seed=seed, noise_sd_hu=25 + 5 * seed)
        rows.append(f"PHANTOM-chest-{seed},{split}")
    (folder / "splits.csv").write_text("\n".join(rows), "utf-8")
    shutil.copytree(folder / "scans" / "2", folder / "scan")
    (folder / "recipes" / "mixtures").mkdir(parents=True)
    shutil.copy(RECIPE, folder / "recipes" / "compact.toml")
    shutil.copy(MIXTURE, folder / "recipes" / "mixtures" / "standard.toml")
    note = re.search(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert note
    (folder / "data.toml").write_text(note[1], "utf-8")
    threads = torch.get_num_threads()
    # Threads that wait for one another cost more here than they bring.
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("OMP_NUM_THREADS", "1")
        for command in re.findall(r"^ctiqa (.+)$", PAGE, re.MULTILINE):
            done = CliRunner().invoke(app, shlex.split(command))
            assert done.exit_code == 0, f"{command}: {done.stderr} {done.exception!r}"
    torch.set_num_threads(threads)
    return folder


def test_scores_of_a_patient_nobody_trained_on_fall_with_dose(desk: Path) -> None:
    corpus, scorer = Corpus.open(desk / "corpora" / "mine"), Scorer(desk / "mine.onnx")
    doses = corpus.settings.image_doses
    assert doses == (1.0, 0.75, 0.5, 0.25)
    scores = np.array(
        [
            [
                scorer.score_batch(
                    corpus.image(index, at)[np.newaxis], corpus.pixel_mm(index)
                ).mean()
                for at in range(4)
            ]
            for index in corpus.where("test")
        ]
    )
    assert scores.shape == (SLICES, 4)
    assert (np.diff(scores.mean(axis=0)) < 0).all()
    assert (scores[:, 0] > scores[:, 3]).all()


def test_every_image_of_the_scan_has_a_row_that_names_the_model(desk: Path) -> None:
    with (desk / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sha256 = hashlib.sha256((desk / "mine.onnx").read_bytes()).hexdigest()
    assert len(rows) == SLICES
    assert {(row["model"], row["model_sha256"]) for row in rows} == {("mine", sha256)}
    assert all(0 <= float(row["score"]) <= 1 and float(row["noise_hu"]) > 0 for row in rows)


def test_the_model_says_what_it_was_made_of(desk: Path) -> None:
    card, corpus = Scorer(desk / "mine.onnx").card, Corpus.open(desk / "corpora" / "mine")
    assert card.recipe == RECIPE.read_text("utf-8")
    assert card.trained.corpus_fingerprint == corpus.fingerprint(corpus.where("train"))
    assert [(source.name, source.patients) for source in card.data] == [("Our own scans", 12)]
    assert card.outputs == 2


def test_no_patient_and_no_absolute_path_is_written_anywhere(desk: Path) -> None:
    made = [
        path
        for folder in ("corpora", "runs")
        for path in (desk / folder).rglob("*")
        if path.suffix in {".csv", ".json", ".toml"}
    ]
    assert len(made) > 10
    for path in [*made, desk / "scores.csv"]:
        text = path.read_text("utf-8")
        assert "PHANTOM" not in text, path
        assert str(desk) not in text, path


def test_labels_fall_with_dose_and_noise_rises(desk: Path) -> None:
    for path in (desk / "corpora" / "mine" / "parts").glob("*.json"):
        measured = json.loads(path.read_text("utf-8"))
        assert (np.diff(np.array(measured["ideal"]), axis=0) < 0).all()
        assert (np.diff(measured["noise_hu"]) > 0).all()


def test_an_evaluation_sets_the_model_beside_what_it_has_to_beat(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk)
    (command,) = re.findall(r"^ctiqa (evaluate corpora/.+)$", EVALUATING, re.MULTILINE)
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exit_code == 0, done.stderr
    for row in ("model", "constant", "dose alone", "noise alone", "self label"):
        assert f"| {row}" in (desk / "evaluation.md").read_text("utf-8")
