"""Train the head that says where a slice loses quality, on top of a student."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ctiqa.corpus.loss_map import CELLS
from ctiqa.corpus.map_examples import MapExamples
from ctiqa.corpus.split import folds
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError, ModelError, RecipeError
from ctiqa.measures.agreement import agreement
from ctiqa.model.cnn_vit import CnnVit
from ctiqa.model.map_head import MapLearner
from ctiqa.training.checkpoint import WEIGHTS, load_weights
from ctiqa.training.course import Course, Images, Row, Share, Watch
from ctiqa.training.distil import student_folder
from ctiqa.training.judge import figures
from ctiqa.training.loop import fit
from ctiqa.training.losses import Cost
from ctiqa.training.recipe import Recipe, read_recipe
from ctiqa.training.teachers import RECIPE, RESULT, begin, new_network, origin, report

__all__ = ["map_folder", "student_with_map", "train_quality_map"]

_FEWEST_CELLS = 10


def map_folder(run: Path) -> Path:
    """Return where the head lies in the folder of its run."""
    return run / "quality-map"


def train_quality_map(
    corpus: Corpus, run: Path, *, fabric: Fabric, watch: Watch, restart: bool = False
) -> None:
    """Train the head of a run's student, going on where it stopped; the student stays as it is.

    The first part of the training patients is left out, and the head is checked on it; the student
    beneath has seen these patients, so that only the test patients tell what the map is worth.

    Args:
        corpus: open and degraded; only split "train" is used.
        run: folder with the trained student.
        fabric: launched.
        watch: is told how it goes.
        restart: begin anew instead of going on.

    Raises:
        CtiqaError: in words for a person, whatever stands in the way.
    """
    both, recipe = _untrained(run)
    plan = recipe.quality_map
    share = _share(corpus, recipe)
    folder = map_folder(run)
    begin(folder, recipe, fabric, restart=restart)
    course = Course(
        folder=folder,
        train=share.train,
        check=share.check,
        objective=lambda lost, _, label: _cost(lost, label, recipe),
        plan=replace(recipe.optimiser, epochs=plan.epochs, lr=plan.lr, lr_min=min(1e-6, plan.lr)),
        seed=plan.seed,
        keep="last",
        origin={**origin(corpus), "student": _sha256(student_folder(run) / WEIGHTS)},
    )
    rows = fit(fabric, both, course, watch, judge=_judged)
    if fabric.is_global_zero:
        report(course, share, rows, corpus, fabric)


def student_with_map(run: Path) -> MapLearner | None:
    """Return the student of a run with its trained head; None where nobody trained one.

    Raises:
        ModelError: if the head was trained on top of another student than is there now.
    """
    folder = map_folder(run)
    if not (folder / RESULT).exists():
        return None
    both, _ = _untrained(run)
    known = json.loads((folder / RESULT).read_text(encoding="utf-8"))["student"]
    if known != _sha256(student_folder(run) / WEIGHTS):
        raise ModelError(
            f"{folder} was trained on top of another student; give 'ctiqa quality-map' again with "
            "--restart, or delete the folder"
        )
    load_weights(both, folder / WEIGHTS)
    return both.eval()


def _untrained(run: Path) -> tuple[MapLearner, Recipe]:
    """Return the student of a run with a head that is drawn, and its recipe."""
    folder = student_folder(run)
    if not (folder / RESULT).exists():
        raise ModelError(f"{folder} is not trained to the end; train it by 'ctiqa distil'")
    recipe = read_recipe(folder / RECIPE)
    plan = recipe.quality_map
    student = new_network(recipe, seed=plan.seed, members=recipe.student.outputs)
    if not isinstance(student, CnnVit):
        raise RecipeError(f"{folder} is no CNN-ViT, and only that has a quality map")
    load_weights(student, folder / WEIGHTS)
    return MapLearner(student, cells=CELLS, filters=plan.filters), recipe


def _share(corpus: Corpus, recipe: Recipe) -> Share:
    indices = corpus.where("train")
    owners = [corpus.slices[index].facts.patient for index in indices]
    parts = folds(owners, count=recipe.teachers.folds, seed=recipe.teachers.fold_seed)
    learnt = [index for index, part in zip(indices, parts, strict=True) if part]
    out = [index for index, part in zip(indices, parts, strict=True) if not part]
    left_out = [corpus.slices[index].facts.patient for index in out]
    return Share(
        MapExamples(corpus, learnt, recipe.quality_map.passes),
        MapExamples(corpus, out),
        {name: left_out.count(name) for name in sorted(set(left_out))},
        "images left out",
    )


def _cost(lost: Tensor, label: Tensor, recipe: Recipe) -> Cost:
    """Return the loss over the cells within the body; the others have no label."""
    body = ~label.isnan()
    each = recipe.loss(lost.float()[body] - label[body])
    return Cost(each.sum() / body.sum().clamp(min=1))


@torch.inference_mode()
def _judged(fabric: Fabric, network: nn.Module, images: Images, batch: int) -> Row:
    """Return how well cells agree with their labels, all together and within each slice."""
    ours, labels, within = [], [], []
    for each in images.in_order(batch=batch):
        with fabric.autocast():
            lost = network(fabric.to_device(each.hu)).float().cpu().double().numpy()
        for one, label in zip(lost, each.q.double().numpy(), strict=True):
            body = ~np.isnan(label)
            if body.sum() < _FEWEST_CELLS:
                continue
            ours.append(one[body])
            labels.append(label[body])
            within.append(agreement(ours[-1], labels[-1]).srocc)
    if not within:
        raise CorpusError("there is no slice with a body to check on; give a corpus with more")
    row = figures(np.concatenate(ours), np.concatenate(labels))
    return {**row, "slice_srocc": float(np.median(within))}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
