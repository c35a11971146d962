"""What one network is taught, on what it is judged, and who is told."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from ctiqa.corpus.examples import Batch, FixedExamples, FreshExamples
from ctiqa.corpus.held import hold
from ctiqa.corpus.split import folds
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError
from ctiqa.training.losses import Cost
from ctiqa.training.plans import ExamplePlan, OptimiserPlan
from ctiqa.training.recipe import Recipe

__all__ = [
    "Course",
    "Examples",
    "Images",
    "Keep",
    "Row",
    "Share",
    "Watch",
    "share_for",
]

Keep: TypeAlias = Literal["best", "last"]

Row: TypeAlias = dict[str, float]
"""What is recorded of one epoch, by the name of the column."""


class Examples(Protocol):
    """A source of batches that ``seed`` and ``index`` decide completely, so it needs no memory."""

    def __len__(self) -> int:
        """Return the number of examples in one epoch."""

    def epoch(
        self, index: int, *, seed: int, batch: int, rank: int = 0, world: int = 1
    ) -> Iterator[Batch]:
        """Yield this rank's share of epoch ``index`` in batches of ``batch``."""


class Images(Protocol):
    """Fixed images on which a network is judged."""

    def __len__(self) -> int:
        """Return how many there are."""

    def in_order(self, *, batch: int) -> Iterator[Batch]:
        """Yield every image once."""


class Watch(Protocol):
    """Who is told how training goes."""

    def begin(self, name: str, *, epochs: int, done: int) -> None:
        """Hear whose training begins, or goes on after ``done`` epochs."""

    def step(self, *, epoch: int, done: int, steps: int, loss: float) -> None:
        """Hear that ``done`` of the ``steps`` of an epoch are done."""

    def row(self, row: Row, *, epochs: int) -> None:
        """Hear what was recorded of an epoch."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """What one network is taught, on what it is checked, and where the run is kept.

    Args:
        folder: receives checkpoint.safetensors, weights.safetensors and history.csv.
        train: what it learns from.
        check: fixed images that are judged after every epoch.
        objective: the cost of (N, outputs) scores of a batch.
        plan: AdamW, schedule and precision.
        seed: of the examples.
        keep: epoch whose weights are kept: "best" signed OPM on ``check``, lower MAE where equal,
            or the "last".
        origin: facts that a checkpoint must share to be gone on with, such as the corpus.
    """

    folder: Path
    train: Examples
    check: Images
    objective: Callable[[Tensor, Batch], Cost]
    plan: OptimiserPlan
    seed: int
    keep: Keep = "best"
    origin: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Share:
    """What one network learns from and what it is checked on.

    Args:
        train: examples to learn from.
        check: images to judge on.
        left_out: images held back, by the pseudonym of their patient.
        checked_on: "images left out" or "training images", for the result.
    """

    train: Examples
    check: Images
    left_out: dict[str, int]
    checked_on: str


def share_for(
    corpus: Corpus,
    recipe: Recipe,
    *,
    fold: int | None,
    on_training: bool,
    device: torch.device | None = None,
) -> Share:
    """Share split "train" out between learning and checking (METHOD 1.3, rows 7 to 9).

    Args:
        corpus: open.
        recipe: its examples, label and folds.
        fold: the part to leave out; None leaves out nothing.
        on_training: check on what is learnt from, even where something is left out.
        device: that trains; a graphics card gets the fixed images into its own memory. None is the
            CPU.

    Raises:
        CorpusError: if there are too few patients, or the corpus lacks a dose of the recipe.
    """
    plan, teachers = recipe.examples, recipe.teachers
    held = corpus.settings.image_doses
    doses = held if plan.doses == "fresh" else plan.doses
    if missing := set(doses) - set(held):
        raise CorpusError(
            f"{corpus.folder} holds no images at dose {', '.join(map(str, sorted(missing)))}, "
            f"only at {', '.join(map(str, held))}; make it with these doses or change the recipe"
        )
    labelled = max(corpus.settings.label_doses)
    if plan.doses == "fresh" and plan.highest_dose > labelled:
        raise CorpusError(
            f"{corpus.folder} holds labels up to dose {labelled:g}, and the recipe shows doses "
            f"up to {plan.highest_dose:g}; make it with this ctiqa, or lower highest_dose"
        )
    places = [held.index(dose) for dose in doses]
    pairs = [
        (index, place)
        for index in corpus.where("train")
        for place in (*places, *_degraded(corpus, index, plan))
    ]
    groups = [_group(corpus, pair, teachers.unit) for pair in pairs]
    parts = folds(groups, count=teachers.folds, seed=teachers.fold_seed, unit=teachers.unit)
    learnt = [pair for pair, part in zip(pairs, parts, strict=True) if part != fold]
    out = [pair for pair, part in zip(pairs, parts, strict=True) if part == fold]
    on_training = on_training or not out
    slices = sorted({index for index, _ in learnt})
    size = recipe.network.size
    train: FixedExamples | FreshExamples = (
        FreshExamples(
            corpus,
            slices,
            recipe.label,
            passes=plan.passes_per_epoch,
            routine_share=plan.routine_share,
            lowest_dose=plan.lowest_dose,
            highest_dose=plan.highest_dose,
            degraded_share=plan.degraded_share,
        )
        if plan.doses == "fresh"
        else FixedExamples(
            corpus, slices, recipe.label, chosen=learnt * plan.passes_per_epoch, size=size
        )
    )
    judged = learnt if on_training else out
    check = FixedExamples(corpus, (), recipe.label, turned=False, chosen=judged, size=size)
    owners = [corpus.slices[index].facts.patient for index, _ in out]
    words = "training images" if on_training else "images left out"
    owned = {name: owners.count(name) for name in sorted(set(owners))}
    if device is None or device.type == "cpu":
        return Share(train, check, owned, words)
    # Fresh noise is mixed by the host, which has its fields mapped from disk.
    taught = hold(train, device) if isinstance(train, FixedExamples) else train
    return Share(taught, hold(check, device), owned, words)


def _degraded(corpus: Corpus, index: int, plan: ExamplePlan) -> range:
    """Return the places of a slice's degraded images, if training shows any."""
    if not plan.degraded_share:
        return range(0)
    first = len(corpus.settings.image_doses)
    return range(first, first + len(corpus.degraded(index).doses))


def _group(corpus: Corpus, pair: tuple[int, int], unit: str) -> Hashable:
    """Return what an image must stay together with."""
    facts = corpus.slices[pair[0]].facts
    if unit == "patient":
        return facts.patient
    # A slice in two reconstructions is one slice.
    return (facts.path, facts.frame) if unit == "slice" else pair
