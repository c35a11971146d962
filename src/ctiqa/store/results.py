"""Read what ``ctiqa score -o results.json`` wrote, and check it before anything is stored."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from ctiqa.errors import TableError
from ctiqa.scoring.result import SCHEMA_VERSION

__all__ = ["Results", "ScoredSeries", "ScoredSlice", "read_results"]

Row: TypeAlias = dict[str, Any]

_LONGEST_UID = 64  # DICOM PS3.5, section 9.1


class ScoredSlice(NamedTuple):
    """What is stored of one image; 0 is the frame of a file with one image only."""

    sop_instance_uid: str
    frame: int
    instance_number: int | None
    z_mm: float | None
    score: float | None
    noise_hu: float | None
    status: str
    tube_current_ma: float | None
    ctdivol_mgy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSeries:
    """What is stored of one series; each fact is the one that most of its slices have.

    Args:
        acquired: the first day that a slice names; None where none does.
    """

    series_instance_uid: str
    study_instance_uid: str
    acquired: date | None
    manufacturer: str
    scanner: str
    kvp: float | None
    kernel: str
    slice_thickness_mm: float | None
    body_part: str
    slices: tuple[ScoredSlice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One file of results.

    Args:
        series: in the order of their UIDs.
        nameless: how many images have no UID and so cannot be told from one another later; a path
            would not do, since the same file lies elsewhere tomorrow.
    """

    model: str
    model_sha256: str
    series: tuple[ScoredSeries, ...]
    nameless: int


def read_results(path: Path) -> Results:
    """Read a file of results.

    Raises:
        TableError: if it is not what 'ctiqa score' writes as JSON.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise TableError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _no_results(path, "it is no JSON") from error
    if not isinstance(data, dict) or not isinstance(data.get("slices"), list):
        raise _no_results(path, "it has no slices")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise _no_results(path, f"its schema_version is not {SCHEMA_VERSION}")
    model = data.get("model")
    if not isinstance(model, dict) or not _is_sha256(model.get("sha256")):
        raise _no_results(path, "it does not say which model scored")
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in data["slices"]:
        rows[_series_of(row)].append(row)
    nameless = len(rows.pop("", ()))
    try:
        series = tuple(_series(uid, rows[uid]) for uid in sorted(rows))
    except (KeyError, TypeError, ValueError) as error:
        raise _no_results(path, f"a slice of it is damaged: {error}") from error
    return Results(
        model=str(model.get("name", "")),
        model_sha256=model["sha256"],
        series=series,
        nameless=nameless,
    )


def _no_results(path: Path, reason: str) -> TableError:
    return TableError(f"{path}: {reason}; give it what 'ctiqa score -o results.json' wrote")


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64


def _series_of(row: object) -> str:
    """Return the UID of a row's series; "" where that or the image's own is missing."""
    if not isinstance(row, dict):
        return ""
    uids = [row.get("sop_instance_uid"), row.get("series_instance_uid")]
    named = all(isinstance(uid, str) and 0 < len(uid) <= _LONGEST_UID for uid in uids)
    return str(uids[1]) if named else ""


def _series(uid: str, rows: list[Row]) -> ScoredSeries:
    # What was refused may be no image of the protocol at all, such as a localizer.
    telling = [row for row in rows if row["status"] != "not_scored"] or rows
    days = sorted(date.fromisoformat(row["acquired"]) for row in rows if row.get("acquired"))
    return ScoredSeries(
        series_instance_uid=uid,
        study_instance_uid=_word(telling, "study_instance_uid"),
        acquired=days[0] if days else None,
        manufacturer=_word(telling, "manufacturer"),
        scanner=_word(telling, "scanner"),
        kvp=_number(_usual(telling, "kvp"), "kvp"),
        kernel=_word(telling, "kernel"),
        slice_thickness_mm=_number(_usual(telling, "slice_thickness_mm"), "slice_thickness_mm"),
        body_part=_word(telling, "body_part").upper(),
        slices=tuple(map(_slice, rows)),
    )


def _slice(row: Row) -> ScoredSlice:
    return ScoredSlice(
        sop_instance_uid=row["sop_instance_uid"],
        frame=_whole(row["frame"], "frame") or 0,
        instance_number=_whole(row["instance_number"], "instance_number"),
        z_mm=_number(row["z_mm"], "z_mm"),
        score=_number(row["score"], "score"),
        noise_hu=_number(row["noise_hu"], "noise_hu"),
        status=str(row["status"]),
        tube_current_ma=_number(row["tube_current_ma"], "tube_current_ma"),
        ctdivol_mgy=_number(row["ctdivol_mgy"], "ctdivol_mgy"),
    )


def _usual(rows: list[Row], name: str) -> Any:
    return Counter(row[name] for row in rows).most_common(1)[0][0]


def _word(rows: list[Row], name: str) -> str:
    return str(_usual(rows, name) or "").strip()


def _number(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError(f"{name} is {value!r}, which is no number")
    return float(value)


def _whole(value: Any, name: str) -> int | None:
    number = _number(value, name)
    return None if number is None else int(number)
