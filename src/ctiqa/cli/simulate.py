"""Simulate lower doses from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.options import Quiet, WorkThreads

if TYPE_CHECKING:
    from ctiqa.dose.derived import SimulatedSeries
    from ctiqa.dose.series import LowerDose

__all__ = ["simulate"]


def simulate(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT", help="Files, folders or zips of DICOM.")
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder that receives the derived series.")
    ],
    dose: Annotated[
        list[float],
        typer.Option(help="Fraction of the scan's dose, above 0 and up to 1; repeat for more."),
    ],
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    shared_field: Annotated[
        bool,
        typer.Option(
            "--shared-field", help="Scale one noise field to every dose, as the paper does."
        ),
    ] = False,
    step: Annotated[int, typer.Option(min=1, help="Take every N-th slice of a series.")] = 1,
    threads: WorkThreads = None,
    quiet: Quiet = False,
) -> None:
    """Write a scan as it would look at a lower dose, as derived DICOM series.

    The noise that the scan itself shows tells how many quanta it was made with; only the noise that
    is missing at the lower dose is added. Each series goes to OUTPUT/SERIES-dose-DOSE, whose name
    is printed; files that cannot be used are named, the others go on, and the exit code is 1.

    For example:

    ctiqa simulate scan/ -o lower --dose 0.5 --dose 0.25
    """
    lower = _lower_dose(dose, seed=seed, shared_field=shared_field)
    from ctiqa.cli.console import emit, progress, stderr
    from ctiqa.dose import derived
    from ctiqa.scoring.workers import cores

    with progress("Simulating", quiet=quiet, unit="steps") as advance:
        result = derived.simulate(
            list(inputs),
            output,
            lower=lower,
            step=step,
            threads=threads or cores(),
            progress=advance,
        )
    for series in result.series:
        emit("".join(f"{folder}\n" for folder in series.folders).encode())
        if not quiet:
            stderr().print("\n".join(_lines(series)))
    for refusal in result.refusals:
        stderr().print(f"not simulated: {refusal.path}: {refusal.reason}")
    if result.refusals:
        raise typer.Exit(1)


def _lower_dose(doses: list[float], *, seed: int, shared_field: bool) -> "LowerDose":
    from ctiqa.dose.series import LowerDose

    try:
        return LowerDose(tuple(dict.fromkeys(doses)), seed=seed, shared_field=shared_field)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--dose") from error


def _lines(series: "SimulatedSeries") -> list[str]:
    """Return a series in a few lines for people; here numbers are rounded, and only here."""
    fewest, most = series.quanta
    lines = [f"{series.source}: {series.slices} slices, {fewest:.2g} to {most:.2g} quanta per ray"]
    return lines + [f"  note: {note}" for note in series.notes]
