"""Time the training step of the CNN-ViT against the same step in plain eager float32.

    python benchmarks/training.py [--recipe FILE.toml] [--accelerator cuda] [--threads N]

The recipe is by default the compact scale of ``ctiqa study``. Its step is taken as the recipe has
it (precision, memory layout), through ``torch.compile``, and plain: eager float32, channels first.
All steps are those of ``ctiqa.training.loop`` on the same synthetic slices, which cost nothing to
serve; they take turns, and medians of the same run are compared.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from ctiqa.corpus.examples import Batch
from ctiqa.study.grid import scale_recipe
from ctiqa.training.course import Course, Row
from ctiqa.training.loop import fit, make_fabric
from ctiqa.training.losses import Cost, label_loss
from ctiqa.training.plans import OptimiserPlan
from ctiqa.training.recipe import Recipe, parse_recipe, read_recipe
from ctiqa.training.teachers import first_network

ROUNDS = 3
STEPS = 24
WARM = 8
"""Steps at the start of each round that are not counted."""


def main() -> None:
    wanted = arguments()
    torch.set_num_threads(wanted.threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    recipe = read_recipe(wanted.recipe) if wanted.recipe else compact()
    plan = replace(recipe.optimiser, epochs=1)
    used = make_fabric(plan.precision, accelerator=wanted.accelerator).strategy.precision.precision
    plans = {
        f"as the recipe has it ({used})": plan,
        f"compiled ({used})": replace(plan, compile=True),
        "plain eager float32": replace(
            plan, precision="32-true", channels_last=False, compile=False
        ),
    }
    rates: dict[str, list[float]] = {name: [] for name in plans}
    with TemporaryDirectory() as folder:
        for turn in range(ROUNDS):
            for name, each in plans.items():
                place = Path(folder, f"{turn} {name}")
                place.mkdir()
                rates[name].append(images_per_second(recipe, each, place, wanted.accelerator))
    medians = {name: median(each) for name, each in rates.items()}
    slowest = medians["plain eager float32"]
    print(f"{plan.batch} images a step, {wanted.threads} threads, median of {ROUNDS} rounds")
    print(f"load before the first round, 0 on a quiet machine: {load:.1f}\n")
    print(f"{'':36}images/s   ms an image   times plain")
    for name, rate in medians.items():
        print(f"{name:36}{rate:8.1f}{1e3 / rate:14.2f}{rate / slowest:14.2f}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the training step against plain float32.")
    parser.add_argument(
        "--recipe", type=Path, help="a .toml file; compact.toml of the study if not"
    )
    parser.add_argument("--accelerator", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def compact() -> Recipe:
    return parse_recipe(scale_recipe("compact"), name="compact")


def images_per_second(recipe: Recipe, plan: OptimiserPlan, folder: Path, accelerator: str) -> float:
    """Return how many images a second the loop learns from, by the median step of one round."""
    fabric = make_fabric(plan.precision, accelerator=accelerator)
    slices = Synthetic(plan.batch, fabric.device)
    course = Course(
        folder=folder,
        train=slices,
        check=slices,
        objective=lambda scores, batch: Cost(label_loss(scores, batch.q, recipe.loss)),
        plan=plan,
        seed=0,
    )
    clock = Clock()
    fit(fabric, first_network(recipe, seed=0), course, clock)
    # A graphics card is looked at only every few steps; each look says how many there were.
    paces = [(steps * plan.batch) / seconds for (steps, seconds) in clock.between()]
    return median(paces)


@dataclass(frozen=True)
class Synthetic:
    """The same slices for every step, on the device already."""

    batch: int
    device: torch.device
    hu: Tensor = field(init=False)
    pixel_mm: Tensor = field(init=False)
    q: Tensor = field(init=False)

    def __post_init__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        hu = torch.randn(self.batch, 512, 512, generator=draw) * 200
        object.__setattr__(self, "hu", hu.to(self.device))
        object.__setattr__(self, "pixel_mm", torch.full((self.batch,), 0.7, device=self.device))
        object.__setattr__(self, "q", torch.rand(self.batch, generator=draw).to(self.device))

    def __len__(self) -> int:
        return self.batch * (WARM + STEPS)

    def epoch(self, *_: object, **__: object) -> Iterator[Batch]:
        """Yield one batch for each step."""
        yield from (Batch(self.hu, self.pixel_mm, self.q) for _ in range(WARM + STEPS))

    def in_order(self, *, batch: int) -> Iterator[Batch]:
        """Yield one batch, since nothing is judged here."""
        yield Batch(self.hu[:batch], self.pixel_mm[:batch], self.q[:batch])


@dataclass
class Clock:
    """Notes when steps were done, as a watch of the loop."""

    seen: list[tuple[int, float]] = field(default_factory=list)

    def begin(self, name: str, *, epochs: int, done: int) -> None:
        """Hear that a training begins."""

    def step(self, *, epoch: int, done: int, steps: int, loss: float) -> None:  # noqa: ARG002
        """Note when a step was done."""
        self.seen.append((done, time.perf_counter()))

    def row(self, row: Row, *, epochs: int) -> None:
        """Hear what an epoch gave."""

    def between(self) -> list[tuple[int, float]]:
        """Return steps and seconds from one look to the next, the warm ones left out."""
        warm = [each for each in self.seen if each[0] >= WARM]
        return [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(warm)]


if __name__ == "__main__":
    main()
