"""A table can be read by anybody and is written whole or not at all."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ctiqa.card import Card
from ctiqa.errors import WriteError
from ctiqa.outputs.tables import as_csv, as_json, write_csv, write_json
from ctiqa.scoring.columns import COLUMNS
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult


def report_of(**facts: Any) -> ScoreReport:
    scored = {"path": "a.dcm", "score": 0.1 + 0.2, "status": "ok", "model": "mean"} | facts
    rows = (SliceResult(**scored), SliceResult(path="b.dcm", status="not_scored", reasons=("odd",)))
    card = Card(name="mean", outputs=1, windows_hu=((2000.0, 0.0),))
    return ScoreReport(
        slices=rows, series=(SeriesSummary.of(rows),), card=card, model_sha256="ab" * 32
    )


def rows_of(report: ScoreReport) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(as_csv(report).decode("utf-8"))))


def test_a_table_has_one_header_and_a_row_for_each_image() -> None:
    rows = rows_of(report_of())
    assert tuple(rows[0]) == COLUMNS
    assert [row["path"] for row in rows] == ["a.dcm", "b.dcm"]
    assert as_csv(report_of()).startswith(b"path,study_instance_uid,")


def test_nothing_is_rounded_and_nothing_unknown_is_written() -> None:
    scored, refused = rows_of(report_of())
    assert float(scored["score"]) == 0.1 + 0.2
    assert (refused["score"], refused["noise_hu"], refused["kvp"]) == ("", "", "")
    assert (refused["status"], refused["reasons"]) == ("not_scored", "odd")


def test_pandas_reads_the_numbers_back() -> None:
    frame = pd.read_csv(StringIO(as_csv(report_of(kvp=120.0)).decode()))
    assert frame["score"].tolist()[0] == 0.1 + 0.2
    assert frame["score"].isna().tolist() == [False, True]


def test_commas_quotes_and_umlauts_survive() -> None:
    kernel = 'B30f, "weich", Körper'
    assert rows_of(report_of(kernel=kernel))[0]["kernel"] == kernel


@pytest.mark.parametrize("word", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_word_of_a_header_becomes_a_formula(word: str) -> None:
    assert rows_of(report_of(manufacturer=word))[0]["manufacturer"] == f"'{word}"


def test_a_negative_number_is_no_formula() -> None:
    assert rows_of(report_of(z_mm=-12.5))[0]["z_mm"] == "-12.5"


def test_a_file_name_that_is_no_unicode_is_spelt_out() -> None:
    odd = b"\xff.dcm".decode("utf-8", "surrogateescape")
    assert rows_of(report_of(path=odd))[0]["path"] == r"\udcff.dcm"
    assert json.loads(as_json(report_of(path=odd)))["slices"][0]["path"] == odd


def test_json_holds_the_meaning_the_model_the_series_and_the_members() -> None:
    data = json.loads(as_json(report_of(members=(0.2, 0.4))))
    assert data["meaning"] == "score in [0, 1], higher is better"
    assert data["model"]["sha256"] == "ab" * 32
    assert data["series"][0]["slices"] == 2
    assert data["slices"][0]["members"] == [0.2, 0.4]
    assert data["slices"][1]["score"] is None


def test_files_hold_what_was_promised(tmp_path: Path) -> None:
    write_csv(report_of(), tmp_path / "scores.csv")
    write_json(report_of(), tmp_path / "scores.json")
    assert (tmp_path / "scores.csv").read_bytes() == as_csv(report_of())
    assert json.loads((tmp_path / "scores.json").read_bytes()) == json.loads(as_json(report_of()))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_path_may_be_a_text(tmp_path: Path) -> None:
    write_csv(report_of(), str(tmp_path / "scores.csv"))
    write_json(report_of(), str(tmp_path / "scores.json"))
    assert (tmp_path / "scores.csv").read_bytes() == as_csv(report_of())
    assert (tmp_path / "scores.json").exists()


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond 100 bytes, as a disk does that is nearly full.

    Only round the write itself: pytest's own report may be going to a file.
    """
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("write", [write_csv, write_json])
def test_a_full_disk_leaves_the_old_file_and_no_half_one(
    tmp_path: Path, write: Callable[[ScoreReport, Path], None]
) -> None:
    path = tmp_path / "scores"
    path.write_text("old")
    too_large = pytest.raises(WriteError, match=r"scores: File too large, so nothing was written")
    with too_large, full_disk():
        write(report_of(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
