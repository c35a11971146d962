"""A network of Table 4 goes the way of the CNN-ViT: teachers, student, file, scores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from typer.testing import CliRunner

from ctiqa.cli.main import app
from ctiqa.corpus.store import Corpus
from ctiqa.errors import ModelError
from ctiqa.model.comparators import Comparator
from ctiqa.scoring.scorer import Scorer
from ctiqa.training.checkpoint import load_weights
from ctiqa.training.distil import distil, repeat_outputs
from ctiqa.training.finished import finished
from ctiqa.training.recipe import parse_recipe
from ctiqa.training.teachers import new_network, train_teachers

TEXT = Path(__file__).with_name("small.toml").read_text(encoding="utf-8")


def recipe(name: str, **tables: Any) -> Any:
    text = TEXT.replace("passes_per_epoch = 2", "passes_per_epoch = 1")
    text = f'{text}init = "teacher"\n[comparator]\nname = "{name}"\n'
    read = parse_recipe(text, name="a.toml")
    return replace(
        read, **{table: replace(getattr(read, table), **new) for table, new in tables.items()}
    )


@pytest.fixture(scope="module")
def run(
    corpus: Corpus, fakes: Any, fabric: Fabric, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """A run of two teachers and their student, two steps each."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs") / "run"
    for train in (train_teachers, distil):
        watch = fakes.Silent()
        train(corpus, recipe("googlenet"), folder, fabric=fabric, watch=watch)
        assert [step[:2] for step in watch.steps][:2] == [(0, 1), (1, 1)]
    return folder


def test_a_recipe_without_a_comparator_is_no_recipe_of_its_weights(run: Path) -> None:
    weights = run / "teacher-0" / "weights.safetensors"
    load_weights(new_network(recipe("googlenet"), seed=0), weights)
    with pytest.raises(ModelError, match="belongs to a network of another shape"):
        load_weights(new_network(recipe(""), seed=0), weights)


def test_a_trained_comparator_is_exported_and_scores_as_it_was_trained(
    run: Path, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["export", str(run), "-o", str(tmp_path / "model.onnx")])
    assert done.exit_code == 0, done.stderr
    scorer = Scorer(tmp_path / "model.onnx")
    network, card = finished(run, "student", note={})
    assert isinstance(network, Comparator)
    assert (scorer.card, card.outputs, card.size) == (card, 2, 64)
    hu = 300 * torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        ours = network(hu, torch.ones(len(hu))).numpy()
    for count in (1, 3):
        scores = scorer.score_batch(hu[:count].numpy(), 0.7)
        np.testing.assert_allclose(scores, ours[:count], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["resnet50", "densenet121", "googlenet"])
def test_a_student_can_start_as_its_first_teacher(name: str) -> None:
    teacher = new_network(recipe(name), seed=1)
    student = new_network(recipe(name), seed=2, members=3)
    repeat_outputs(teacher, student)
    hu, sides = 100 * torch.randn(2, 64, 64), torch.ones(2)
    with torch.inference_mode():
        expected = teacher.eval()(hu, sides).expand(2, 3)
        torch.testing.assert_close(student.eval()(hu, sides), expected)
