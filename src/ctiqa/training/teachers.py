"""Train the ensemble."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from ctiqa.corpus.store import Corpus
from ctiqa.errors import ModelError, RecipeError, WriteError
from ctiqa.files import write_whole
from ctiqa.model.cnn_vit import CnnVit
from ctiqa.model.comparators import Network, make_network
from ctiqa.model.imagenet import load_imagenet_vit
from ctiqa.training.checkpoint import CHECKPOINT, HISTORY, WEIGHTS, load_weights, write_json
from ctiqa.training.course import Course, Row, Share, Watch, share_for
from ctiqa.training.judge import kept
from ctiqa.training.loop import fit
from ctiqa.training.losses import Cost, label_loss
from ctiqa.training.provenance import commit, device_words, training_range, versions
from ctiqa.training.recipe import Recipe, read_recipe

__all__ = [
    "RECIPE",
    "RESULT",
    "Ensemble",
    "begin",
    "first_network",
    "load_teachers",
    "new_network",
    "origin",
    "report",
    "teacher_folder",
    "train_teachers",
]

RECIPE = "recipe.toml"
RESULT = "result.json"


class Ensemble(nn.Module):
    """Several networks as one: their outputs side by side, whose mean is the prediction."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    @property
    def first(self) -> nn.Module:
        """The first of them."""
        return self.members[0]

    def forward(self, hu: torch.Tensor, pixel_mm: torch.Tensor) -> torch.Tensor:
        """Return (N, K P) outputs of (N, S, S) slices in HU, member by member."""
        return torch.cat([member(hu, pixel_mm) for member in self.members], dim=1)


def teacher_folder(run: Path, member: int) -> Path:
    """Return where a teacher lies in the folder of its run."""
    return run / f"teacher-{member}"


def begin(folder: Path, recipe: Recipe, fabric: Fabric, *, restart: bool) -> None:
    """Make a folder ready for what is trained by ``recipe``, its text saved word for word.

    Raises:
        RecipeError: if it was begun with another recipe.
        WriteError: if it cannot be made.
    """
    path = folder / RECIPE
    known = path.exists() and not restart
    if known and read_recipe(path) != recipe:
        raise RecipeError(
            f"{folder} was begun with another recipe; take the {RECIPE} in it, choose another "
            "folder, or begin anew with --restart"
        )
    if fabric.is_global_zero and not known:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in (CHECKPOINT, WEIGHTS, HISTORY, RESULT):
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise WriteError(f"{folder} cannot be written to ({error.strerror})") from error
        write_whole(path, recipe.text.encode())
    fabric.barrier()


def train_teachers(
    corpus: Corpus,
    recipe: Recipe,
    run: Path,
    *,
    fabric: Fabric,
    watch: Watch,
    members: Sequence[int] | None = None,
    restart: bool = False,
) -> None:
    """Train members of the ensemble one after the other, each going on where it stopped.

    Args:
        corpus: open; only split "train" is used.
        recipe: how.
        run: folder that receives recipe.toml and one folder for each teacher.
        fabric: launched.
        watch: is told how it goes.
        members: which, from 0; None is all.
        restart: begin anew instead of going on.

    Raises:
        CtiqaError: in words for a person, whatever stands in the way.
    """
    plan = recipe.teachers
    chosen = range(plan.members) if members is None else members
    if unknown := [member for member in chosen if not 0 <= member < plan.members]:
        raise RecipeError(
            f"there is no member {unknown[0]} in an ensemble of {plan.members}, counted from 0"
        )
    # With only some members anew, the others must have been trained by the same recipe.
    begin(run, recipe, fabric, restart=restart and members is None)
    for member in chosen:
        folder, seed = teacher_folder(run, member), plan.seed(member)
        share = share_for(
            corpus,
            recipe,
            fold=plan.fold(member),
            on_training=plan.select == "train",
            device=fabric.device,
        )
        begin(folder, recipe, fabric, restart=restart)
        course = Course(
            folder=folder,
            train=share.train,
            check=share.check,
            objective=lambda scores, batch: Cost(label_loss(scores, batch.q, recipe.loss)),
            plan=recipe.optimiser,
            seed=seed,
            keep="last" if plan.select == "last" else "best",
            origin=origin(corpus, recipe),
        )
        rows = fit(fabric, first_network(recipe, seed=seed), course, watch)
        if fabric.is_global_zero:
            report(course, share, rows, corpus, fabric)


def new_network(recipe: Recipe, *, seed: int, members: int = 1) -> Network:
    """Return the network of a recipe, its weights drawn by ``seed``.

    It has one output for each part of the label, as often as it is to stand for a member.
    """
    torch.manual_seed(seed)
    shape = replace(recipe.network, outputs=members * len(recipe.label.parts))
    return make_network(recipe.comparator.name, shape)


def first_network(recipe: Recipe, *, seed: int, members: int = 1) -> Network:
    """Return a network as training starts it: drawn, its transformer from a file if one is given.

    Raises:
        ModelError: if the file cannot be read or does not fit the network.
    """
    network = new_network(recipe, seed=seed, members=members)
    if recipe.vit.weights and isinstance(network, CnnVit):
        load_imagenet_vit(network, Path(recipe.vit.weights))
    return network


def origin(corpus: Corpus, recipe: Recipe) -> dict[str, str]:
    """Return what a checkpoint must have been trained on to be gone on with."""
    trained = corpus.where("train")
    return {"corpus_fingerprint": corpus.fingerprint(trained, degraded=len(recipe.label.parts) > 1)}


def report(
    course: Course, share: Share, rows: Sequence[Row], corpus: Corpus, fabric: Fabric
) -> None:
    """Write result.json: what was reached, on what, and where the weights come from."""
    at = rows[kept(rows, course.keep)]
    facts = {
        "name": course.folder.name,
        "seed": course.seed,
        "kept_epoch": at["epoch"],
        "epochs": len(rows),
        "figures": at,
        "checked_on": share.checked_on,
        "checked_images": len(share.check),
        "left_out": share.left_out,
        "examples_per_epoch": len(share.train),
        "seconds": sum(row["seconds"] for row in rows),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device_words(fabric),
        "devices": fabric.world_size,
        "commit": commit(),
        "versions": versions(),
        "training_range": asdict(training_range(corpus)),
        **course.origin,
    }
    write_json(course.folder / RESULT, facts)


def load_teachers(run: Path, recipe: Recipe, corpus: Corpus | None = None) -> Ensemble:
    """Return the trained ensemble of a run, in evaluation mode.

    Args:
        run: folder of the run.
        recipe: of the run.
        corpus: what they must have been trained on, if that matters.

    Raises:
        ModelError: naming the members that are not trained to the end, or on something else.
    """
    members = range(recipe.teachers.members)
    folders = [teacher_folder(run, member) for member in members]
    if missing := [folder.name for folder in folders if not (folder / RESULT).exists()]:
        raise ModelError(
            f"{run} lacks {', '.join(missing)}, or not trained to the end; go on with 'ctiqa train'"
        )
    trained_on = {} if corpus is None else origin(corpus, recipe)
    for folder in folders:
        result = json.loads((folder / RESULT).read_text("utf-8"))
        if any(result.get(key) != value for key, value in trained_on.items()):
            raise ModelError(
                f"{folder} was trained on another corpus, or before that was degraded anew; give "
                "the corpus that it was trained on, or 'ctiqa train' with --restart"
            )
    networks = [new_network(recipe, seed=0) for _ in members]
    for network, folder in zip(networks, folders, strict=True):
        load_weights(network, folder / WEIGHTS)
    return Ensemble(networks).eval().requires_grad_(requires_grad=False)
