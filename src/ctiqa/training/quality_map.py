"""Train the network that says where a slice loses quality."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ctiqa.corpus.examples import Batch
from ctiqa.corpus.loss_map import CELLS
from ctiqa.corpus.map_examples import MapExamples
from ctiqa.corpus.split import folds
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError, RecipeError
from ctiqa.measures.agreement import agreement
from ctiqa.model.map_network import MapNetwork
from ctiqa.training.checkpoint import WEIGHTS, load_weights
from ctiqa.training.course import Course, Images, Row, Share, Watch
from ctiqa.training.judge import figures
from ctiqa.training.loop import fit
from ctiqa.training.losses import Cost
from ctiqa.training.recipe import Recipe, read_recipe
from ctiqa.training.teachers import RECIPE, RESULT, begin, origin, report

__all__ = ["map_folder", "train_quality_map", "trained_map"]

_FEWEST_CELLS = 10


def map_folder(run: Path) -> Path:
    """Return where the map lies in the folder of its run."""
    return run / "quality-map"


def train_quality_map(
    corpus: Corpus, run: Path, *, fabric: Fabric, watch: Watch, restart: bool = False
) -> None:
    """Train the map of a run, going on where it stopped.

    The first part of the training patients is left out, and the map is checked on it.

    Args:
        corpus: open and degraded; only split "train" is used.
        run: folder that 'ctiqa train' began.
        fabric: launched.
        watch: is told how it goes.
        restart: begin anew instead of going on.

    Raises:
        CtiqaError: in words for a person, whatever stands in the way.
    """
    recipe = read_recipe(run / RECIPE)
    plan, side = recipe.quality_map, corpus.stored(0, 0).shape[0]
    if recipe.network.size != side:
        raise RecipeError(
            f"a quality map covers whole slices of {side} pixels a side, and [network] size is "
            f"{recipe.network.size}; train a network of size {side} for it"
        )
    share = _share(corpus, recipe)
    folder = map_folder(run)
    begin(folder, recipe, fabric, restart=restart)
    course = Course(
        folder=folder,
        train=share.train,
        check=share.check,
        objective=lambda lost, batch: _cost(lost, batch.q, recipe),
        plan=replace(recipe.optimiser, epochs=plan.epochs, lr=plan.lr, lr_min=min(1e-6, plan.lr)),
        seed=plan.seed,
        keep="last",
        # Its label lies in what 'ctiqa degrade' made, whatever the scores learn from.
        origin={
            **origin(corpus, recipe),
            "degraded_fingerprint": corpus.fingerprint(corpus.where("train"), degraded=True),
        },
    )
    rows = fit(fabric, _drawn(recipe), course, watch, judge=_judged)
    if fabric.is_global_zero:
        report(course, share, rows, corpus, fabric)


def trained_map(run: Path) -> MapNetwork | None:
    """Return the trained map of a run, in evaluation mode; None where nobody trained one.

    Raises:
        ModelError: if its weights cannot be read.
    """
    folder = map_folder(run)
    if not (folder / RESULT).exists():
        return None
    network = _drawn(read_recipe(folder / RECIPE))
    load_weights(network, folder / WEIGHTS)
    return network.eval()


def _drawn(recipe: Recipe) -> MapNetwork:
    torch.manual_seed(recipe.quality_map.seed)
    return MapNetwork(recipe.network, cells=CELLS, filters=recipe.quality_map.filters)


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
            here = Batch(*map(fabric.to_device, each))
            lost = network(here.hu, here.pixel_mm).float().cpu().double().numpy()
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
