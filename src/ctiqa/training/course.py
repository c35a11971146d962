"""What one network is taught, on what it is judged, and who is told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from torch import Tensor

from ctiqa.training.losses import Cost
from ctiqa.training.recipe import OptimiserPlan

__all__ = ["Batch", "Course", "Examples", "Images", "Keep", "Row", "Watch"]

Keep: TypeAlias = Literal["best", "last"]

Row: TypeAlias = dict[str, float]
"""What is recorded of one epoch, by the name of the column."""


class Batch(Protocol):
    """Slices and their labels."""

    @property
    def hu(self) -> Tensor:
        """(N, 512, 512) float32 in HU."""

    @property
    def q(self) -> Tensor:
        """(N,) float32 labels."""


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
        objective: the cost of (N, K) scores of (N, 512, 512) slices in HU with (N,) labels.
        plan: AdamW, schedule and precision.
        seed: of the examples.
        keep: epoch whose weights are kept: "best" signed OPM on ``check``, lower MAE where equal,
            or the "last".
        origin: facts that a checkpoint must share to be gone on with, such as the corpus.
    """

    folder: Path
    train: Examples
    check: Images
    objective: Callable[[Tensor, Tensor, Tensor], Cost]
    plan: OptimiserPlan
    seed: int
    keep: Keep = "best"
    origin: dict[str, str] = field(default_factory=dict)
