"""Keep results over time, and chart them, from the command line."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ctiqa.cli.extras import extra_installed
from ctiqa.cli.main import SETTINGS
from ctiqa.cli.options import Json, Quiet, Table, check_form
from ctiqa.errors import CtiqaError, TableError

if TYPE_CHECKING:
    from ctiqa.protocol.drift import Baseline
    from ctiqa.protocol.drift_report import DriftReport

__all__ = ["track"]

track = typer.Typer(name="track", no_args_is_help=True, add_completion=False, **SETTINGS)

Where: TypeAlias = Annotated[
    str,
    typer.Option(
        "--store", "-s", envvar="CTIQA_STORE", help="File of the store, or URL of PostgreSQL."
    ),
]
Scanner: TypeAlias = Annotated[str, typer.Option(help="Only this scanner.")]


@track.callback()
def about() -> None:
    """Keep results of 'ctiqa score' over time, and say when a scanner is not what it was.

    For example:

    ctiqa track add scores.json --store ct.sqlite

    ctiqa track chart --store ct.sqlite --pages charts
    """


@track.command()
def add(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS", help="What 'ctiqa score -o scores.json' wrote."),
    ],
    *,
    where: Where,
    scanner: Annotated[
        str, typer.Option(help="What you call the scanner, if you have two of one model.")
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Add results to a store, which is made if it is not there.

    Each slice stays once, however often it is added: it is known by its SOP Instance UID, its
    frame and the model. No name, identifier or birth date is stored. A file of results is added
    whole or not at all; one that cannot be added is named, the others go on, and the exit code is
    1, as it is where an image has no UID.
    """
    from ctiqa.cli.console import progress, stderr

    with extra_installed("a store", "store"):
        from ctiqa.store.ingest import add as put
        from ctiqa.store.open import Store
        from ctiqa.store.results import read_results

    store, console, faults = Store(where, new=True), stderr(), 0
    series = slices = new = 0
    with progress("Adding", quiet=quiet) as advance:
        for done, path in enumerate(results, start=1):
            try:
                read = read_results(path)
            except TableError as error:
                console.print(f"Not added: {error}")
                faults += 1
                continue
            if read.nameless:
                console.print(f"Left out: {read.nameless} images of {path} have no UID")
                faults += 1
            added = put(store, read, scanner=scanner)
            series += added.series
            slices += added.slices
            new += added.new_slices
            advance(done, len(results))
    if not quiet:
        console.print(f"{series} series with {slices} slices, {new} of them new in {store.name}")
    if faults:
        raise typer.Exit(1)


@track.command()
def chart(
    *,
    where: Where,
    baseline: Annotated[
        str,
        typer.Option(help="How many of the first series, or which days, FROM..TO, are normal."),
    ] = "20",
    scanner: Scanner = "",
    output: Table = None,
    pages: Annotated[
        Path | None,
        typer.Option(help="Write a page with a picture for each group into this folder."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Chart score and noise of each scanner, protocol and body region over time.

    The first series, or those of some days, say what is normal. A series beyond three standard
    deviations, or a moving average that has drifted off, is an alarm. The table goes to stdout, or
    with -o to a file; alarms go to stderr. Exit code 1 where the newest series of a group gives
    one.

    For example:

    ctiqa track chart --store ct.sqlite --baseline 2026-01-01..2026-02-28
    """
    check_form(output, ".csv", ".json")
    normal = _baseline(baseline)
    from ctiqa.cli.console import hand_out
    from ctiqa.protocol.drift import charts_of
    from ctiqa.protocol.drift_report import DriftReport

    with extra_installed("a store", "store"):
        from ctiqa.store.open import Store
        from ctiqa.store.query import tracked

    report = DriftReport(charts_of(tracked(Store(where), scanner=scanner), normal))
    if pages is not None:
        _write_pages(report, pages)
    hand_out(report, output, as_json=json)
    if not quiet:
        _summarise(report)
    if report.lasting:
        raise typer.Exit(1)


@track.command(name="list")
def list_groups(
    *, where: Where, scanner: Scanner = "", output: Table = None, json: Json = False
) -> None:
    """List scanners, protocols and body regions, with how many series of each are stored."""
    check_form(output, ".csv", ".json")
    from ctiqa.cli.console import hand_out
    from ctiqa.protocol.overview import Overview

    with extra_installed("a store", "store"):
        from ctiqa.store.open import Store
        from ctiqa.store.query import tracked

    hand_out(Overview(tracked(Store(where), scanner=scanner)), output, as_json=json)


@track.command()
def export(
    *,
    where: Where,
    slices: Annotated[bool, typer.Option("--slices", help="Slices, not series.")] = False,
    output: Table = None,
    json: Json = False,
) -> None:
    """Hand on what is stored, a row for each series or slice, with the UIDs that they go by."""
    check_form(output, ".csv", ".json")
    from ctiqa.cli.console import hand_out

    with extra_installed("a store", "store"):
        from ctiqa.store.export import export as rows_of
        from ctiqa.store.open import Store

    hand_out(rows_of(Store(where), slices=slices), output, as_json=json)


def _baseline(words: str) -> "Baseline":
    """Return the baseline that a user means.

    Raises:
        typer.BadParameter: if the words are neither a number nor two days.
    """
    from ctiqa.protocol.drift import FEWEST, Baseline

    first, parted, last = words.partition("..")
    try:
        if not parted:
            chosen = Baseline(count=int(words))
        else:
            chosen = Baseline(span=(date.fromisoformat(first), date.fromisoformat(last)))
    except ValueError as error:
        raise typer.BadParameter(
            f"{words} is neither a number nor two days such as 2026-01-01..2026-02-28",
            param_hint="--baseline",
        ) from error
    if chosen.count < FEWEST or (chosen.span and chosen.span[0] > chosen.span[1]):
        raise typer.BadParameter(
            f"a baseline holds at least {FEWEST} series, and its first day comes first",
            param_hint="--baseline",
        )
    return chosen


def _write_pages(report: "DriftReport", folder: Path) -> None:
    try:
        from ctiqa.outputs.drift_page import write_drift_pages
    except ModuleNotFoundError as error:
        raise CtiqaError(
            f"pages need {error.name}, which is not installed: pip install 'ctiqa[picture]'"
        ) from error
    write_drift_pages(report.charts, folder)


def _summarise(report: "DriftReport") -> None:
    from ctiqa.cli.console import stderr
    from ctiqa.outputs.drift_words import alarm_words, dating_words, limit_words

    console, group = stderr(), None
    for chart in report.charts:
        if chart.group != group:
            group = chart.group
            console.print(f"{group.words}: {len(chart.points)} series, model {group.model}")
            if words := dating_words(chart):
                console.print(f"  Caution: {words}")
        console.print(f"  {limit_words(chart)}")
        for alarm in chart.alarms:
            console.print(f"  Alarm: {alarm_words(chart, alarm)}")
