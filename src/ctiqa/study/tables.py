"""Train and judge, one by one, the networks that the paper's tables are made of."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric

from ctiqa.corpus.examples import FixedExamples
from ctiqa.corpus.store import Corpus
from ctiqa.measures.agreement import agreement
from ctiqa.study.about import About, begin_study, check_corpus
from ctiqa.study.chosen import Chosen
from ctiqa.study.kept import (
    Kept,
    images_path,
    scores_path,
    write_images,
    write_kept,
)
from ctiqa.study.runs import Run, Table, distinct
from ctiqa.study.workshop import Outcome, StillMine
from ctiqa.training.checkpoint import CHECKPOINT, HISTORY, WEIGHTS, load_weights
from ctiqa.training.course import Row, Watch
from ctiqa.training.distil import distil
from ctiqa.training.judge import Column, figures, predict
from ctiqa.training.loop import Precision, make_fabric
from ctiqa.training.recipe import Recipe, parse_recipe
from ctiqa.training.remembered import Memory
from ctiqa.training.teachers import RESULT, new_network, train_teachers

__all__ = ["Bench", "Plan", "plan_study", "run_folder"]

_TEST = "test"


@dataclass(frozen=True, slots=True)
class Plan:
    """What all runs of a study share, as far as whoever starts it must know.

    Args:
        precision: of every training.
        caution: what a person should hear before; "" if nothing.
    """

    precision: Precision
    caution: str


def plan_study(
    corpus: Corpus, wanted: Sequence[Table], folder: Path, *, scale: str, base: str
) -> Plan:
    """Make a folder ready for a study, and refuse in words what would fail later.

    Args:
        corpus: open; trained on split "train", judged on split "test".
        wanted: tables.
        folder: of the study.
        scale: its name.
        base: its recipe.

    Raises:
        RecipeError: if a recipe is impossible, or the folder holds another scale.
        CorpusError: if the corpus lacks doses or patients, or the folder belongs to another.
        WriteError: if the folder cannot be written to.
    """
    shared = parse_recipe(base, name=f"scale {scale}")
    recipes = {run.name: parse_recipe(run.recipe, name=run.name) for run in distinct(wanted)}
    doses = _doses(corpus, shared)
    check_corpus(corpus, doses=doses, folds=shared.teachers.folds)
    begin_study(folder, About.of(corpus, scale=scale, recipe=base, doses=doses))
    for table in wanted:
        path = images_path(folder, table.images)
        write_images(path, corpus, recipes[table.rows[0].runs[0][0].name].label, doses)
    return Plan(shared.optimiser.precision, shared.caution)


def run_folder(folder: Path, run: Run) -> Path:
    """Return where a run lies in the folder of a study."""
    return _runs(folder) / run.folder


@dataclass(frozen=True)
class Bench:
    """Where runs are trained and judged.

    Args:
        corpus: open.
        folder: of the study.
        fabric: launched.
        watch: is told how training goes.
    """

    corpus: Corpus
    folder: Path
    fabric: Fabric
    watch: Watch
    _known: dict[Path, Memory] = field(default_factory=dict)

    def perform(self, run: Run, still_mine: StillMine) -> Outcome:
        """Train a run, going on where it stopped, judge it on the test patients, keep its scores.

        Raises:
            CtiqaError: in words for a person, whatever stands in the way.
        """
        recipe = parse_recipe(run.recipe, name=run.name)
        own = run_folder(self.folder, run)
        if not (own / RESULT).exists():
            self._train(run, recipe, _Watched(self.watch, run.name, still_mine))
        score, label = self._judge(own, recipe, run)
        history = _history(own / HISTORY)
        write_kept(scores_path(self.folder, run.name), Kept(score, np.array(history["loss"])))
        result = json.loads((own / RESULT).read_text("utf-8"))
        # Three times the weights, which nobody needs once there is a result.
        (own / CHECKPOINT).unlink(missing_ok=True)
        reached = {
            "opm": agreement(score, label).opm,
            **figures(score, label),
            "kept_epoch": result["kept_epoch"],
            "epochs": result["epochs"],
            "loss": history["loss"][-1],
            "gate_share": history["gate_share"][-1],
        }
        return Outcome(result["seconds"], result["device"], reached)

    def _train(self, run: Run, recipe: Recipe, watch: Watch) -> None:
        family = _runs(self.folder) / run.family
        if run.kind == "teacher":
            train_teachers(
                self.corpus,
                recipe,
                family,
                fabric=self.fabric,
                watch=watch,
                members=[run.member],
            )
        else:
            distil(
                self.corpus,
                recipe,
                family,
                fabric=self.fabric,
                watch=watch,
                folder=run_folder(self.folder, run),
                known=self._known,
            )

    def _judge(self, own: Path, recipe: Recipe, run: Run) -> tuple[Column, Column]:
        """Return scores and labels of the test images, in the order in which they are kept."""
        members = recipe.student.outputs if run.kind == "student" else 1
        network = new_network(recipe, seed=0, members=members)
        load_weights(network, own / WEIGHTS)
        chosen = Chosen(
            self.corpus, self.corpus.where(_TEST), recipe.label, _doses(self.corpus, recipe)
        )
        images = FixedExamples(
            self.corpus,
            (),
            recipe.label,
            turned=False,
            chosen=chosen.places,
            size=recipe.network.size,
        )
        # Scores of half precision would tie where the network itself does not.
        exact = make_fabric("32-true", accelerator=self.fabric.device.type)
        judged = exact.to_device(network.eval())
        return predict(exact, judged, images, batch=recipe.optimiser.batch)


@dataclass(frozen=True)
class _Watched:
    """Tells another of a training under the name of its run, and ends it if the run was lost."""

    told: Watch
    name: str
    still_mine: StillMine

    def begin(self, _name: str, *, epochs: int, done: int) -> None:
        self.told.begin(self.name, epochs=epochs, done=done)

    def step(self, *, epoch: int, done: int, steps: int, loss: float) -> None:
        self.still_mine()
        self.told.step(epoch=epoch, done=done, steps=steps, loss=loss)

    def row(self, row: Row, *, epochs: int) -> None:
        self.told.row(row, epochs=epochs)


def _runs(folder: Path) -> Path:
    return folder / "runs"


def _doses(corpus: Corpus, recipe: Recipe) -> tuple[float, ...]:
    fixed = recipe.examples.doses
    return corpus.settings.image_doses if fixed == "fresh" else fixed


def _history(path: Path) -> dict[str, list[float]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}
