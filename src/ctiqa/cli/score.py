"""Score scans from the command line."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.options import (
    HashPaths,
    Json,
    KeepNames,
    Model,
    PatientKey,
    Quiet,
    Scans,
    Table,
    WorkThreads,
    check_form,
    check_table,
    privacy_of,
)

if TYPE_CHECKING:
    from ctiqa.scoring.calibration import Calibration
    from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

__all__ = ["score"]

_SHOWN = 10
"""Images and reasons that stderr names without -v; all of them stand in the table."""


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
    device: Annotated[
        str, typer.Option("--device", "-d", envvar="CTIQA_DEVICE", help="cpu, cuda or cuda:1.")
    ] = "cpu",
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
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name every image and reason.")
    ] = False,
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

    ctiqa score scan/ --report pages/ -o scores.csv
    """
    check_table(output)
    check_table(series_table, option="--series-table")
    check_form(manifest, ".json", option="--manifest")
    privacy = privacy_of(hash_paths=hash_paths, keep_names=keep_names, patient_key=patient_key)
    from ctiqa.cli.console import hand_out, progress, stderr
    from ctiqa.images.series import read
    from ctiqa.scoring import predict

    if report is not None:  # what it needs is missed before the work
        from ctiqa.outputs.report import loader, write_report
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
        _summarise(scores, verbose=verbose)
    written: tuple[Path, ...] = ()
    if report is not None:
        written = write_report(scores, report, load=loader(reading, privacy))
        if not quiet:
            stderr().print("\n".join(f"Report: {path}" for path in written[-1:]))
    if manifest is not None:
        from ctiqa.outputs.manifest import Manifest

        outputs = (output, series_table, *written)
        made = Manifest.of(scores, context.params, started=started, outputs=outputs)
        made.write(manifest)
    if scores.refused:
        raise typer.Exit(1)


def _summarise(report: "ScoreReport", *, verbose: bool) -> None:
    from ctiqa.cli.console import stderr
    from ctiqa.scoring.result import MEANING

    console = stderr()
    sha256 = report.model_sha256[:12]
    console.print(f"{MEANING.capitalize()}. Model {report.card.name} (sha256 {sha256}...).")
    for series in report.series:
        console.print("\n".join(_series_lines(series)))
    if report.calibration is not None:
        console.print("\n".join(_calibration_lines(report, report.calibration)))
    refused = report.refused if verbose else report.refused[:_SHOWN]
    for row in refused:
        console.print(f"Not scored: {row.path}: {'; '.join(row.reasons)}")
    if len(report.refused) > len(refused):
        console.print(f"... and {len(report.refused) - len(refused)} more not scored (-v)")
    cautions = Counter(reason for row in report.slices for reason in _cautions(row))
    for reason, count in cautions.most_common(None if verbose else _SHOWN):
        console.print(f"Caution ({count} of {len(report)}): {reason}")
    if not verbose and len(cautions) > _SHOWN:
        console.print(f"... and {len(cautions) - _SHOWN} more reasons (-v)")


def _cautions(row: "SliceResult") -> tuple[str, ...]:
    return row.reasons if row.status == "caution" else ()


def _calibration_lines(report: "ScoreReport", calibration: "Calibration") -> list[str]:
    low, high = calibration.scale
    graded = f"{calibration.images} images of {calibration.patients} patients"
    whom = f"reader_low to reader_high holds {calibration.level:.0%} of grades of new patients"
    lines = [f"Readers' grades, {low:g} to {high:g}, as {graded} were graded; {whom}."]
    scores = [row.score for row in report.slices if row.score is not None]
    if strange := sum(not calibration.knows(score) for score in scores):
        first, last = calibration.score_range
        lines.append(
            f"Caution: {strange} of {len(scores)} scores lie outside those of the graded images "
            f"({first:.3f} to {last:.3f}); their grades are guesses."
        )
    return lines + [f"Caution: {note}" for note in calibration.notes]


def _series_lines(series: "SeriesSummary") -> list[str]:
    """Return a series in a few lines for people; here numbers are rounded, and only here."""
    name = series.series_instance_uid or "without UID"
    counts = f"{series.scored} scored, {series.caution} with caution"
    lines = [f"Series {name}: {series.slices} slices, {counts}, {series.not_scored} not scored"]
    if series.worst is not None and series.best is not None:
        noise = "unknown" if series.noise_hu_median is None else f"{series.noise_hu_median:.1f} HU"
        middle = f"median {series.score_median:.3f}, mean {series.score_mean:.3f}"
        spread = f"5th to 95th percentile {series.score_p5:.3f} to {series.score_p95:.3f}"
        worst = f"worst {series.worst['score']:.3f} ({series.worst['path']})"
        best = f"best {series.best['score']:.3f} ({series.best['path']})"
        lines += [f"  score: {middle}, {spread}; noise: median {noise}", f"  {worst}, {best}"]
    return lines + [f"  note: {note}" for note in series.notes]
