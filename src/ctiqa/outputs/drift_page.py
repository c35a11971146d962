"""Write a page (Markdown) with its picture (PNG) for every group of series over time."""

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ctiqa.files import write_whole
from ctiqa.outputs.control_picture import control_picture
from ctiqa.outputs.drift_words import alarm_words, dating_words, limit_words
from ctiqa.protocol.drift import Chart

__all__ = ["drift_page", "write_drift_pages"]


def drift_page(charts: Sequence[Chart], *, picture: str) -> str:
    """Return the page of one group as Markdown.

    Args:
        charts: of one group, at least one.
        picture: name of the file beside the page that shows them.
    """
    group = charts[0].group
    first, last = charts[0].points[0].day, charts[0].points[-1].day
    alarms = [alarm_words(chart, alarm) for chart in charts for alarm in chart.alarms]
    lines = [
        f"# {group.words}",
        "",
        f"- {len(charts[0].points)} series from {first} to {last}",
        *(f"- {limit_words(chart)}" for chart in charts),
        f"- model: {group.model} (sha256 {group.model_sha256[:12]}...)",
        *(f"- caution: {words}" for words in filter(None, [dating_words(charts[0])])),
        "",
        f"![control charts]({picture})",
        "",
        "## Alarms",
        "",
        *([f"- {words}" for words in alarms] or ["None."]),
    ]
    return "\n".join(lines) + "\n"


def write_drift_pages(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Write the pages of all groups into a folder, and return them.

    Args:
        charts: those of a group beside one another.
        folder: made if need be.

    Raises:
        WriteError: if a page could not be written whole.
    """
    pages = []
    for number, (group, each) in enumerate(groupby(charts, key=lambda one: one.group), start=1):
        shown = list(each)
        name = f"{number:02}-{re.sub(r'[^a-z0-9.]+', '-', group.words.lower()).strip('-')}"[:80]
        picture = write_whole(folder / f"{name}.png", control_picture(shown))
        page = drift_page(shown, picture=picture.name)
        pages.append(write_whole(folder / f"{name}.md", page.encode()))
    return pages
