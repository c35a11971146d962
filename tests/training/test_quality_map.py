"""The network that says where quality is lost: it learns, and it travels with the scores."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ctiqa.cli.main import app
from ctiqa.corpus.degraded_images import FOLDER, LOSS, read_degraded
from ctiqa.corpus.loss_map import CELLS, to_bytes
from ctiqa.corpus.map_examples import MapExamples
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError, RecipeError
from ctiqa.measures.agreement import agreement
from ctiqa.model.map_network import MapNetwork
from ctiqa.model.shape import NetworkShape
from ctiqa.scoring.scorer import Scorer

SMALL = Path(__file__).with_name("small.toml")
SIDE = 2 * CELLS
RECIPE = """
[quality_map]
epochs = 12
passes = 4
lr = 5e-3
"""


def ctiqa(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, fakes: Any) -> Any:
    """Return a corpus with four more images of each slice, one half of them with more noise."""
    corpus = fakes.small_corpus(tmp_path_factory.mktemp("mapped") / "corpus", side=SIDE)
    (corpus.folder / FOLDER).mkdir()
    rng = np.random.default_rng(1)
    none = dict.fromkeys(("score", "noise", "sharpness", "streaks"), 0.5)
    for one in corpus.slices:
        facts = corpus.folder / FOLDER / f"{one.facts.part}.json"
        shares = rng.uniform(0, 1, size=(8, CELLS // 8, CELLS // 8)).repeat(8, 1).repeat(8, 2)
        sd_hu = 400 * shares.repeat(2, 1).repeat(2, 2)
        np.save(
            facts.with_suffix(".npy"),
            (rng.standard_normal(sd_hu.shape) * sd_hu).astype(np.int16)[4:],
        )
        doses = len(corpus.settings.image_doses)
        shares[:doses] = np.nan
        np.save(facts.with_suffix(LOSS), np.stack([to_bytes(share) for share in shares]))
        held = {
            "sigma_mm": 0.7,
            "undegraded": [none] * len(corpus.settings.label_doses),
            "degraded": [{"dose": 1.0, "degradation": {}, **none}] * 4,
        }
        facts.write_text(json.dumps(held))
    return corpus


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Path:
    """Return a run with its student, at a size that shows the grid."""
    folder = tmp_path_factory.mktemp("run")
    text = SMALL.read_text("utf-8").replace("size = 64", f"size = {SIDE}")
    recipe = folder / "recipe.toml"
    recipe.write_text(text.replace("crop = [0, 32]", "crop = [0, 64]") + RECIPE)
    for command in (
        ("train", corpus.folder, "-r", recipe, "-o", folder / "run", "-q"),
        ("distil", corpus.folder, folder / "run", "-q"),
    ):
        done = ctiqa(*command, "--accelerator", "cpu", "--threads", 1)
        assert done.exit_code == 0, done.stderr
    return folder / "run"


def test_the_map_is_learnt_and_leaves_the_scores_as_they_are(
    run: Path, corpus: Corpus, tmp_path: Path
) -> None:
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    assert ctiqa("export", run, "-o", before).exit_code == 0
    done = ctiqa("quality-map", corpus.folder, run, "--accelerator", "cpu", "--threads", 1)
    assert done.exit_code == 0, done.stderr
    again = ctiqa("quality-map", corpus.folder, run, "--accelerator", "cpu")
    assert "quality-map is trained already (12 epochs)" in again.stderr
    assert ctiqa("export", run, "-o", after).exit_code == 0
    index = corpus.where("test")[0]
    hu = corpus.image(index, 6)
    plain, mapped = Scorer(before), Scorer(after)
    batch = hu[None], corpus.pixel_mm(index)
    np.testing.assert_allclose(mapped.score_batch(*batch), plain.score_batch(*batch), atol=1e-5)
    label = corpus.degraded(index).loss_map(6)
    lost = mapped.loss_map(hu, corpus.pixel_mm(index))
    assert agreement(lost.ravel(), label.ravel()).srocc > 0.8


def test_the_map_of_another_corpus_or_recipe_is_not_shipped(run: Path, tmp_path: Path) -> None:
    for name, old, new in (
        ("result.json", '"corpus_fingerprint": "', '"corpus_fingerprint": "0'),
        ("recipe.toml", "lr = ", "lr = 0.1 # "),
    ):
        other = tmp_path / name / "run"
        shutil.copytree(run, other)
        path = other / "quality-map" / name
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
        refused = ctiqa("export", other, "-o", tmp_path / "other.onnx")
        assert refused.exit_code == 1
        assert "was trained by another recipe or corpus than the student" in refused.stderr


def test_a_map_of_less_than_the_slice_is_refused(run: Path, corpus: Corpus, tmp_path: Path) -> None:
    text = (run / "recipe.toml").read_text("utf-8")
    for old, new in ((f"size = {SIDE}", f"size = {SIDE // 2}"), ("[0, 64]", "[0, 32]")):
        text = text.replace(old, new)
    (tmp_path / "recipe.toml").write_text(text)
    refused = ctiqa("quality-map", corpus.folder, tmp_path)
    assert refused.exit_code == 1
    assert f"covers whole slices of {SIDE} pixels a side" in refused.stderr


def test_a_folder_that_is_no_run_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    refused = ctiqa("quality-map", corpus.folder, tmp_path)
    assert refused.exit_code == 1
    assert "recipe.toml" in str(refused.stderr) + str(refused.exception)


def test_image_and_map_are_turned_together(corpus: Corpus) -> None:
    examples = MapExamples(corpus, corpus.where("train"), passes=3)
    assert len(examples) == 3 * len(corpus.where("train"))
    seen = 0
    for batch in examples.epoch(0, seed=0, batch=4):
        for hu, label in zip(batch.hu, batch.q, strict=True):
            if label.isnan().any():
                continue
            blocks = hu.reshape(8, SIDE // 8, 8, SIDE // 8).std(dim=(1, 3))
            strength = label.reshape(8, CELLS // 8, 8, CELLS // 8).mean(dim=(1, 3))
            assert torch.corrcoef(torch.stack([blocks.ravel(), strength.ravel()]))[0, 1] > 0.95
            seen += 1
    assert seen > 3


def test_maps_that_an_older_version_did_not_make_are_asked_for(
    corpus: Corpus, tmp_path: Path
) -> None:
    facts = next((corpus.folder / FOLDER).glob("*.json"))
    shutil.copy(facts, tmp_path / facts.name)
    with pytest.raises(CorpusError, match="give 'ctiqa degrade' again"):
        read_degraded(tmp_path / facts.name).loss_map(0)


def test_a_slice_that_is_no_whole_number_of_cells_is_refused() -> None:
    with pytest.raises(RecipeError, match="multiple of 128"):
        MapNetwork(NetworkShape(size=192, crop=(0, 80)), cells=CELLS, filters=4)


def test_the_map_sees_the_side_of_a_pixel_if_the_scores_do() -> None:
    shape = NetworkShape(size=128, crop=(0, 48), sees_pixel_mm=True)
    hu = torch.randn(2, 128, 128) * 100
    network = MapNetwork(shape, cells=CELLS, filters=4).eval()
    fine, coarse = (network(hu, torch.full((2,), side)) for side in (0.5, 0.9))
    assert not torch.equal(fine, coarse)
    blind = MapNetwork(replace(shape, sees_pixel_mm=False), cells=CELLS, filters=4).eval()
    fine, coarse = (blind(hu, torch.full((2,), side)) for side in (0.5, 0.9))
    assert torch.equal(fine, coarse)
