"""How far a table of runs is, in words for people and as CSV."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ctiqa.files import write_whole
from ctiqa.study.run_table import Record

__all__ = ["progress_words", "remaining_s", "write_csv"]

_FACTS = ("name", "kind", "seed", "state", "folder", "device", "started", "seconds", "reason")
_STATES = ("waiting", "running", "done", "failed")


def progress_words(records: Sequence[Record], *, now: float) -> str:
    """Say how many runs are done, running, left and failed, and about how long the rest takes.

    >>> progress_words([], now=0.0)
    '0 of 0 runs done, 0 running, 0 left'
    """
    count = {state: sum(record.state == state for record in records) for state in _STATES}
    words = f"{count['done']} of {len(records)} runs done"
    words += f", {count['running']} running, {count['waiting']} left"
    if count["failed"]:
        words += f", {count['failed']} failed"
    left_s = remaining_s(records, now=now)
    if left_s is None or not count["running"] + count["waiting"]:
        return words
    minutes = round(left_s / 60)
    hours = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    return f"{words}, {f'about {hours}' if minutes else 'less than a minute'}"


def remaining_s(records: Sequence[Record], *, now: float) -> float | None:
    """Return about how long the rest takes with as many processes as are at work now.

    Args:
        records: the runs that are wanted.
        now: in seconds since 1970.

    Returns:
        Seconds; None as long as nothing was trained.
    """
    done = [record for record in records if record.state == "done" and record.seconds]
    if not done:
        return None
    usual = {None: _mean(done)} | {
        kind: _mean([record for record in done if record.kind == kind])
        for kind in {record.kind for record in done}
    }
    left = 0.0
    for record in records:
        each = usual.get(record.kind, usual[None])
        if record.state == "waiting":
            left += each
        elif record.state == "running":
            left += max(each - (now - (record.started or now)), 0.0)
    return left / max(sum(record.state == "running" for record in records), 1)


def write_csv(records: Sequence[Record], path: Path) -> None:
    """Write one line for each run, its figures in columns of their own; no name of a machine.

    Raises:
        WriteError: if the file could not be written whole.
    """
    names = list(dict.fromkeys(name for record in records for name in record.figures))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_FACTS, *names])
    for record in records:
        facts = [_moment(record) if n == "started" else getattr(record, n) for n in _FACTS]
        table.writerow([*facts, *(record.figures.get(name) for name in names)])
    write_whole(path, text.getvalue().encode())


def _moment(record: Record) -> str:
    if record.started is None:
        return ""
    return datetime.fromtimestamp(record.started, UTC).isoformat(timespec="seconds")


def _mean(records: Sequence[Record]) -> float:
    return sum(record.seconds or 0.0 for record in records) / len(records)
