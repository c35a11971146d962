"""A store holds each slice once, loses none, and refuses what it does not know."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from ctiqa.errors import StoreError, TableError
from ctiqa.store import ingest
from ctiqa.store import open as opening
from ctiqa.store.export import Export, export
from ctiqa.store.ingest import add
from ctiqa.store.open import Store
from ctiqa.store.query import tracked
from ctiqa.store.results import read_results
from ctiqa.store.schema import Base

WriteResults = Callable[..., Path]


@pytest.fixture
def where(tmp_path: Path) -> str:
    return str(tmp_path / "ct.sqlite")


def rows_of(found: Export) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = found.to_dict()["rows"]
    return rows


def content(store: Store) -> list[dict[str, Any]]:
    """Return all that a store holds, the moment of import left out."""
    series = [row | {"imported": ""} for row in rows_of(export(store))]
    return series + rows_of(export(store, slices=True))


def test_results_added_twice_are_there_once(where: str, write_results: WriteResults) -> None:
    store, results = Store(where, new=True), read_results(write_results("r.json", [0, 1]))
    first = add(store, results)
    held = export(store), export(store, slices=True)
    second = add(store, results)
    assert (first.series, first.slices, first.new_slices) == (2, 6, 6)
    assert second.new_slices == 0
    assert (export(store), export(store, slices=True)) == held
    assert len(held[0].rows), len(held[1].rows) == (2, 6)


def test_the_order_of_files_does_not_matter_nor_how_a_series_is_cut_into_them(
    tmp_path: Path, write_results: WriteResults
) -> None:
    whole = Store(str(tmp_path / "whole.sqlite"), new=True)
    add(whole, read_results(write_results("all.json", range(6))))
    parts = [
        read_results(write_results("part.json", [number], slices=[place]))
        for number in range(6)
        for place in range(3)
    ]
    pieces = Store(str(tmp_path / "pieces.sqlite"), new=True)
    for place in np.random.default_rng(0).permutation(len(parts)):
        add(pieces, parts[place])
    assert content(pieces) == content(whole)
    assert tracked(pieces) == tracked(whole)


def test_a_series_is_summed_up_over_its_stored_slices(
    where: str, write_results: WriteResults
) -> None:
    store = Store(where, new=True)
    add(store, read_results(write_results("r.json", [1], slices=[0])))
    add(store, read_results(write_results("r.json", [1], slices=[1, 2])))
    (row,) = rows_of(export(store))
    assert (row["slices"], row["scored"]) == (3, 3)
    assert row["score_median"] == pytest.approx(0.71)
    assert row["noise_hu_median"] == pytest.approx(11.4)
    assert row["ctdivol_mgy_median"] == 5.0


def test_what_is_said_later_of_a_slice_replaces_what_was_said_before(
    where: str, write_results: WriteResults
) -> None:
    store = Store(where, new=True)
    add(store, read_results(write_results("r.json", [0])))
    add(store, read_results(write_results("r.json", [0], slices=[1], noise_hu=30.0, kernel="B60")))
    (row,) = rows_of(export(store))
    assert [each["noise_hu"] for each in rows_of(export(store, slices=True))] == [10, 30, 12]
    assert (row["noise_hu_median"], row["kernel"], row["slices"]) == (12.0, "B60", 3)


def test_frames_of_one_file_are_slices_of_their_own(
    where: str, write_results: WriteResults
) -> None:
    store = Store(where, new=True)
    for frame in (1, 2):
        path = write_results("r.json", [0], slices=[0], frame=frame)
        add(store, read_results(path))
    assert [row["frame"] for row in rows_of(export(store, slices=True))] == [1, 2]


def test_two_models_score_a_series_without_touching_each_other(
    where: str, write_results: WriteResults
) -> None:
    store = Store(where, new=True)
    for sha256 in ("a" * 64, "b" * 64):
        add(store, read_results(write_results("r.json", [0], sha256=sha256)))
    assert [len(one.points) for one in tracked(store)] == [1, 1]
    assert len(export(store, slices=True).rows) == 6


def test_a_day_that_was_told_once_is_kept(where: str, write_results: WriteResults) -> None:
    store = Store(where, new=True)
    add(store, read_results(write_results("r.json", [3], undated=True)))
    (group,) = tracked(store)
    assert not group.points[0].dated
    assert abs(group.points[0].day - datetime.now(UTC).date()).days <= 1
    for undated in (False, True):
        add(store, read_results(write_results("r.json", [3], undated=undated)))
        (group,) = tracked(store)
        assert (group.points[0].day, group.points[0].dated) == (date(2026, 1, 4), True)


def test_groups_part_scanner_protocol_and_region_and_stand_in_the_order_of_time(
    where: str, write_results: WriteResults
) -> None:
    store = Store(where, new=True)
    add(store, read_results(write_results("r.json", [5, 1, 3])))
    add(store, read_results(write_results("r.json", [7], kernel="B60f")))
    add(store, read_results(write_results("r.json", [8], body_part="abdomen")))
    add(store, read_results(write_results("r.json", [9], slice_thickness_mm=1.0000001)))
    add(store, read_results(write_results("r.json", [2])), scanner="CT 2")
    found = {one.group.words: [point.day.day for point in one.points] for one in tracked(store)}
    assert found == {
        "Brand X, 120 kVp, B30f, 1 mm, CHEST": [2, 4, 6, 10],
        "Brand X, 120 kVp, B60f, 1 mm, CHEST": [8],
        "Brand X, 120 kVp, B30f, 1 mm, ABDOMEN": [9],
        "Brand CT 2, 120 kVp, B30f, 1 mm, CHEST": [3],
    }
    assert [one.group.scanner for one in tracked(store, scanner="CT 2")] == ["CT 2"]


def test_what_was_not_scored_is_kept_and_charted_nowhere(
    where: str, write_results: WriteResults
) -> None:
    store = Store(where, new=True)
    path = write_results("r.json", [0], status="not_scored", score=None, noise_hu=None)
    add(store, read_results(path))
    assert tracked(store) == ()
    assert len(export(store, slices=True).rows) == 3


def test_images_without_uid_are_counted_and_left_out(
    where: str, write_results: WriteResults
) -> None:
    results = read_results(write_results("r.json", [0], sop_instance_uid=""))
    assert (results.series, results.nameless) == ((), 3)
    assert add(Store(where, new=True), results).slices == 0


def test_no_path_and_no_word_of_a_patient_is_stored(
    where: str, write_results: WriteResults
) -> None:
    path = write_results("r.json", [0], reasons=("Doe^John is unlike the training scans",))
    add(Store(where, new=True), read_results(path))
    assert b"doe" not in Path(where).read_bytes().lower()


WRITER = """
import sys
from pathlib import Path
from ctiqa.store.ingest import add
from ctiqa.store.open import Store
from ctiqa.store.results import read_results
for path in sys.argv[2:]:
    add(Store(sys.argv[1], new=True), read_results(Path(path)))
