"""Make a labelled corpus from the command line."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.options import Quiet, Workers

if TYPE_CHECKING:
    from ctiqa.corpus.part import CorpusSettings
    from ctiqa.corpus.store import Corpus

__all__ = ["corpus"]


class Realisation(StrEnum):
    """Whether each dose gets noise of its own, or all doses of a slice share one pattern."""

    INDEPENDENT = "independent"
    SHARED = "shared"


def corpus(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT", help="Files, folders or zips with CT.")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the corpus.")],
    splits: Annotated[
        Path | None,
        typer.Option(help="CSV with columns patient (PatientID) and split; others are left out."),
    ] = None,
    test_share: Annotated[
        float, typer.Option(min=0, max=1, help="Without --splits: share of the patients to test.")
    ] = 0.2,
    only: Annotated[str, typer.Option(help="Take this split alone, such as train.")] = "",
    dose: Annotated[
        list[float] | None,
        typer.Option(help="Dose of the images, beside 1; repeat for more.  [0.75, 0.5, 0.25]"),
    ] = None,
    realisation: Annotated[
        Realisation, typer.Option(help="Noise of its own for each dose, or the paper's shared one.")
    ] = Realisation.INDEPENDENT,
    reconstructions: Annotated[
        int,
        typer.Option(
            min=0,
            help="Pixel sizes and kernels to draw for each training series: each of its slices"
            " appears once more, in one of them.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same corpus.")] = 0,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Turn scans into a labelled corpus: every slice at every dose, with both labels.

    Give the same command again after a kill: what is done is kept. Patients keep together in one
    split. Files that cannot be used are named, the others go on, and the exit code is 1.

    For example:

    ctiqa corpus scans/ -o corpora/mine

    ctiqa corpus ct/train ct/test -o corpora/paper --splits ct/splits.csv

    ctiqa corpus ct/ -o corpora/wide --splits ct/splits.csv --reconstructions 4
    """
    from ctiqa.cli.console import progress, stderr
    from ctiqa.cli.extras import extra_installed

    settings = _settings(dose or [0.75, 0.5, 0.25], realisation, reconstructions, seed)
    with extra_installed():
        from ctiqa.corpus.build import build_corpus
    split_of, strangers = _splits(inputs, splits, only=only, test_share=test_share, seed=seed)
    with progress("Building the corpus", quiet=quiet) as advance:
        build = build_corpus(
            inputs,
            output,
            settings=settings,
            split_of=split_of,
            workers=workers,
            progress=lambda done, of, _what: advance(done, of),
        )
    if not quiet:
        stderr().print("\n".join(_lines(build.corpus)))
        if strangers:
            stderr().print(f"left out: {len(strangers)} patients whom {splits} does not name")
    for refusal in build.refusals:
        stderr().print(f"not taken: {refusal.path}: {refusal.reason}")
    if build.refusals:
        raise typer.Exit(1)


def _settings(
    doses: list[float], realisation: Realisation, reconstructions: int, seed: int
) -> "CorpusSettings":
    from ctiqa.corpus.part import CorpusSettings

    if not all(0 < dose <= 1 for dose in doses) or min(doses) == 1:
        raise typer.BadParameter(
            f"dose fractions lie in (0, 1], one of them below 1, not at {doses}",
            param_hint="--dose",
        )
    images = tuple(sorted({1.0, *doses}, reverse=True))
    # Training draws doses between the labelled ones, so the usual ones are labelled as well.
    labels = tuple(sorted({*images, *CorpusSettings().label_doses}, reverse=True))
    return CorpusSettings(
        image_doses=images,
        label_doses=labels,
        realisation=str(realisation),
        reconstructions=reconstructions,
        seed=seed,
    )


def _splits(
    inputs: Sequence[Path], splits: Path | None, *, only: str, test_share: float, seed: int
) -> tuple[Callable[[str], str | None], set[str]]:
    """Return what gives each patient a split, and a set that it fills with those without one."""
    from ctiqa.corpus.split import read_splits, share_out
    from ctiqa.errors import CorpusError
    from ctiqa.images.series import read

    if splits is not None:
        split_by_patient = read_splits(splits)
    else:
        patients = [one.headers[0].identity.patient_key for one in read(inputs).series]
        split_by_patient = share_out(patients, test_share=test_share, seed=seed)
    known = sorted(set(split_by_patient.values()))
    if only and only not in known:
        raise CorpusError(f"there is no split {only!r}, only {', '.join(known) or 'none'}")
    strangers: set[str] = set()

    def split_of(patient: str) -> str | None:
        split = split_by_patient.get(patient)
        if split is None:
            strangers.add(patient)
        return split if split == only or not only else None

    return split_of, strangers


def _lines(corpus: "Corpus") -> list[str]:
    """Return a corpus in a few lines for people; here numbers are rounded, and only here."""
    import numpy as np

    from ctiqa.corpus.label import IDEAL, ROUTINE

    slices, doses = corpus.slices, corpus.settings.image_doses
    everyone = range(len(slices))
    spread = ", ".join(
        f"{recipe.reference} {np.std([corpus.image_labels(at, recipe) for at in everyone]):.3f}"
        for recipe in (ROUTINE, IDEAL)
    )
    splits = sorted({one.facts.split for one in slices})
    return [
        f"{corpus.folder}: {_counted(corpus, '')}, {len(slices) * len(doses)} images",
        *(f"  {split}: {_counted(corpus, split)}" for split in splits),
        f"  standard deviation of the labels: {spread}",
        f"  fingerprint {corpus.fingerprint(everyone)}",
    ]


def _counted(corpus: "Corpus", split: str) -> str:
    chosen = [one.facts for one in corpus.slices if split in ("", one.facts.split)]
    return f"{len({facts.patient for facts in chosen})} patients, {len(chosen)} slices"
