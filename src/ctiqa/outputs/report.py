"""Write a page of HTML for each scored series, complete in itself, for a physicist to sign."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ctiqa.errors import CtiqaError, ReadError
from ctiqa.files import write_whole
from ctiqa.images.series import Reading
from ctiqa.outputs.report_charts import noise_chart, score_chart
from ctiqa.outputs.report_words import (
    card_figures,
    flags,
    interval,
    one_is,
    protocol,
    scanner_of,
    spreads,
    where,
)
from ctiqa.outputs.series_names import series_names
from ctiqa.scoring.intake import behind_rows
from ctiqa.scoring.privacy import DISCREET, Privacy
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from ctiqa.outputs.report_pictures import Load, Maps, Picture, extremes, pictures_of
except ImportError as error:
    raise CtiqaError("a report needs jinja2 and pillow: pip install 'ctiqa[report]'") from error

__all__ = ["Load", "Maps", "loader", "write_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """One series of a run, and the file that its page is written to; "" where it gets none."""

    name: str
    summary: SeriesSummary
    rows: tuple[SliceResult, ...]
    scanner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A slice that is pictured: its place among the scores, its row, its pictures."""

    rank: str
    where: str
    row: SliceResult
    pictures: tuple[Picture, ...]


def loader(reading: Reading, privacy: Privacy = DISCREET) -> Load:
    """Return what reads a row's slice anew from the files in which it was found.

    Args:
        reading: what was scored, read with the ``size`` of the model's card.
        privacy: with which it was scored.
    """
    headers = behind_rows(reading, privacy)
    return lambda row: headers[row.path, row.frame].load()


def write_report(
    report: ScoreReport,
    folder: Path,
    *,
    load: Load,
    maps: Maps | None = None,
) -> tuple[Path, ...]:
    """Write ``series-<key>.html`` for each series, and ``index.html`` where there are several.

    The pages need no other file, no network and no script, and name no patient. The key is made of
    the series' UID: the same series has the same page, whoever scores it.

    Args:
        report: what was scored.
        folder: is made where it is missing.
        load: reads the few slices that are pictured, as :func:`loader` does.
        maps: tells where in a slice quality is lost; asked for the few slices that are pictured,
            and drawn beside their pictures. None where the model cannot tell.

    Returns:
        The files that were written, the index last.

    Raises:
        ReadError: if nothing of a series was scored; the others have their pages then. Also if a
            pictured slice can no longer be read.
        WriteError: if a page could not be written whole.
    """
    pages = tuple(_pages(report))
    made = datetime.now(UTC).date()
    written = [
        write_whole(folder / page.name, _series_html(page, report, load=load, maps=maps, made=made))
        for page in pages
        if page.name
    ]
    if len(pages) > 1:
        index = _render("report_index", pages=pages, **_of_the_run(report, made))
        written.append(write_whole(folder / "index.html", index))
    if bare := [page for page in pages if not page.name]:
        names = ", ".join(page.summary.series_instance_uid or page.rows[0].path for page in bare)
        raise ReadError(
            f"{names}: no slice was scored, so there is no report; the reasons stand in the table"
            " of scores"
        )
    return tuple(written)


def _pages(report: ScoreReport) -> Iterator[_Page]:
    for name, (summary, rows) in zip(series_names(report), report.by_series(), strict=True):
        yield _Page(
            name=f"{name}.html" if summary.scored else "",
            summary=summary,
            rows=rows,
            scanner=scanner_of(rows[0]),
        )


def _series_html(
    page: _Page,
    report: ScoreReport,
    *,
    load: Load,
    maps: Maps | None,
    made: date,
) -> bytes:
    rows, card = page.rows, report.card
    return _render(
        "report",
        page=page,
        one_is=one_is(card),
        score_chart=score_chart(rows),
        noise_chart=noise_chart(rows),
        banded=any(interval(row) for row in rows),
        shown=tuple(_shown(rows, load=load, maps=maps)),
        spreads=tuple(spreads(rows, card)),
        protocol=protocol(rows),
        flags=flags(rows),
        figures=tuple(card_figures(card.figures)),
        **_of_the_run(report, made),
    )


def _of_the_run(report: ScoreReport, made: date) -> dict[str, Any]:
    """Return what every page of a run states."""
    in_series = sum(summary.slices for summary in report.series)
    return {
        "report": report,
        "unread": flags(report.slices[in_series:]),
        "made": made.isoformat(),
        "version": version("ctiqa"),
    }


def _render(template: str, **facts: Any) -> bytes:
    pages = Environment(
        loader=PackageLoader("ctiqa", "outputs"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A file name that is no Unicode is spelt out.
    text = pages.get_template(f"{template}.html.jinja").render(facts)
    return text.encode("utf-8", "backslashreplace")


def _shown(rows: Sequence[SliceResult], *, load: Load, maps: Maps | None) -> Iterator[_Shown]:
    worst, best = extremes(rows)
    ranks = ("Lowest score", "Second lowest score", "Third lowest score")
    named = [*zip(ranks, worst, strict=False), ("Highest score", best)]
    for rank, row in named:
        yield _Shown(
            rank=rank, where=where(row), row=row, pictures=pictures_of(load(row), maps=maps)
        )
