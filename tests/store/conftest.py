"""Results as ``ctiqa score`` writes them, made without a scan."""

import json
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from ctiqa.card import Card
from ctiqa.scoring.result import ScoreReport, SliceResult

WriteResults = Callable[..., Path]


@pytest.fixture
def write_results(tmp_path: Path) -> WriteResults:
    """Return a writer: ``write_results("r.json", [1, 2], fact=...)`` for series 1 and 2.

    Series n was acquired n days after the first of January; its noise is 10 to 12 HU, and 0.4 HU
    more where n is odd. ``slices`` chooses some of its three, ``undated`` leaves the day out.
    """

    def write(
        name: str,
        numbers: Iterable[int],
        *,
        slices: Iterable[int] = range(3),
        sha256: str = "a" * 64,
        undated: bool = False,
        **facts: Any,
    ) -> Path:
        chosen = list(slices)
        rows = [_row(number, place, facts) for number in numbers for place in chosen]
        card = Card(name="compact", outputs=1, windows_hu=((400.0, 40.0),))
        report = ScoreReport(slices=tuple(rows), series=(), card=card, model_sha256=sha256)
        data = report.to_dict()
        for row in data["slices"]:
            row["acquired"] = "" if undated else _day(row["series_instance_uid"])
        path = tmp_path / name
        path.write_text(json.dumps(data), encoding="utf-8")
        return path

    return write


def _row(number: int, place: int, facts: dict[str, Any]) -> SliceResult:
    usual: dict[str, Any] = {
        "path": f"doe-john/{number}/{place}.dcm",
        "study_instance_uid": f"1.1.{number}",
        "series_instance_uid": f"1.2.{number}",
        "sop_instance_uid": f"1.3.{number}.{place}",
        "instance_number": place,
        "z_mm": float(place),
        "score": 0.7 + 0.01 * place,
        "noise_hu": 10.0 + place + 0.4 * (number % 2),
        "status": "ok",
        "kvp": 120.0,
        "kernel": "B30f",
        "slice_thickness_mm": 1.0,
        "manufacturer": "Brand",
        "scanner": "X",
        "body_part": "CHEST",
        "ctdivol_mgy": 5.0,
    }
    return SliceResult(**(usual | facts))


def _day(series_instance_uid: str) -> str:
    number = int(series_instance_uid.rpartition(".")[2] or 0)
    return (date(2026, 1, 1) + timedelta(days=number)).isoformat()
