"""Score scans from the command line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

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
    quality_map: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Write there where each slice loses quality: pictures, NIfTI and DICOM.",
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

    ctiqa score scan/ --model mine.onnx --quality-map maps/ -o scores.csv
    """
    check_table(output)
    check_table(series_table, option="--series-table")
    check_form(manifest, ".json", option="--manifest")
    privacy = privacy_of(hash_paths=hash_paths, keep_names=keep_names, patient_key=patient_key)
    from ctiqa.cli.console import hand_out, progress
    from ctiqa.cli.score_files import Beside, Scored
    from ctiqa.cli.score_words import summarise
    from ctiqa.images.series import read
    from ctiqa.scoring import predict

    # What these need is missed before the work.
    beside = Beside(reports=sr, maps=quality_map, pages=report, quiet=quiet)
    beside.check_installed()
    started = datetime.now(UTC)
    scorer = predict.Scorer(model, device=device, threads=1)
    beside.check_model(scorer)
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
    files, missing = beside.write(
        Scored(report=scores, reading=reading, scorer=scorer, privacy=privacy, threads=threads)
    )
    if manifest is not None:
        from ctiqa.outputs.manifest import Manifest

        outputs = (output, series_table, *files)
        made = Manifest.of(scores, context.params, started=started, outputs=outputs)
        made.write(manifest)
    if scores.refused or missing:
        raise typer.Exit(1)
