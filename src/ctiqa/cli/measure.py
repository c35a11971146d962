"""Measure scans from the command line, without a model."""

from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.options import (
    HashPaths,
    Json,
    KeepNames,
    PatientKey,
    Quiet,
    Scans,
    Table,
    Verbose,
    WorkThreads,
    check_table,
    privacy_of,
)

if TYPE_CHECKING:
    from ctiqa.protocol.measured import Measured, MeasureReport

__all__ = ["measure"]

_SHOWN = 10
"""Images that stderr names without -v; all of them stand in the table."""


def measure(
    inputs: Scans,
    *,
    output: Table = None,
    step: Annotated[int, typer.Option(min=1, help="Measure every N-th slice of a series.")] = 1,
    threads: WorkThreads = None,
    hash_paths: HashPaths = False,
    keep_names: KeepNames = False,
    patient_key: PatientKey = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure every slice of CT scans: noise, its spectrum, detectability, size and dose.

    No model is asked. The table goes to stdout, or with -o to a file: a row for each slice, then
    for each series, then for each exam; a summary of each series goes to stderr. An image that
    cannot be measured gets a row with status not_measured and the reason, the others go on, and
    the exit code is 1.

    For example:

    ctiqa measure scan/ > measurements.csv

    ctiqa measure a/ b.zip --step 5 -o measurements.json
    """
    check_table(output)
    privacy = privacy_of(hash_paths=hash_paths, keep_names=keep_names, patient_key=patient_key)
    from ctiqa.cli.console import hand_out, progress
    from ctiqa.protocol import measure_series

    with progress("Measuring", quiet=quiet) as advance:
        report = measure_series.measure(
            list(inputs), step=step, threads=threads, progress=advance, privacy=privacy
        )
    hand_out(report, output, as_json=json)
    if not quiet:
        _summarise(report, verbose=verbose)
    if report.refused:
        raise typer.Exit(1)


def _summarise(report: "MeasureReport", *, verbose: bool) -> None:
    from ctiqa.cli.console import stderr

    console = stderr()
    for series in report.series:
        console.print("\n".join(_series_lines(series)))
    refused = report.refused if verbose else report.refused[:_SHOWN]
    for row in refused:
        console.print(f"Not measured: {row.identity.path}: {'; '.join(row.reasons)}")
    if len(report.refused) > len(refused):
        console.print(f"... and {len(report.refused) - len(refused)} more not measured (-v)")


_LINES = (
    ("noise", (("noise_hu", "{:.1f} HU"), ("nps_peak_per_mm", "peak {:.2f} per mm"))),
    (
        "d'",
        (
            ("d_prime_10mm_20hu", "{:.1f} (10 mm, 20 HU)"),
            ("d_prime_5mm_100hu", "{:.1f} (5 mm, 100 HU)"),
        ),
    ),
    ("size", (("water_equivalent_mm", "{:.0f} mm of water"),)),
    ("dose", (("ctdivol_mgy", "CTDIvol {:.1f} mGy"), ("ssde_mgy", "SSDE {:.1f} mGy"))),
)


def _series_lines(series: "Measured") -> list[str]:
    """Return a series in a few lines for people; here numbers are rounded, and only here."""
    name = series.identity.series_instance_uid or "without UID"
    lines = [f"Series {name}: {series.slices} slices measured"]
    for title, parts in _LINES:
        known = [form.format(series.figures[key]) for key, form in parts if key in series.figures]
        if known:
            lines.append(f"  {title}: {', '.join(known)}")
    return lines + [f"  note: {note}" for note in series.reasons]
