"""Calibrate a model's scores to readers' grades from the command line."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.options import Json, Quiet, check_form

if TYPE_CHECKING:
    from ctiqa.scoring.calibration import Calibration

__all__ = ["calibrate"]

_MOST_REFUSALS_SHOWN = 20
_FIGURES = {"PLCC": "plcc", "SROCC": "srocc", "MAE": "mae", "kappa": "kappa"}


class Curve(StrEnum):
    """Which rising map is fitted."""

    LOGISTIC = "logistic"
    ISOTONIC = "isotonic"


def calibrate(
    scores: Annotated[
        Path, typer.Argument(metavar="SCORES.csv", help="What 'ctiqa score' wrote of the images.")
    ],
    readers: Annotated[
        Path,
        typer.Argument(
            metavar="READERS.csv",
            help="Grades: the columns sop_instance_uid (or path), reference and patient.",
        ),
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the calibration goes (.json).")
    ],
    scale: Annotated[
        tuple[float, float], typer.Option(help="Lowest and highest grade of the readers.")
    ] = (0.0, 4.0),
    curve: Annotated[
        Curve, typer.Option("--map", help="The rising map that is fitted.")
    ] = Curve.LOGISTIC,
    force: Annotated[
        bool, typer.Option("--force", help="Also on fewer than 50 images or 10 patients.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn from readers' grades what a model's scores mean on the readers' scale.

    A higher grade means better. Several lines of one image, one for each reader, are averaged.
    The figures after it are cross-validated: no patient is predicted by a map that knew him.

    Exit code 1 if nothing could be calibrated, or if a line could not be used.

    For example:

    ctiqa calibrate scores.csv readers.csv -o calibration.json

    ctiqa score scan/ --calibration calibration.json -o graded.csv
    """
    check_form(output, ".json")
    if not scale[0] < scale[1]:
        raise typer.BadParameter("give the lowest grade first", param_hint="--scale")
    from ctiqa.cli.console import emit, stderr
    from ctiqa.scoring.calibrate import calibrate as fit
    from ctiqa.study.readers import join

    joined = join(scores, readers)
    made = fit(joined.graded, scale=scale, kind=curve.value, force=force)
    made.write(output)
    plain = json.dumps(made.to_dict(), ensure_ascii=False, allow_nan=False, indent=2)
    words = plain if as_json else "\n".join(_lines(made))
    emit(f"{words}\n".encode())
    if not quiet:
        sentences = [*joined.notes, *made.notes]
        sentences += [f"left out: {each}" for each in joined.refused[:_MOST_REFUSALS_SHOWN]]
        if (rest := len(joined.refused) - _MOST_REFUSALS_SHOWN) > 0:
            sentences.append(f"left out: {rest} more lines")
        stderr().print("\n".join(sentences))
    if joined.refused:
        raise typer.Exit(1)


def _lines(made: "Calibration") -> list[str]:
    """Return what was reached as a table for people; here numbers are rounded, and only here."""
    low, high = made.scale
    title = (
        f"Agreement with the readers ({made.images} images of {made.patients} patients; grades "
        f"{low:g} to {high:g}; {made.folds} folds by patient)"
    )
    before, *middle, last = made.figures
    names = {before: "before: score", last: f"after: {last}"} | {each: each for each in middle}
    rows = [["", *_FIGURES]]
    for name in (before, *middle, last):
        figures = made.figures[name]
        rows.append([names[name], *(_cell(figures.get(key)) for key in _FIGURES.values())])
        ends = [
            (figures.get(f"{key}_low"), figures.get(f"{key}_high")) for key in _FIGURES.values()
        ]
        rows.append(
            ["  95 %", *(f"{_cell(a)}..{_cell(b)}" if a is not None else "-" for a, b in ends)]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]
    width = "the whole scale" if made.half_width > high - low else f"+-{made.half_width:.3f}"
    last_line = f"{made.level:.0%} of the grades of new patients lie within {width} of the map."
    return [title, *table, last_line]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
