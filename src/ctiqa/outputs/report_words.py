"""Say in words and rounded numbers what a series scored: the facts and tables of its page."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ctiqa.card import Card
from ctiqa.scoring.columns import PART_COLUMNS
from ctiqa.scoring.result import SliceResult, Status

__all__ = [
    "FigureTable",
    "Flag",
    "Spread",
    "card_figures",
    "flags",
    "interval",
    "one_is",
    "protocol",
    "scanner_of",
    "spreads",
    "where",
]

_UNKNOWN = "unknown"

_FIRST_NUMBER: Final = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")

_ABBREVIATED: Final = {"plcc", "srocc", "krocc", "opm", "mae", "mse"}


@dataclass(frozen=True, slots=True)
class Spread:
    """How one number is spread over the slices of a series, in words.

    Args:
        name: of the number, with its unit.
        cells: lowest, 5th percentile, median, 95th percentile, highest.
    """

    name: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """One reason in words, and how many slices carry it."""

    status: Status
    reason: str
    slices: int


@dataclass(frozen=True, slots=True)
class FigureTable:
    """Figures that a card states together.

    Args:
        title: on what they were reached.
        facts: what stands beside the table, "images 376".
        columns: names of the figures.
        rows: by whom they were reached, then one cell for each column.
    """

    title: str
    facts: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def interval(row: SliceResult) -> tuple[float, float] | None:
    """Return the interval round the score; None unless the row has one."""
    low, high = row.score_low, row.score_high
    return None if low is None or high is None else (low, high)


def one_is(card: Card) -> str:
    """Return what a score of 1 stands for, "" where the card's label does not tell."""
    match card.label.get("reference"):
        case "ideal" if len(card.parts) > 1:
            return "1 is the same slice without noise, blur or streaks"
        case "ideal":
            return "1 is the same slice without noise"
        case "routine":
            return "1 is the same slice at the routine dose"
        case _:
            return ""


def where(row: SliceResult) -> str:
    """Return where a slice lies, as exactly as is known."""
    parts = (
        None if row.z_mm is None else f"table position {row.z_mm:.1f} mm",
        None if row.instance_number is None else f"image {row.instance_number}",
        None if row.frame is None else f"frame {row.frame}",
    )
    return ", ".join(filter(None, parts)) or row.path


def spreads(rows: Sequence[SliceResult], card: Card) -> Iterator[Spread]:
    """Yield the score, its parts, the noise and the readers' grade, as far as they are known."""
    parts = {
        f"score, part {part}": PART_COLUMNS[part] for part in card.parts if part in PART_COLUMNS
    }
    names = {"score": "score"} | parts
    names |= {"global noise, HU": "noise_hu", "readers' grade": "reader_score"}
    for name, column in names.items():
        values = [value for row in rows if (value := getattr(row, column)) is not None]
        if values:
            form = "{:.1f}" if column == "noise_hu" else "{:.3f}"
            found = np.percentile(values, (0, 5, 50, 95, 100)).tolist()
            yield Spread(name, tuple(form.format(value) for value in found))


def scanner_of(row: SliceResult) -> str:
    """Return manufacturer and scanner, the manufacturer once."""
    if row.scanner.casefold().startswith(row.manufacturer.casefold()):
        return row.scanner or "unknown scanner"
    return f"{row.manufacturer} {row.scanner}".strip()


def protocol(rows: Sequence[SliceResult]) -> dict[str, str]:
    """Return how a series was made, by what it is called; "unknown" where no header tells."""
    return {
        "Manufacturer": _all(row.manufacturer for row in rows),
        "Scanner": _all(row.scanner for row in rows),
        "Date of the scan": _all(row.acquired for row in rows),
        "Body part": _all(row.body_part for row in rows),
        "Tube voltage": _range((row.kvp for row in rows), "kV"),
        "Tube current": _range((row.tube_current_ma for row in rows), "mA"),
        "CTDIvol": _range((row.ctdivol_mgy for row in rows), "mGy"),
        "Kernel": _all(row.kernel for row in rows),
        "Slice thickness": _range((row.slice_thickness_mm for row in rows), "mm"),
        "Pixel size": _range((row.pixel_mm for row in rows), "mm"),
        "Table positions": _range((row.z_mm for row in rows), "mm"),
        "First file": rows[0].path,
        "Study Instance UID": rows[0].study_instance_uid or _UNKNOWN,
        "Series Instance UID": rows[0].series_instance_uid or _UNKNOWN,
    }


def flags(rows: Iterable[SliceResult]) -> list[Flag]:
    """Return each reason once, the most frequent first; reasons that differ in one number are one.

    "noise 2.9 HU outside training" and "noise 3.1 HU outside training" become "noise 2.9 to 3.1 HU
    outside training".
    """
    found: dict[tuple[Status, str, str], list[str]] = defaultdict(list)
    for row in rows:
        for reason in row.reasons:
            number = _FIRST_NUMBER.search(reason)
            start, end = number.span() if number else (len(reason), len(reason))
            key = row.status, reason[:start], reason[end:]
            found[key].append(reason[start:end])
    counted = [
        Flag(status, f"{before}{_from_to(numbers)}{after}", len(numbers))
        for (status, before, after), numbers in found.items()
    ]
    return sorted(counted, key=lambda flag: -flag.slices)


def card_figures(figures: Mapping[str, Any]) -> Iterator[FigureTable]:
    """Yield what a card states on patients the model never saw; without that, all that it states.

    The first are the groups in which the model stands beside others, as ``rows``.
    """
    groups = {
        title: group if isinstance(group, Mapping) else {"value": group}
        for title, group in figures.items()
    }
    compared = {title: group for title, group in groups.items() if "rows" in group}
    for title, facts in (compared or groups).items():
        rows = facts.get("rows", {})
        columns = tuple(dict.fromkeys(name for row in rows.values() for name in row))
        yield FigureTable(
            title=_plain(title),
            facts=tuple(f"{_plain(key)} {_cell(facts[key])}" for key in facts if key != "rows"),
            columns=tuple(map(_plain, columns)),
            rows=tuple(
                (_plain(name), *(_cell(row.get(column)) for column in columns))
                for name, row in rows.items()
            ),
        )


def _all(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, words))) or _UNKNOWN


def _range(values: Iterable[float | None], unit: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return _UNKNOWN
    ends = dict.fromkeys(f"{end:.4g}" for end in (min(known), max(known)))
    return f"{' to '.join(ends)} {unit}"


def _from_to(numbers: Sequence[str]) -> str:
    ordered = sorted(set(numbers), key=lambda number: float(number or 0))
    return " to ".join(dict.fromkeys((ordered[0], ordered[-1])))


def _plain(name: str) -> str:
    return " ".join(word.upper() if word in _ABBREVIATED else word for word in name.split("_"))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
