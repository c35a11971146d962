"""Add degraded images and labels in parts to a corpus from the command line."""

from pathlib import Path
from typing import Annotated

import typer

from ctiqa.cli.options import Quiet, Workers

__all__ = ["degrade"]


def degrade(
    corpus: Annotated[Path, typer.Argument(help="Corpus that 'ctiqa corpus' made.")],
    *,
    mixture: Annotated[
        Path, typer.Option(help="Which degradations, how often: a .toml file with [mixture].")
    ],
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Degrade the slices of a corpus in more ways than noise, and label them in parts.

    Blur, denoisers, edge enhancement, few views, starved rays, motion: drawn for each slice,
    recorded, and labelled by fidelity and by how much of planted detail is left. Give the same
    command again after a kill: what is done is kept.

    Example: ctiqa degrade corpora/mine --mixture recipes/mixtures/standard.toml
    """
    from ctiqa.cli.console import progress, stderr
    from ctiqa.cli.extras import extra_installed

    with extra_installed():
        from ctiqa.corpus.degraded import degrade_corpus
    from ctiqa.corpus.mixture import read_mixture
    from ctiqa.corpus.store import Corpus

    drawn, opened = read_mixture(mixture), Corpus.open(corpus)
    with progress("Degrading the corpus", quiet=quiet) as advance:
        degrade_corpus(opened, drawn, workers=workers, progress=advance)
    if not quiet:
        images = sum(len(opened.degraded(at).doses) for at in range(len(opened.slices)))
        stderr().print(f"{corpus}: {images} degraded images of {len(opened.slices)} slices")
