"""Train the teachers of a recipe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.console import stderr
from ctiqa.cli.extras import extra_installed
from ctiqa.cli.options import Quiet

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from ctiqa.training.loop import Precision
    from ctiqa.training.progress import Told

__all__ = ["Where", "train", "training"]

Devices = Annotated[int, typer.Option(min=1, help="How many devices train together.")]
Accelerator = Annotated[str, typer.Option(help="cpu, cuda, mps or auto.")]
Threads = Annotated[
    int,
    typer.Option(min=0, envvar="CTIQA_THREADS", help="CPU threads; 0 is PyTorch's own choice."),
]
Restart = Annotated[bool, typer.Option("--restart", help="Begin anew instead of going on.")]


def train(
    corpus: Annotated[Path, typer.Argument(help="Corpus that 'ctiqa corpus' made.")],
    *,
    recipe: Annotated[Path, typer.Option("--recipe", "-r", help="Recipe, a .toml file.")],
    run: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")],
    members: Annotated[
        str, typer.Option(help="Which teachers, such as 0,1; all of them if empty.")
    ] = "",
    devices: Devices = 1,
    accelerator: Accelerator = "auto",
    threads: Threads = 0,
    restart: Restart = False,
    quiet: Quiet = False,
) -> None:
    """Train the teachers of a recipe on a corpus, going on where an earlier start stopped.

    A kill at any moment loses at most the epoch in progress: give the same command again.

    Example: ctiqa train corpus --recipe recipes/compact.toml -o run --members 0,1 --threads 2
    """
    chosen = _members(members)
    with extra_installed():
        from ctiqa.corpus.store import Corpus
        from ctiqa.training.recipe import read_recipe
        from ctiqa.training.teachers import train_teachers
    read = read_recipe(recipe)
    if read.caution:
        stderr().print(f"caution: {read.caution}")
    where = Where(run, read.optimiser.precision, accelerator, devices, threads)
    with training(where, quiet=quiet) as (fabric, watch):
        train_teachers(
            Corpus.open(corpus),
            read,
            run,
            fabric=fabric,
            watch=watch,
            members=chosen,
            restart=restart,
        )


@dataclass(frozen=True)
class Where:
    """Where a training run lies and on what it runs."""

    run: Path
    precision: "Precision"
    accelerator: str
    devices: int
    threads: int


@contextmanager
def training(where: Where, *, quiet: bool = False) -> Iterator[tuple["Fabric", "Told"]]:
    """Yield Fabric and who is told, and end in words when a person presses Ctrl-C."""
    import torch

    from ctiqa.training.loop import make_fabric
    from ctiqa.training.progress import Told

    if where.threads:
        torch.set_num_threads(where.threads)
    fabric = make_fabric(where.precision, accelerator=where.accelerator, devices=where.devices)
    try:
        with Told(quiet=quiet or not fabric.is_global_zero) as told:
            yield fabric, told
    except KeyboardInterrupt:
        stderr().print(
            f"stopped; every finished epoch is kept in {where.run}: the same command goes on there"
        )
        raise typer.Exit(130) from None


def _members(text: str) -> list[int] | None:
    try:
        return [int(part) for part in text.split(",")] if text else None
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} does not name teachers; write numbers from 0, such as 0,1",
            param_hint="--members",
        ) from None
