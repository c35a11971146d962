"""The one visible training loop, on one device or many, resumable."""

import copy
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import Tensor, nn
from torch.optim import AdamW

from ctiqa.corpus.examples import Batch
from ctiqa.errors import CorpusError, CtiqaError
from ctiqa.training.checkpoint import Checkpoint
from ctiqa.training.course import Course, Row, Watch
from ctiqa.training.judge import Judge, judged, kept
from ctiqa.training.plans import OptimiserPlan

__all__ = ["Precision", "fit", "learning_rate", "make_fabric"]

Precision: TypeAlias = Literal["32-true", "bf16-mixed", "16-mixed"]


_STEPS_BETWEEN_LOOKS = 16
_COMPILERS = ("c++", "g++", "clang++", "cl")


class _ExactInput(MixedPrecision):
    """Mixed precision that leaves its input in float32: bfloat16 knows 1000 HU to 4 HU only."""

    def convert_input(self, data: Any) -> Any:
        return data


def make_fabric(precision: Precision, *, accelerator: str = "auto", devices: int = 1) -> Fabric:
    """Return the Fabric that carries device, precision and ranks, launched.

    On a CPU without instructions for bfloat16 "bf16-mixed" is float32, which is ten times faster
    there (docs/decisions/012-float32-without-bfloat16.md).

    Raises:
        CtiqaError: if there is no such accelerator, or not as many devices, or its package lacks.
    """
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cpu" and precision == "bf16-mixed" and not _knows_bfloat16():
        precision = "32-true"
    mixed = [] if precision == "32-true" else [_ExactInput(precision, device=accelerator)]
    try:
        fabric = Fabric(accelerator=accelerator, devices=devices, plugins=[*mixed])
    except (ValueError, RuntimeError, ModuleNotFoundError) as error:
        raise CtiqaError(f"training cannot run on {devices} x {accelerator}: {error}") from error
    fabric.launch()
    return fabric


def _knows_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16 itself, as far as PyTorch tells."""
    tells: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(tells.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


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


def fit(
    fabric: Fabric, network: nn.Module, course: Course, watch: Watch, *, judge: Judge = judged
) -> list[Row]:
    """Train ``network`` by ``course``, going on where a run in its folder stopped.

    What is checked and kept is the moving average of the weights, batch-norm statistics included.
    Each device has its own batch-norm statistics; those of the first are kept. On the CPU, with the
    same number of threads, a resumed run gives the same bytes as an unbroken one.

    Args:
        fabric: from :func:`make_fabric`.
        network: (N, S, S) HU and (N,) pixel sides to (N, K) scores, its first weights drawn.
        course: what is taught.
        watch: is told how it goes.
        judge: what is recorded of every epoch.

    Returns:
        The rows of history.csv, on the first rank.

    Raises:
        CtiqaError: if the loss stops being a number, or there is no compiler for ``compile``.
        ModelError: if the checkpoint in the folder cannot be read.
        WriteError: if a checkpoint cannot be written whole.
    """
    plan = course.plan
    if plan.channels_last:
        network.to(memory_format=torch.channels_last)
    network = fabric.to_device(network)
    averaged = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
    optimiser = AdamW(
        network.parameters(),
        lr=plan.lr,
        betas=plan.betas,
        weight_decay=plan.weight_decay,
        # One pass over the parameters: with VGG's 134 million three times as fast on a CPU. Fabric
        # cannot clip the gradients of a fused optimiser that float16 has scaled.
        fused=plan.precision != "16-mixed",
    )
    scaler = fabric.strategy.precision
    run = Checkpoint(course.folder, course.origin, network, averaged, optimiser, scaler)
    rows = run.load(mend=fabric.is_global_zero)
    watch.begin(course.folder.name, epochs=plan.epochs, done=len(rows))
    model, stepper = fabric.setup(_compiled(network) if plan.compile else network, optimiser)
    taught = _Taught(fabric, model, stepper, network, averaged)
    for epoch in range(len(rows), plan.epochs):
        started = time.perf_counter()
        row = _epoch(taught, course, epoch, watch)
        if fabric.is_global_zero:
            row |= judge(fabric, averaged, course.check, plan.batch)
            row["seconds"] = time.perf_counter() - started
            rows.append(row)
            run.save(rows, keep=kept(rows, course.keep) == epoch)
            watch.row(row, epochs=plan.epochs)
        fabric.barrier()
    return rows


def _compiled(network: nn.Module) -> nn.Module:
    if not any(map(shutil.which, _COMPILERS)):
        raise CtiqaError(
            "compile = true in the recipe needs a C++ compiler, and there is none on the path; "
            "install g++ or clang, or set compile = false"
        )
    return cast("nn.Module", torch.compile(network))


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
    each = max(plan.batch // world, 1)
    # A rank with one batch more than the others would wait for them for ever; one image left over
    # is too few for batch norm of a comparator's smallest maps.
    images = len(course.train) // world
    steps = math.ceil((images - (1 < each < images)) / each)
    losses, gates, lr, looked = [], [], plan.lr, 0
    # Each look makes a graphics card wait for its host.
    stride = 1 if fabric.device.type == "cpu" else _STEPS_BETWEEN_LOOKS
    model.train()
    batches = course.train.epoch(epoch, seed=course.seed, batch=each, rank=rank, world=world)
    for done, batch in enumerate(islice(batches, steps), start=1):
        step = epoch * steps + done - 1
        lr = learning_rate(step, steps=steps * plan.epochs, plan=plan)
        for group in stepper.param_groups:
            group["lr"] = lr
        here = Batch(*map(fabric.to_device, batch))
        cost = course.objective(model(here.hu, here.pixel_mm), here)
        fabric.backward(cost.total)
        if plan.clip_norm:
            fabric.clip_gradients(model, stepper, max_norm=plan.clip_norm, error_if_nonfinite=False)
        stepper.step()
        stepper.zero_grad()
        _follow(taught.averaged, taught.network, decay=plan.ema_decay, step=step)
        losses.append(cost.total.detach())
        if cost.gate_share is not None:
            gates.append(cost.gate_share)
        if done % stride == 0 or done == steps:
            loss = _mean(fabric, losses[looked:])
            if not math.isfinite(loss):
                raise CtiqaError(
                    f"the loss became {loss} in epoch {epoch + 1} at a learning rate of {lr:.3g}; "
                    "lower lr or set clip_norm in the recipe and begin anew with --restart"
                )
            watch.step(epoch=epoch, done=done, steps=steps, loss=loss)
            looked = done
    if not losses:
        raise CorpusError("there is no example to train on; give a corpus with more slices")
    return {
        "epoch": epoch + 1,
        "loss": _mean(fabric, losses),
        "lr": lr,
        "gate_share": _mean(fabric, gates) if gates else math.nan,
    }


def _mean(fabric: Fabric, values: Sequence[Tensor]) -> float:
    """Return the mean of some numbers over the steps and the ranks."""
    mean = torch.stack([value.detach().double() for value in values]).mean()
    return float(cast("Tensor", fabric.all_reduce(mean, reduce_op="mean")))


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
