"""The parts that the pages of a study share: head, tables, lists."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctiqa.study.about import About
from ctiqa.study.grid import SCALES
from ctiqa.study.run_table import Record
from ctiqa.study.runs import Row, Table
from ctiqa.study.worth import Scales, Spread

__all__ = ["Found", "bullets", "done_runs", "markdown", "page_head", "spread_words"]


@dataclass(frozen=True)
class Found:
    """What a page is made of.

    Args:
        command: that makes the page, as it was given.
        about: what the study is about.
        records: of all runs.
        scales: on which rows are weighed.
        date: of the page.
    """

    command: str
    about: About
    records: Mapping[str, Record]
    scales: Scales
    date: str

    @property
    def done(self) -> frozenset[str]:
        """Names of the runs that are done."""
        return frozenset(name for name, one in self.records.items() if one.state == "done")


def page_head(table: Table, found: Found) -> str:
    """Return the command, the title, and what all figures of a page have in common."""
    about = found.about
    names = {run.name for row in (*table.rows, *table.further) for rs in row.runs for run in rs}
    records = [found.records[name] for name in sorted(names) if name in found.records]
    done = [record for record in records if record.state == "done"]
    hours = sum(record.seconds or 0.0 for record in done) / 3600
    devices = "; ".join(sorted({record.device for record in done})) or "none yet"
    seeds = max(len(row.runs) for row in table.rows)
    label = re.sub(r"(\d)$", r" \1", table.name).capitalize()
    title = f"{label}: {table.title}"
    trained = f"{_count(about.train_patients, 'patient')} ({about.train_images} images)"
    judged = f"{_count(about.test_patients, 'patient')} ({about.test_images} images)"
    doses = ", ".join(f"{dose:g}" for dose in about.doses)
    data = (
        f"corpus {about.corpus} ({about.fingerprint[:12]}), trained on {trained}, judged on "
        f"{judged}, doses {doses}"
    )
    scale = about.scale if about.scale in SCALES else f"of its own ({about.scale})"
    return "\n".join(
        (
            f"`{found.command}`",
            "",
            f"# {title}",
            "",
            f"- data: {data}",
            f"- scale: {scale}, for every row; {_count(seeds, 'seed')} asked for",
            f"- device: {devices}; {hours:.1f} h of training",
            f"- date: {found.date}",
            f"- done: {len(done)} of {len(names)} networks",
        )
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def done_runs(row: Row, found: Found) -> list[str]:
    """Return the names of a row's runs that are done, seed by seed."""
    return [run.name for together in row.runs for run in together if run.name in found.done]


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column holds words and the others numbers."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def bullets(sentences: Sequence[str]) -> str:
    """Return sentences as a list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def spread_words(spread: Spread, digits: int) -> str:
    """Return a mean with the standard deviation behind it, if there is one."""
    mean = f"{spread.mean:.{digits}f}" if math.isfinite(spread.mean) else "-"
    return mean if math.isnan(spread.sd) else f"{mean} ± {spread.sd:.{digits}f}"
