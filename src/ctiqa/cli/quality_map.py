"""Train the quality map of a run."""

from pathlib import Path
from typing import Annotated

import typer

from ctiqa.cli.extras import extra_installed
from ctiqa.cli.options import Quiet
from ctiqa.cli.train import Accelerator, Devices, Restart, Threads, Where, training

__all__ = ["quality_map"]


def quality_map(
    corpus: Annotated[Path, typer.Argument(help="Corpus that the run was trained on.")],
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    *,
    devices: Devices = 1,
    accelerator: Accelerator = "auto",
    threads: Threads = 0,
    restart: Restart = False,
    quiet: Quiet = False,
) -> None:
    """Train the network that says where a slice loses quality, beside those that score.

    The next 'ctiqa export' puts the map into the model, and 'ctiqa score --quality-map' draws it.

    Example: ctiqa quality-map corpus run --threads 2
    """
    with extra_installed():
        from ctiqa.corpus.store import Corpus
        from ctiqa.training.quality_map import train_quality_map
        from ctiqa.training.recipe import read_recipe
        from ctiqa.training.teachers import RECIPE
    read = read_recipe(run / RECIPE)
    where = Where(run, read.optimiser.precision, accelerator, devices, threads)
    with training(where, quiet=quiet) as (fabric, watch):
        train_quality_map(Corpus.open(corpus), run, fabric=fabric, watch=watch, restart=restart)
