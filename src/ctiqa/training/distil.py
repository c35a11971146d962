"""Distil the ensemble into the student."""

from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ctiqa.corpus.examples import Batch
from ctiqa.corpus.store import Corpus
from ctiqa.training.course import Course, Watch, share_for
from ctiqa.training.loop import fit
from ctiqa.training.losses import Cost, student_loss
from ctiqa.training.plans import OptimiserPlan
from ctiqa.training.recipe import Recipe
from ctiqa.training.remembered import Memory, Remembered
from ctiqa.training.teachers import (
    begin,
    first_network,
    load_teachers,
    origin,
    report,
    teacher_folder,
)

__all__ = ["distil", "repeat_outputs", "student_fold", "student_folder"]


def student_folder(run: Path) -> Path:
    """Return where the student lies in the folder of its run."""
    return run / "student"


def student_fold(recipe: Recipe) -> int | None:
    """Return the part that the student leaves out: one that all teachers saw, if there is one.

    Only selection by "val" needs a part left out; else the student learns from everything.
    """
    if recipe.student.select != "val":
        return None
    return min(recipe.teachers.members, recipe.teachers.folds - 1)


def distil(
    corpus: Corpus,
    recipe: Recipe,
    run: Path,
    *,
    fabric: Fabric,
    watch: Watch,
    folder: Path | None = None,
    restart: bool = False,
    known: MutableMapping[Path, Memory] | None = None,
) -> None:
    """Train the student of a run, going on where it stopped (equations 4 to 6).

    The teachers see the same turned image with the same fresh noise as the student, in evaluation
    mode and without gradient (METHOD 1.3, row 6).

    Args:
        corpus: open; only split "train" is used.
        recipe: how; its network must be that of the teachers.
        run: folder with the trained teachers.
        fabric: launched.
        watch: is told how it goes.
        folder: receives the student, so that several can learn from one ensemble; student/ of the
            run if None.
        restart: begin anew instead of going on.
        known: what teachers, by their folder, said of fixed images; is read and filled, so that
            several students of one process ask them once. Used on the CPU alone.

    Raises:
        CtiqaError: in words for a person, whatever stands in the way.
    """
    plan, folder = recipe.student, folder or student_folder(run)
    ensemble = load_teachers(run, recipe, corpus)
    student = first_network(recipe, seed=plan.seed, members=plan.outputs)
    if plan.init == "teacher":
        repeat_outputs(ensemble.first, student)
    if recipe.optimiser.channels_last:
        ensemble.to(memory_format=torch.channels_last)
    teachers: nn.Module = fabric.to_device(ensemble)
    if known is not None and recipe.examples.doses != "fresh" and fabric.device.type == "cpu":
        folders = [teacher_folder(run, member) for member in range(recipe.teachers.members)]
        teachers = Remembered(
            list(ensemble.members), [known.setdefault(folder, {}) for folder in folders]
        )

    def objective(scores: Tensor, batch: Batch) -> Cost:
        with torch.inference_mode(), fabric.autocast():
            taught = teachers(batch.hu, batch.pixel_mm).float()
        # A tensor of inference mode cannot take part in a gradient; its copy can.
        return student_loss(scores, taught.clone(), batch.q, recipe.loss, plan.distillation)

    share = share_for(
        corpus,
        recipe,
        fold=student_fold(recipe),
        on_training=plan.select == "train",
        device=fabric.device,
    )
    begin(folder, recipe, fabric, restart=restart)
    course = Course(
        folder=folder,
        train=share.train,
        check=share.check,
        objective=objective,
        plan=_optimiser(recipe),
        seed=plan.seed,
        keep="last" if plan.select == "last" else "best",
        origin=origin(corpus, recipe),
    )
    rows = fit(fabric, student, course, watch)
    if fabric.is_global_zero:
        report(course, share, rows, corpus, fabric)


def repeat_outputs(teacher: nn.Module, student: nn.Module) -> None:
    """Give the student a teacher's weights, those of the last layer once for each member."""
    theirs = teacher.state_dict()
    for name, ours in student.state_dict().items():
        again = len(ours) // len(theirs[name]) if ours.shape != theirs[name].shape else 1
        ours.copy_(torch.cat([theirs[name]] * again) if again > 1 else theirs[name])


def _optimiser(recipe: Recipe) -> OptimiserPlan:
    """Return how the student is optimised: as the teachers, but for its own epochs and lr."""
    plan = recipe.student
    return replace(recipe.optimiser, epochs=plan.epochs, lr=plan.lr or recipe.optimiser.lr)
