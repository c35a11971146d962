"""Results are plain data that say what they mean."""

import json
import sys
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pytest

from ctiqa.card import Card
from ctiqa.errors import CtiqaError
from ctiqa.scoring.columns import COLUMNS
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

# Issue 3, item 8: this order is a promise to whoever reads the files.
PROMISED = [
    *("path", "study_instance_uid", "series_instance_uid", "sop_instance_uid"),
    *("instance_number", "z_mm", "score", "noise_hu", "status", "reasons", "kvp"),
    *("tube_current_ma", "ctdivol_mgy", "kernel", "slice_thickness_mm", "pixel_mm"),
    *("manufacturer", "scanner", "body_part", "model", "model_sha256"),
]


def row(score: float | None, **facts: Any) -> SliceResult:
    status = "not_scored" if score is None else "ok"
    return SliceResult(**({"path": "a.dcm", "score": score, "status": status} | facts))


def report(card: Card, *rows: SliceResult) -> ScoreReport:
    return ScoreReport(
        slices=rows, series=(SeriesSummary.of(rows),), card=card, model_sha256="ab" * 32
    )


def test_the_columns_are_the_promised_ones_in_the_promised_order() -> None:
    assert list(COLUMNS) == PROMISED
    assert list(row(0.5).row()) == PROMISED


def test_every_column_is_a_field_of_a_result() -> None:
    assert set(COLUMNS) <= {field.name for field in fields(SliceResult)}


def test_reasons_are_joined_with_semicolons() -> None:
    assert row(0.5, reasons=("kernel B70f", "tilted")).row()["reasons"] == "kernel B70f; tilted"


def test_a_summary_agrees_with_numpy() -> None:
    scores = np.random.default_rng(0).uniform(0, 1, 37).tolist()
    rows = [row(score, noise_hu=20 * score) for score in scores]
    summary = SeriesSummary.of(rows)
    assert summary.score_median == pytest.approx(np.median(scores))
    assert summary.score_mean == pytest.approx(np.mean(scores))
    assert summary.score_p5 == pytest.approx(np.percentile(scores, 5))
    assert summary.score_p95 == pytest.approx(np.percentile(scores, 95))
    assert summary.noise_hu_median == pytest.approx(20 * np.median(scores))


def test_a_summary_names_the_worst_and_the_best_slice_and_counts_every_status() -> None:
    rows = [
        row(0.5, sop_instance_uid="1.1", z_mm=1.0),
        row(0.2, sop_instance_uid="1.2", z_mm=2.0, status="caution"),
        row(None, sop_instance_uid="1.3", z_mm=3.0),
        row(0.9, sop_instance_uid="1.4", z_mm=4.0),
    ]
    summary = SeriesSummary.of(rows, notes=("1 gap",))
    assert summary.worst == {"path": "a.dcm", "sop_instance_uid": "1.2", "z_mm": 2.0, "score": 0.2}
    assert summary.best == {"path": "a.dcm", "sop_instance_uid": "1.4", "z_mm": 4.0, "score": 0.9}
    counts = (summary.slices, summary.scored, summary.caution, summary.not_scored)
    assert counts == (4, 3, 1, 1)
    assert summary.notes == ("1 gap",)


def test_one_slice_is_its_own_spread() -> None:
    summary = SeriesSummary.of([row(0.3)])
    spread = (summary.score_p5, summary.score_median, summary.score_mean, summary.score_p95)
    assert spread == (0.3, 0.3, 0.3, 0.3)


def test_a_series_without_a_score_has_counts_only() -> None:
    summary = SeriesSummary.of([row(None), row(None)])
    assert (summary.slices, summary.not_scored) == (2, 2)
    known = {name for name, value in asdict(summary).items() if value not in (None, "", (), 0, 2)}
    assert known == set()


def test_a_report_says_what_its_score_means_and_which_model_gave_it(card: Card) -> None:
    data = report(card, row(0.5)).to_dict()
    assert data["schema_version"] == 1
    assert data["meaning"] == "score in [0, 1], higher is better"
    assert (data["score_range"], data["higher_is_better"]) == ([0.0, 1.0], True)
    assert data["model"]["sha256"] == "ab" * 32
    assert data["model"]["card"]["training_range"]["kvp"] == (100.0, 140.0)


def test_a_report_is_data_that_json_can_hold(card: Card) -> None:
    data = json.loads(json.dumps(report(card, row(0.5), row(None)).to_dict(), allow_nan=False))
    assert [each["score"] for each in data["slices"]] == [0.5, None]
    assert data["series"][0]["slices"] == 2


def test_a_data_frame_has_the_columns_and_types_of_the_table(card: Card) -> None:
    frame = report(card, row(0.5, instance_number=7), row(None)).to_dataframe()
    assert list(frame.columns) == PROMISED
    assert frame["score"].dtype == float
    assert frame["score"].isna().tolist() == [False, True]
    assert frame["instance_number"].tolist()[0] == 7


def test_a_data_frame_of_nothing_scored_has_the_same_types(card: Card) -> None:
    full, empty = report(card, row(0.5)), report(card, row(None))
    numbers = ["score", "noise_hu", "z_mm", "kvp", "instance_number"]
    types = [each.to_dataframe()[numbers].dtypes.tolist() for each in (full, empty)]
    assert types[0] == types[1]


def test_without_pandas_a_data_frame_is_refused_in_one_sentence(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(CtiqaError, match=r"ctiqa\[table\]"):
        report(card, row(0.5)).to_dataframe()
