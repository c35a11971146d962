"""Find out on patients that a model never saw how far its scores may be trusted."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ctiqa.cli.options import Quiet

__all__ = ["interval"]


def interval(
    corpus: Annotated[Path, typer.Argument(help="A corpus that 'ctiqa corpus' made.")],
    *,
    model: Annotated[Path, typer.Option("--model", "-m", help="The .onnx file of a model.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The .onnx file to write; it may be the same.")
    ],
    split: Annotated[
        str, typer.Option(help="Split with at least 20 patients of whom nothing was learnt.")
    ] = "calibration",
    level: Annotated[
        float,
        typer.Option(min=0.5, max=0.99, help="Share of images that the interval shall hold."),
    ] = 0.9,
    quiet: Quiet = False,
) -> None:
    """Give a model honest intervals: its scores come with score_low and score_high from then on.

    The spread of its members is widened until it holds the label of that share of the images of
    patients it never saw (split-conformal). 'ctiqa evaluate' tells how often it holds elsewhere.

    For example:

    ctiqa interval corpus -m model.onnx -o model.onnx

    ctiqa evaluate corpus -m model.onnx --split test
    """
    from ctiqa.cli.console import progress, stderr
    from ctiqa.cli.extras import extra_installed

    with extra_installed():
        from ctiqa.model.export import export_with_card
    from ctiqa.corpus.label import IDEAL, PARTS
    from ctiqa.corpus.store import Corpus
    from ctiqa.scoring.interval import fit_interval
    from ctiqa.scoring.scorer import Scorer
    from ctiqa.study.chosen import Chosen
    from ctiqa.study.corpus_evidence import fitted, outputs

    scorer = Scorer(model)
    label = IDEAL if len(scorer.card.parts) == 1 else replace(IDEAL, parts=PARTS)
    chosen = Chosen.of(Corpus.open(corpus), label, split=split)
    bar = partial(progress, quiet=quiet)
    found = fit_interval(
        outputs(chosen, fitted(scorer.score_batch, scorer.card.size), bar("Scoring")),
        chosen.known().reference,
        chosen.patients,
        corpus_fingerprint=chosen.fingerprint(),
        level=level,
    )
    export_with_card(model, replace(scorer.card, interval=found), output)
    if not quiet:
        stderr().print(
            f"{output}: score +- {found.factor:.2f} x (spread of the members, at least "
            f"{found.floor:g}) holds {found.level:.0%} of {found.images} images of "
            f"{found.patients} patients"
        )
