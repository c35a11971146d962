"""Draw quality against dose from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.options import Json, Model, Quiet, Scans, Table, WorkThreads, check_form

if TYPE_CHECKING:
    from ctiqa.protocol.dose_result import DoseCurves
    from ctiqa.protocol.lowest_dose import Goal

__all__ = ["dose_curve"]

_KEEP = 0.95


def dose_curve(
    inputs: Scans,
    *,
    output: Table = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the curves: a picture (.png).")] = None,
    model: Model = None,
    dose: Annotated[
        list[float] | None,
        typer.Option(
            help="Fraction of the scan's dose, above 0 and up to 1; repeat for more. Eight from "
            "1 to 0.1 by default."
        ),
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(help="Share of the full-dose score that must be kept; 0.95 by default."),
    ] = None,
    at_least: Annotated[
        float | None, typer.Option(help="Not a share: the score that must be kept.")
    ] = None,
    step: Annotated[int, typer.Option(min=1, help="Take every N-th slice of a series.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")] = 0,
    threads: WorkThreads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show how much dose a scan could save: its score and noise at simulated doses.

    Every slice taken is simulated at every dose and scored; the lowest dose that keeps the wanted
    score is found on the curve, with an interval, and said on stderr with what the simulation
    takes for granted. The table goes to stdout, or with -o to a file. A series with fewer than
    three slices that can be scored is named, the others go on, and the exit code is 1.

    For example:

    ctiqa dose-curve scan/ --step 10 --picture curve.png

    ctiqa dose-curve scan/ --keep 0.9 -o curve.json

    ctiqa dose-curve scan/ --at-least 0.6 --dose 0.5 --dose 0.25 > curve.csv
    """
    check_form(output, ".csv", ".json")
    goal = _goal(keep, at_least)
    for one in dose or ():
        _check_share(one, "--dose")
    if picture is not None:
        _check_picture(picture)
    from ctiqa.cli.console import hand_out, progress
    from ctiqa.images.series import read
    from ctiqa.protocol.dose_curve import DOSES, dose_curves
    from ctiqa.scoring.scorer import Scorer
    from ctiqa.scoring.workers import cores

    scorer = Scorer(model, threads=1)
    with progress("Lowering the dose", quiet=quiet, unit="steps") as advance:
        curves = dose_curves(
            read(list(inputs), size=scorer.card.size),
            scorer,
            doses=dose or DOSES,
            goal=goal,
            step=step,
            seed=seed,
            threads=threads or cores(),
            progress=advance,
        )
    if picture is not None:
        from ctiqa.outputs.dose_picture import write_picture

        write_picture(curves, picture)
    hand_out(curves, output, as_json=json)
    _summarise(curves, quiet=quiet)
    if curves.refusals:
        raise typer.Exit(1)


def _goal(keep: float | None, at_least: float | None) -> "Goal":
    """Return the score that must be kept, or say what is wrong with the wish."""
    from ctiqa.protocol.lowest_dose import Goal

    if keep is not None and at_least is not None:
        raise typer.BadParameter("take one of --keep and --at-least", param_hint="--at-least")
    if at_least is not None:
        _check_share(at_least, "--at-least")
        return Goal(at_least, relative=False)
    share = _KEEP if keep is None else keep
    _check_share(share, "--keep")
    return Goal(share, relative=True)


def _check_share(value: float, option: str) -> None:
    if not 0 < value <= 1:
        raise typer.BadParameter(f"{value:g} is not in (0, 1]", param_hint=option)


def _check_picture(path: Path) -> None:
    """Refuse before the work what could not be drawn after it."""
    from importlib.util import find_spec

    from ctiqa.errors import CtiqaError

    if path.suffix.lower() != ".png":
        raise typer.BadParameter(f"{path} must end in .png", param_hint="--picture")
    if find_spec("PIL") is None:
        raise CtiqaError("a picture needs pillow: pip install 'ctiqa[picture]'")


def _summarise(curves: "DoseCurves", *, quiet: bool) -> None:
    from ctiqa.cli.console import stderr
    from ctiqa.outputs.dose_words import curve_lines
    from ctiqa.protocol.dose_result import ASSUMPTIONS

    console = stderr()
    if not quiet:
        for curve in curves.curves:
            console.print("\n".join(curve_lines(curve, curves.goal)))
        console.print("\n".join(["Taken for granted:", *(f"  {one}" for one in ASSUMPTIONS)]))
    for refusal in curves.refusals:
        console.print(f"left out: {refusal.path}: {refusal.reason}")
