"""Prove a score on one's own scan from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.options import Json, Model, Quiet, WorkThreads, check_form

if TYPE_CHECKING:
    from ctiqa.images.series import Series

__all__ = ["selftest"]


def selftest(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT", help="Files, folders or zips with one CT series."),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the certificate: data (.json) or page (.md)."),
    ] = None,
    model: Model = None,
    slices: Annotated[int, typer.Option(min=6, help="Try that many, along the table.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")] = 0,
    threads: WorkThreads = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Try on your own scan whether the score does what a trustworthy score must do.

    It must fall with dose, blur and streaks, not be fooled by a denoiser, and ignore table, flips,
    shifts and the draw of the noise. Each law stands with what was tried, what was found and what
    is allowed. Of several series the longest is taken. Exit code 1 where a law is broken.

    For example:

    ctiqa selftest scan/

    ctiqa selftest scan/ --slices 24 -o certificate.json
    """
    check_form(output, ".json", ".md")
    from ctiqa.cli.console import emit, progress
    from ctiqa.outputs.certificate import as_data, as_page, write_certificate
    from ctiqa.protocol.self_test import self_test
    from ctiqa.scoring.scorer import Scorer
    from ctiqa.scoring.workers import cores

    scorer = Scorer(model, threads=1)
    series = _longest(inputs, size=scorer.card.size)
    with progress("Trying", quiet=quiet) as advance:
        certificate = self_test(
            series,
            scorer,
            slices=slices,
            seed=seed,
            threads=threads or cores(),
            progress=advance,
        )
    if output is not None:
        write_certificate(certificate, output)
    if json:
        emit(as_data(certificate))
    elif output is None:
        emit(as_page(certificate).encode())
    if certificate.failed:
        raise typer.Exit(1)


def _longest(inputs: list[Path], *, size: int) -> "Series":
    from ctiqa.cli.console import stderr
    from ctiqa.errors import ReadError
    from ctiqa.images.series import read

    reading = read(inputs, size=size)
    if not reading.series:
        raise ReadError(f"{inputs[0]} holds no CT series; name a folder of axial CT slices")
    longest = max(reading.series, key=lambda one: len(one.headers))
    if len(reading.series) > 1:
        uid = longest.headers[0].identity.series_instance_uid
        stderr().print(f"{len(reading.series)} series found; the longest is tried ({uid})")
    return longest
