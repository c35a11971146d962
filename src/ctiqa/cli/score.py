"""Score scans from the command line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.options import (
    Device,
    HashPaths,
    Json,
    KeepNames,
    Model,
    PatientKey,
    Quiet,
    Scans,
    Table,
    Verbose,
    WorkThreads,
    check_form,
    check_table,
    privacy_of,
)

if TYPE_CHECKING:
    from ctiqa.images.series import Reading
    from ctiqa.scoring.result import ScoreReport

__all__ = ["score"]


def score(
    context: typer.Context,
    inputs: Scans,
    *,
    output: Table = None,
    series_table: Annotated[
        Path | None, typer.Option(help="Write one row for each series, in the forms of -o.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Write how the results were made, and their sha256 (.json).")
    ] = None,
    model: Model = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="Add readers' grades by what 'ctiqa calibrate' wrote for this model."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, writable=True, help="Write a page of HTML for each series there."
        ),
    ] = None,
    sr: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Write a DICOM structured report and a page for each series there.",
        ),
    ] = None,
    device: Device = "cpu",
    step: Annotated[int, typer.Option(min=1, help="Score every N-th slice of a series.")] = 1,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Slices that a thread scores at once; 1, or 8 on a graphics card."
        ),
    ] = None,
    threads: WorkThreads = None,
    hash_paths: HashPaths = False,
    keep_names: KeepNames = False,
    patient_key: PatientKey = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Score every slice of CT scans: in [0, 1], higher is better, with its noise in HU.

    The table goes to stdout, or with -o to a file; a summary of each series goes to stderr. An
    image that cannot be scored gets a row with status not_scored and the reason, the others go on,
    and the exit code is 1.

    For example:

    ctiqa score scan/ > scores.csv

    ctiqa score a/ b.zip --step 5 -o scores.json

    ctiqa score scan/ --model mine.onnx --device cuda -o scores.csv

    ctiqa score scan/ --calibration calibration.json -o scores.csv

    ctiqa score scan/ -o scores.xlsx --series-table series.parquet --manifest manifest.json

    ctiqa score scan/ --report pages/ --sr reports/ -o scores.csv
    """
    check_table(output)
    check_table(series_table, option="--series-table")
    check_form(manifest, ".json", option="--manifest")
    privacy = privacy_of(hash_paths=hash_paths, keep_names=keep_names, patient_key=patient_key)
    from ctiqa.cli.console import hand_out, progress, stderr
    from ctiqa.cli.score_words import summarise
    from ctiqa.images.series import read
    from ctiqa.scoring import predict

    # What these need is missed before the work.
    if report is not None:
        from ctiqa.outputs.report import loader, write_report
    if sr is not None:
        from ctiqa.outputs.dicom_results import check_highdicom

        check_highdicom()
    started = datetime.now(UTC)
    scorer = predict.Scorer(model, device=device, threads=1)
    with progress("Scoring", quiet=quiet) as advance:
        reading = read(inputs, size=scorer.card.size)
        scores = predict.score(
            reading,
            model=scorer,
            step=step,
            batch=batch,
            threads=threads,
            progress=advance,
            calibration=calibration,
            privacy=privacy,
        )
    hand_out(scores, output, as_json=json)
    if series_table is not None:
        from ctiqa.outputs.forms import write_report as write_table
        from ctiqa.outputs.sheet import series_of

        write_table(series_of(scores), series_table)
    if not quiet:
        summarise(scores, verbose=verbose)
    files, unreported = ((), ()) if sr is None else _write_dicom(scores, reading, sr, quiet=quiet)
    pages: tuple[Path, ...] = ()
    if report is not None:
        pages = write_report(scores, report, load=loader(reading, privacy))
        if not quiet:
            stderr().print("\n".join(f"Report: {page}" for page in pages[-1:]))
    if manifest is not None:
        from ctiqa.outputs.manifest import Manifest

        outputs = (output, series_table, *pages, *files)
        made = Manifest.of(scores, context.params, started=started, outputs=outputs)
        made.write(manifest)
    if scores.refused or unreported:
        raise typer.Exit(1)


def _write_dicom(
    scores: "ScoreReport", reading: "Reading", folder: Path, *, quiet: bool
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write the structured reports, and return them, and why series have none."""
    from ctiqa.cli.console import progress, stderr
    from ctiqa.outputs.dicom_results import write_dicom_results

    with progress("Reporting", quiet=quiet, unit="series") as advance:
        files, refusals = write_dicom_results(scores, reading, folder, progress=advance)
    for file in () if quiet else files:
        stderr().print(f"Written: {file}")
    for refusal in refusals:
        stderr().print(f"No structured report of {refusal}")
    return files, refusals
