"""Compare two scans, or two tables of scores, from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.options import Json, Model, Quiet, WorkThreads, check_form

if TYPE_CHECKING:
    from ctiqa.protocol.sides import Side
    from ctiqa.scoring.scorer import Scorer

__all__ = ["compare"]

_WHAT = "a scan (file, folder or zip), or a table that 'ctiqa score -o' wrote (.csv, .json)."


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help=f"The one: {_WHAT}")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The other, likewise.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the pairs (.csv) or all that is known (.json)."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw both scores and their difference along the table (.png)."),
    ] = None,
    model: Model = None,
    device: Annotated[
        str, typer.Option("--device", "-d", envvar="CTIQA_DEVICE", help="cpu, cuda or cuda:1.")
    ] = "cpu",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same intervals.")] = 0,
    threads: WorkThreads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say which of two scans or reconstructions scores better, by how much, and how sure that is.

    Slices that lie in one place are paired, and the interval knows that neighbours are alike. Two
    exams, which have no place in common, are compared as two samples, with a word of doubt. What
    makes them hardly comparable is said: kernel, body part, pixel size, slices unlike the training.

    Exit code 1 if they cannot be compared at all.

    For example:

    ctiqa compare iterative/ filtered/

    ctiqa compare a.csv b.csv --picture difference.png -o pairs.csv
    """
    check_form(output, ".csv", ".json")
    check_form(picture, ".png", option="--picture")
    from ctiqa.cli.console import emit
    from ctiqa.outputs.tables import as_json, write_csv, write_json
    from ctiqa.outputs.verdict import as_words
    from ctiqa.protocol import compare as protocol
    from ctiqa.protocol.sides import TABLES, side_of_table

    scans = [path for path in (a, b) if path.suffix.lower() not in TABLES]
    scorer = _scorer(model, device) if scans else None
    sides = [
        side_of_table(path)
        if scorer is None or path not in scans
        else _scored(path, scorer, threads=threads, quiet=quiet)
        for path in (a, b)
    ]
    found = protocol.compare(*sides, seed=seed)
    if output is not None:
        (write_json if output.suffix.lower() == ".json" else write_csv)(found, output)
    if picture is not None:
        from ctiqa.outputs.along_table import write_along_table

        write_along_table(found, picture)
    emit(as_json(found) + b"\n" if json else as_words(found).encode())


def _scorer(model: Path | None, device: str) -> "Scorer":
    from ctiqa.scoring.scorer import Scorer

    return Scorer(model, device=device, threads=1)


def _scored(path: Path, scorer: "Scorer", *, threads: int | None, quiet: bool) -> "Side":
    from ctiqa.cli.console import progress
    from ctiqa.protocol.sides import side_of_scan

    with progress(f"Scoring {path.name}", quiet=quiet) as advance:
        return side_of_scan(path, scorer, threads=threads, progress=advance)