"""


def test_processes_that_write_at_once_lose_nothing(where: str, write_results: WriteResults) -> None:
    # All write slices of the same series, and all find no store at first.
    shares = [
        [write_results(f"{who}-{n}.json", [n, n + 1], slices=[who]) for n in range(8)]
        for who in range(3)
    ]
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, where, *map(str, share)])
        for share in shares
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    rows = rows_of(export(Store(where)))
    assert [row["slices"] for row in rows] == [3] * 9
    assert len(export(Store(where), slices=True).rows) == 27
    assert all(row["score_median"] == pytest.approx(0.71) for row in rows)


def test_a_fault_in_the_middle_of_a_file_leaves_nothing_of_it(
    where: str, write_results: WriteResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(where, new=True)
    add(store, read_results(write_results("r.json", [0])))
    before = content(store)

    def fail(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(ingest, "_sum_up", fail)
    with pytest.raises(ZeroDivisionError):
        add(store, read_results(write_results("r.json", [1, 2])))
    assert content(store) == before


def first_form(where: str) -> Store:
    """Return a store as the program of the first revision left it."""
    engine = create_engine(f"sqlite:///{where}")
    with engine.begin() as connection:
        context = opening._context(connection)
        with Operations.context(context):
            opening._MIGRATIONS.get_revision("0001").module.upgrade()
        context.stamp(opening._MIGRATIONS, "0001")
    return SimpleNamespace(writing=engine.begin, reading=engine.connect)  # type: ignore[return-value]


def indices(where: str) -> set[str]:
    with sqlite3.connect(where) as raw:
        found = raw.execute("SELECT name FROM sqlite_master WHERE type = 'index'").fetchall()
    raw.close()
    return {name for (name,) in found}


def test_an_older_store_is_brought_up_to_date_and_keeps_what_it_holds(
    where: str, write_results: WriteResults
) -> None:
    old = first_form(where)
    add(old, read_results(write_results("r.json", [0, 1])))
    before = content(old)
    assert "ctiqa_series_by_scanner" not in indices(where)
    assert content(Store(where)) == before
    assert "ctiqa_series_by_scanner" in indices(where)


def test_the_steps_lead_to_the_tables_that_the_program_knows(where: str) -> None:
    with Store(where, new=True).reading() as connection:
        assert compare_metadata(opening._context(connection), Base.metadata) == []


def test_a_store_of_a_newer_program_is_refused(where: str) -> None:
    Store(where, new=True)
    with sqlite3.connect(where) as raw:
        raw.execute("UPDATE ctiqa_version SET version_num = '0999'")
    raw.close()
    with pytest.raises(StoreError, match=r"written by a newer ctiqa \(form 0999"):
        Store(where)


def test_what_is_no_store_is_refused_and_left_as_it_is(where: str, tmp_path: Path) -> None:
    with sqlite3.connect(where) as raw:
        raw.execute("CREATE TABLE runs (name TEXT)")
    raw.close()
    words = tmp_path / "words.txt"
    words.write_text("no database, but long enough to be looked at" * 50)
    for path, reason in ((where, "it holds a table runs"), (str(words), "not a database")):
        before = Path(path).read_bytes()
        with pytest.raises(StoreError, match=reason):
            Store(path, new=True)
        assert Path(path).read_bytes() == before


def test_a_store_that_is_not_there_is_not_made_by_asking(where: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store; 'ctiqa track add' makes one"):
        Store(where)
    with pytest.raises(StoreError, match="in a folder that exists"):
        Store(str(tmp_path / "no" / "ct.sqlite"), new=True)
    assert list(tmp_path.iterdir()) == []


as_a_user = pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere"
)


@as_a_user
def test_a_file_that_may_only_be_read_can_be_asked_and_not_added_to(
    where: str, tmp_path: Path, write_results: WriteResults
) -> None:
    results = read_results(write_results("r.json", [0]))
    add(Store(where, new=True), results)
    Path(where).chmod(0o400)
    tmp_path.chmod(0o500)
    assert len(tracked(Store(where))) == 1
    with pytest.raises(StoreError, match="readonly database"):
        add(Store(where), results)


@as_a_user
def test_a_folder_that_may_only_be_read_is_refused_in_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="unable to open database file"):
        Store(str(tmp_path / "ct.sqlite"), new=True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://host/name", "not in mysql"),
        ("postgresql+nonsense://host/name", "names no driver"),
        ("://", "neither a file nor a URL"),
    ],
)
def test_another_database_is_refused_in_words(url: str, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        Store(url, new=True)


def test_a_password_is_never_said() -> None:
    with pytest.raises(StoreError) as refusal:
        Store("postgresql+nonsense://me:secret@host/name")
    assert "secret" not in str(refusal.value)


def test_postgresql_is_spoken_to_in_its_own_words() -> None:
    class Speaker:
        dialect = postgresql.dialect()

    for upsert in (ingest._series_upsert, ingest._slice_upsert):
        words = str(upsert(Speaker()).compile(dialect=Speaker.dialect))  # type: ignore[arg-type]
        assert "ON CONFLICT" in words
    tables = [
        str(CreateTable(table).compile(dialect=Speaker.dialect))
        for table in Base.metadata.sorted_tables
    ]
    assert "id SERIAL NOT NULL" in tables[0]
    assert "FOREIGN KEY(series_id)" in tables[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 2}, "schema_version is not 1"),
        ({"model": {}}, "does not say which model scored"),
        ({"slices": None}, "it has no slices"),
    ],
)
def test_json_of_another_kind_is_refused(
    write_results: WriteResults, change: dict[str, Any], words: str
) -> None:
    path = write_results("r.json", [0])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(TableError, match=words):
        read_results(path)


@pytest.mark.parametrize("noise_hu", ["12", True, float("nan"), [1]])
def test_a_number_that_is_none_is_refused(write_results: WriteResults, noise_hu: object) -> None:
    path = write_results("r.json", [0], noise_hu=0.0)
    data = json.loads(path.read_text())
    data["slices"][0]["noise_hu"] = noise_hu
    path.write_text(json.dumps(data))
    with pytest.raises(TableError, match="a slice of it is damaged: noise_hu is"):
        read_results(path)


def test_a_file_that_is_no_json_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("path,score\n")
    with pytest.raises(TableError, match="it is no JSON"):
        read_results(tmp_path / "r.json")
    with pytest.raises(TableError, match="cannot be read"):
        read_results(tmp_path / "none.json")
