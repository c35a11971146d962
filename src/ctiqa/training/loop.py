"""The one visible training loop, on one device or many, resumable."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor, nn
from torch.optim import AdamW

from ctiqa.errors import CorpusError, CtiqaError
from ctiqa.measures.agreement import Column, agreement
from ctiqa.training.checkpoint import Checkpoint
from ctiqa.training.losses import Cost
from ctiqa.training.recipe import OptimiserPlan

__all__ = [
    "Batch",
    "Course",
    "Examples",
    "Row",
    "Watch",
    "figures",
    "fit",
    "kept",
    "learning_rate",
    "make_fabric",
    "predict",
]

Row = dict[str, float]
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
        """Yield this rank's share of epoch ``index``; every rank gets equally many batches."""


class Watch(Protocol):
    """Who is told how training goes."""

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
    """

    folder: Path
    train: Examples
    check: Examples
    objective: Callable[[Tensor, Tensor, Tensor], Cost]
    plan: OptimiserPlan
    seed: int
    keep: Literal["best", "last"] = "best"


class _ExactInput(MixedPrecision):
    """Mixed precision that leaves the slice in float32: bfloat16 rounds 1000 HU to steps of 4 HU."""

    def convert_input(self, data: Any) -> Any:
        return data


def make_fabric(
    precision: str, *, accelerator: str = "auto", devices: int | str = 1
) -> Fabric:
    """Return the Fabric that carries device, precision and ranks, launched."""
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    plugins = []
    if precision == "16-mixed" or precision == "bf16-mixed":
        plugins = [_ExactInput(precision, device=accelerator)]
    fabric = Fabric(accelerator=accelerator, devices=devices, strategy="auto", plugins=plugins)
    fabric.launch()
    return fabric


def learning_rate(step: int, *, steps: int, plan: OptimiserPlan) -> float:
    """Return the learning rate of one step: a linear warm-up, then one cosine (METHOD 1.3, row 20).

    Args:
        step: from 0, over all epochs.
        steps: of the whole training.
        plan: lr, lr_min and warmup_fraction.

    >>> plan = OptimiserPlan(lr=1.0, lr_min=0.0, warmup_fraction=0.5)
    >>> [learning_rate(step, steps=5, plan=plan) for step in (0, 1, 2, 4)]
    [0.5, 1.0, 1.0, 0.0]
    """
    warmup = round(plan.warmup_fraction * steps)
    if step < warmup:
        return plan.lr * (step + 1) / warmup
    way = (step - warmup) / max(steps - warmup - 1, 1)
    return plan.lr_min + (plan.lr - plan.lr_min) * (1 + math.cos(math.pi * way)) / 2


def fit(fabric: Fabric, network: nn.Module, course: Course, watch: Watch) -> list[Row]:
    """Train ``network`` by ``course``, going on where a run in its folder stopped.

    What is checked and kept is the moving average of the weights, batch-norm statistics included.
    Each device has its own batch-norm statistics; those of the first are kept. On the CPU, with the
    same number of threads, a resumed run gives the same bytes as an unbroken one.

    Args:
        fabric: from :func:`make_fabric`.
        network: (N, 512, 512) HU to (N, K) scores, its first weights drawn.
        course: what is taught.
        watch: is told how it goes.

    Returns:
        The rows of history.csv, on the first rank.

    Raises:
        CtiqaError: if the loss stops being a number.
        ModelError: if the checkpoint in the folder cannot be read.
        WriteError: if a checkpoint cannot be written whole.
    """
    plan = course.plan
    if plan.channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = fabric.to_device(network)
    averaged = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
    optimiser = AdamW(
        network.parameters(), lr=plan.lr, betas=plan.betas, weight_decay=plan.weight_decay
    )
    run = Checkpoint(course.folder, network, averaged, optimiser, fabric.strategy.precision)
    rows = run.load()
    model, stepper = fabric.setup(torch.compile(network) if plan.compile else network, optimiser)
    taught = _Taught(fabric, model, stepper, network, averaged)
    for epoch in range(len(rows), plan.epochs):
        started = time.perf_counter()
        row = _epoch(taught, course, epoch, watch)
        if fabric.is_global_zero:
            row |= figures(*predict(fabric, averaged, course.check, batch=plan.batch))
            row["seconds"] = time.perf_counter() - started
            rows.append(row)
            run.save(rows, keep=kept(rows, course.keep) == epoch)
            watch.row(row, epochs=plan.epochs)
        fabric.barrier()
    return rows


@dataclass(frozen=True)
class _Taught:
    """One network with everything that moves it; ``model`` is ``network`` as Fabric runs it."""

    fabric: Fabric
    model: nn.Module
    stepper: Any
    network: nn.Module
    averaged: nn.Module


def _epoch(taught: _Taught, course: Course, epoch: int, watch: Watch) -> Row:
    """Take every step of one epoch and return what it cost."""
    fabric, model, stepper, plan = taught.fabric, taught.model, taught.stepper, course.plan
    rank, world = fabric.global_rank, fabric.world_size
    steps = math.ceil(len(course.train) / plan.batch)
    losses, gates, lr = [], [], plan.lr
    model.train()
    batches = course.train.epoch(epoch, seed=course.seed, batch=plan.batch, rank=rank, world=world)
    for done, batch in enumerate(batches, start=1):
        step = epoch * steps + done - 1
        lr = learning_rate(step, steps=steps * plan.epochs, plan=plan)
        for group in stepper.param_groups:
            group["lr"] = lr
        hu, q = fabric.to_device(batch.hu), fabric.to_device(batch.q)
        cost = course.objective(model(hu), hu, q)
        loss = float(fabric.all_reduce(cost.total.detach()))
        if not math.isfinite(loss):
            raise CtiqaError(
                f"the loss became {loss} in epoch {epoch + 1} at a learning rate of {lr:.3g}; lower "
                "lr or set clip_norm in the recipe and begin anew with --restart"
            )
        fabric.backward(cost.total)
        if plan.clip_norm:
            fabric.clip_gradients(model, stepper, max_norm=plan.clip_norm, error_if_nonfinite=False)
        stepper.step()
        stepper.zero_grad()
        _follow(taught.averaged, taught.network, decay=plan.ema_decay, step=step)
        losses.append(loss)
        if cost.gate_share is not None:
            gates.append(float(fabric.all_reduce(cost.gate_share)))
        watch.step(epoch=epoch, done=done, steps=steps, loss=loss)
    if not losses:
        raise CorpusError("there is no example to train on; give a corpus with more slices")
    gate_share = sum(gates) / len(gates) if gates else math.nan
    return {"epoch": epoch + 1, "loss": sum(losses) / len(losses), "lr": lr, "gate_share": gate_share}


@torch.no_grad()
def _follow(averaged: nn.Module, network: nn.Module, *, decay: float, step: int) -> None:
    """Move the average towards the network, faster at first, when the average is still the draw."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    theirs = network.state_dict()
    for name, ours in averaged.state_dict().items():
        if ours.is_floating_point():
            ours.lerp_(theirs[name], share)
        else:  # the counter of batch norm
            ours.copy_(theirs[name])


