"""Train the quality map of a run's student."""

from pathlib import Path
from typing import Annotated

import typer

from ctiqa.cli.extras import extra_installed
from ctiqa.cli.options import Quiet
from ctiqa.cli.train import Accelerator, Devices, Restart, Threads, Where, training

__all__ = ["quality_map"]


def quality_map(
    corpus: Annotated[Path, typer.Argument(help="Corpus that the student was trained on.")],
    run: Annotated[Path, typer.Argument(help="Folder of the run, with its trained student.")],
    *,
    devices: Devices = 1,
    accelerator: Accelerator = "auto",
    threads: Threads = 0,
    restart: Restart = False,
    quiet: Quiet = False,
) -> None:
    """Train where a slice loses quality, on top of a student, which stays as it is.

    The next 'ctiqa export' puts the map into the model, and 'ctiqa score --quality-map' draws it.

    Example: ctiqa quality-map corpus run --threads 2
    """
    with extra_installed():
        from ctiqa.corpus.store import Corpus
        from ctiqa.training.distil import student_folder
        from ctiqa.training.quality_map import train_quality_map
        from ctiqa.training.recipe import read_recipe
        from ctiqa.training.teachers import RECIPE
    read = read_recipe(student_folder(run) / RECIPE)
    where = Where(run, read.optimiser.precision, accelerator, devices, threads)
    with training(where, quiet=quiet) as (fabric, watch):
        train_quality_map(Corpus.open(corpus), run, fabric=fabric, watch=watch, restart=restart)
