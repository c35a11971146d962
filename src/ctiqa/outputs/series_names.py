"""Call the files of a series by its UID, so that whoever scores it finds the same names."""

import hashlib
from collections.abc import Iterator

from ctiqa.scoring.result import ScoreReport

__all__ = ["series_names"]


def series_names(report: ScoreReport) -> Iterator[str]:
    """Yield ``series-<key>`` for each series of a run; the key is a hash of its UID or path."""
    taken: dict[str, int] = {}
    for summary, rows in report.by_series():
        what = summary.series_instance_uid or rows[0].path
        key = hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        # A series that mixes orientations is scored as several, all of one UID.
        taken[key] = taken.get(key, 0) + 1
        part = f"-{taken[key]}" if taken[key] > 1 else ""
        yield f"series-{key}{part}"