@torch.inference_mode()
def predict(
    fabric: Fabric, network: nn.Module, examples: Examples, *, batch: int
) -> tuple[Column, Column]:
    """Return the predictions of a network, the mean of its outputs, and the labels, both (n,)."""
    scores, labels = [], []
    for each in examples.epoch(0, seed=0, batch=batch):
        with fabric.autocast():
            scored = network(fabric.to_device(each.hu))
        scores.append(scored.float().mean(dim=1).cpu())
        labels.append(each.q)
    if not scores:
        raise CorpusError("there is no image to check on; give a corpus with more slices")
    return torch.cat(scores).double().numpy(), torch.cat(labels).double().numpy()


def figures(scores: Column, labels: Column) -> Row:
    """Return the figures of agreement that are recorded; NaN where not defined."""
    found = agreement(scores, labels)
    return {
        "signed_opm": found.signed_opm,
        "plcc": found.plcc,
        "srocc": found.srocc,
        "krocc": found.krocc,
        "mae": found.mae,
        "mse": found.mse,
    }


def kept(rows: Sequence[Row], keep: Literal["best", "last"]) -> int:
    """Return the index of the epoch whose weights are kept; where equal, of the earliest.

    >>> kept([{"signed_opm": 2.0, "mae": 0.2}, {"signed_opm": 2.0, "mae": 0.1}], "best")
    1
    """
    if keep == "last":
        return len(rows) - 1

    def merit(index: int) -> tuple[float, float]:
        opm = rows[index]["signed_opm"]
        # Without a correlation there is nothing to prefer.
        return (-math.inf if math.isnan(opm) else opm, -rows[index]["mae"])

    return max(range(len(rows)), key=merit)
