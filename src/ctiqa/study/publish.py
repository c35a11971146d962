"""Write the pages of a study, each again whenever a run completes a row of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ctiqa.files import write_whole
from ctiqa.measures.correlation import Column
from ctiqa.study.about import read_about
from ctiqa.study.figure_page import figure_page, losses
from ctiqa.study.grid import FIGURE
from ctiqa.study.kept import images_path, read_images, read_kept, scores_path
from ctiqa.study.page_parts import Found
from ctiqa.study.pages import completes, table_page
from ctiqa.study.run_progress import write_csv
from ctiqa.study.run_table import RunTable
from ctiqa.study.runs import Run, Table
from ctiqa.study.worth import Scales

__all__ = ["Draw", "Publisher"]

Draw = Callable[[Mapping[str, Column]], bytes]
"""Draws curves, by what they are called, as PNG."""

_PICTURE = "figure4.png"
_RUNS_CSV = "runs.csv"


@dataclass(frozen=True)
class Publisher:
    """Writes the pages of some tables into the folder of a study; needs no network.

    Args:
        folder: of the study.
        tables: that are wanted.
        runs: the table of runs.
        command: that makes the pages, for their first line.
        draw: draws the figure; None where nothing can.
    """

    folder: Path
    tables: Sequence[Table]
    runs: RunTable
    command: str
    draw: Draw | None
    _known: dict[str, Scales] = field(default_factory=dict)

    def ended(self, run: Run) -> None:
        """Write the pages in which a run that ended completes a row, and runs.csv."""
        records = self.runs.records()
        done = frozenset(record.name for record in records if record.state == "done")
        self.write([table for table in self.tables if completes(table, run.name, done)])

    def write(self, tables: Sequence[Table]) -> None:
        """Write the pages of some tables, and runs.csv.

        Raises:
            TableError: if the folder holds no study, or what it keeps is damaged.
            WriteError: if a page could not be written whole.
        """
        records = self.runs.records()
        write_csv(records, self.folder / _RUNS_CSV)
        if not tables:
            return
        by_name = {record.name: record for record in records}
        about, date = read_about(self.folder), datetime.now(UTC).date().isoformat()
        for table in tables:
            found = Found(self.command, about, by_name, self._scales(table.images), date)
            page = self._figure(table, found) if table.name == FIGURE else table_page(table, found)
            write_whole(self.folder / f"{table.name}.md", page.encode())

    def _scales(self, images: str) -> Scales:
        # Scores of what is done never change, so that each is weighed once.
        if images not in self._known:
            kept = read_images(images_path(self.folder, images))
            self._known[images] = Scales(kept, self._score)
        return self._known[images]

    def _figure(self, table: Table, found: Found) -> str:
        curves, picture = losses(table, found, self._loss), ""
        if curves and self.draw is not None:
            picture = write_whole(self.folder / _PICTURE, self.draw(curves)).name
        return figure_page(table, found, picture=picture, loss_of=self._loss)

    def _score(self, run: str) -> Column:
        return read_kept(scores_path(self.folder, run)).score

    def _loss(self, run: str) -> Column:
        return read_kept(scores_path(self.folder, run)).loss
