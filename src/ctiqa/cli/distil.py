"""Distil the teachers of a run into one student."""

from pathlib import Path
from typing import Annotated

import typer

from ctiqa.cli.extras import extra_installed
from ctiqa.cli.options import Quiet
from ctiqa.cli.train import (
    Accelerator,
    Devices,
    Restart,
    Threads,
    Where,
    training,
)

__all__ = ["distil"]


def distil(
    corpus: Annotated[Path, typer.Argument(help="Corpus that the teachers were trained on.")],
    run: Annotated[Path, typer.Argument(help="Folder of the run, with its trained teachers.")],
    *,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", "-r", help="Another recipe than the teachers'.")
    ] = None,
    devices: Devices = 1,
    accelerator: Accelerator = "auto",
    threads: Threads = 0,
    restart: Restart = False,
    quiet: Quiet = False,
) -> None:
    """Distil the teachers of a run into one student, going on where an earlier start stopped.

    Example: ctiqa distil corpus run --threads 2
    """
    with extra_installed():
        from ctiqa.corpus.store import Corpus
        from ctiqa.training.distil import distil as distil_run
        from ctiqa.training.recipe import read_recipe
        from ctiqa.training.teachers import RECIPE
    read = read_recipe(recipe or run / RECIPE)
    where = Where(run, read.optimiser.precision, accelerator, devices, threads)
    with training(where, quiet=quiet) as (fabric, watch):
        distil_run(Corpus.open(corpus), read, run, fabric=fabric, watch=watch, restart=restart)
