"""The pages of a study: each table of the paper made on one's own data, beside what is printed."""

import math
from collections.abc import Sequence

import numpy as np

from ctiqa.measures.agreement import Interval
from ctiqa.study.baselines import DOSE_ALONE, NOISE_ALONE
from ctiqa.study.page_parts import Found, bullets, done_runs, markdown, page_head, spread_words
from ctiqa.study.paper import CONTRADICTIONS, PRINTED, Printed
from ctiqa.study.reading import read_table
from ctiqa.study.runs import Row, Table
from ctiqa.study.worth import FIGURES, Worth

__all__ = ["completes", "table_page"]

_HEAD = ("", "seeds", "OPM", "signed", "PLCC", "SROCC", "KROCC", "MAE", "MSE")
_ORDERED = ("table1", "table2")
_BASELINES = (DOSE_ALONE, NOISE_ALONE)
_ABSENT = "not at hand"


def completes(table: Table, name: str, done: frozenset[str]) -> bool:
    """Say whether a run, the last to be done, completed a row of a table for some seed."""
    return any(
        name in {run.name for run in together} and done.issuperset(run.name for run in together)
        for row in (*table.rows, *table.further)
        for together in row.runs
    )


def table_page(table: Table, found: Found) -> str:
    """Return a table of the paper as Markdown, with what is printed and what can be read in it."""
    rows = _weighed(table.rows, found)
    further = _weighed(table.further, found)
    baselines = found.scales.baselines()
    blocks = [page_head(table, found), _main(table, rows, baselines)]
    if table.further:
        words = "## What the paper's text speaks of and no table prints\n\n"
        blocks.append(words + markdown(_HEAD, _lines(further) or [_blank("no row is done yet")]))
    if shares := _gates(table, found):
        blocks.append(
            "## How often the gate opened\n\nShare of the training images whose label the "
            "teachers' mean met within epsilon, in the student's last epoch.\n\n"
            + markdown(("", "open"), shares)
        )
    weighed = [*rows, *further, *baselines]
    if weighed:
        blocks += [_intervals(weighed, found), _patients(weighed, found)]
    sentences = read_table(
        rows,
        table.chosen,
        patients=found.about.test_patients,
        ordered=table.name in _ORDERED,
    )
    blocks.append("## Reading\n\n" + bullets(sentences))
    if words_of_paper := CONTRADICTIONS.get(table.name):
        blocks.append("## Where the paper contradicts itself\n\n" + bullets(words_of_paper))
    return "\n\n".join(blocks) + "\n"


def _weighed(rows: Sequence[Row], found: Found) -> list[Worth]:
    worths = (found.scales.weigh(row, found.done) for row in rows)
    return [worth for worth in worths if worth is not None]


def _main(table: Table, worths: Sequence[Worth], baselines: Sequence[Worth]) -> str:
    """Return the rows of a table, each with what is printed where the paper has such a table."""
    known = {worth.key: worth for worth in worths}
    printed = PRINTED.get(table.name)
    lines = []
    for row in table.rows:
        lines += _lines([known[row.key]]) if row.key in known else [_blank(row.words, "0")]
        if printed is not None:
            theirs = printed.get(row.key, Printed())
            lines.append(["printed", "", *(_printed(theirs, figure) for figure in FIGURES)])
    words = (
        "Mean over the seeds that are done, ± standard deviation between them{}. OPM is the "
        "paper's sum of absolute values, signed the sum that sees an inverted score."
    )
    title, second = "## Here", ""
    if printed is not None:
        title = "## Here and in the paper"
        second = "; the second line of a row is what the paper prints on its own data"
    table_text = markdown(_HEAD, [*lines, *_lines(baselines)])
    return f"{title}\n\n{words.format(second)}\n\n{table_text}"


def _lines(worths: Sequence[Worth]) -> list[list[str]]:
    return [
        [
            worth.words,
            "" if worth.words in _BASELINES else str(len(worth.signed_opm)),
            *(spread_words(worth.figures[figure], 4) for figure in FIGURES),
        ]
        for worth in worths
    ]


def _blank(words: str, seeds: str = "") -> list[str]:
    return [words, seeds, *("-" for _ in FIGURES)]


def _gates(table: Table, found: Found) -> list[list[str]]:
    lines = []
    for row in (*table.rows, *table.further):
        figures = [found.records[name].figures for name in done_runs(row, found)]
        shares = [each.get("gate_share") for each in figures]
        known = [share for share in shares if share is not None]
        if known:
            lines.append([row.words, f"{100 * float(np.mean(known)):.1f} %"])
    return lines


def _intervals(worths: Sequence[Worth], found: Found) -> str:
    lines = [
        [
            worth.words,
            _number(worth.figures["signed_opm"].mean),
            _ends(worth.interval),
            _number(worth.gain, "+.4f"),
            _ends(worth.gain_interval),
        ]
        for worth in worths
    ]
    columns = ("", "signed OPM", "95 %", "more than noise alone", "95 %")
    words = f"From {found.scales.n_boot} resamples of the test patients; - with fewer than three."
    return f"## Intervals over patients\n\n{words}\n\n{markdown(columns, lines)}"


def _patients(worths: Sequence[Worth], found: Found) -> str:
    patients = found.scales.patients
    lines = [
        [worth.words, *(_number(worth.per_patient[name]) for name in patients)] for worth in worths
    ]
    return "## Signed OPM within each test patient\n\n" + markdown(("", *patients), lines)


def _number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None or not math.isfinite(value) else format(value, form)


def _printed(row: Printed, figure: str) -> str:
    if figure == "signed_opm":  # which the paper does not know
        return ""
    digits = getattr(row, figure)
    return _ABSENT if digits is None else str(digits)


def _ends(ends: Interval | None) -> str:
    return "-" if ends is None or math.isnan(ends.low) else f"{ends.low:.4f} to {ends.high:.4f}"
