"""``ctiqa track``: results go in once, and come out as charts, pages and sentences."""

import csv
import json
import sqlite3
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ctiqa.cli import main

WriteResults = Callable[..., Path]
Track = Callable[..., Any]


@pytest.fixture
def track(tmp_path: Path) -> Track:
    """Return ``ctiqa track`` with a store that the environment names."""

    def run(*words: str | Path) -> Any:
        told = {"CTIQA_STORE": str(tmp_path / "ct.sqlite")}
        return CliRunner().invoke(main.app, ["track", *map(str, words)], env=told)

    return run


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def test_a_scanner_that_grows_noisy_is_told_in_a_sentence_and_by_the_exit_code(
    track: Track, write_results: WriteResults
) -> None:
    normal = write_results("normal.json", range(20))
    assert track("add", normal).exit_code == 0
    assert track("chart").exit_code == 0
    worse = write_results("worse.json", [20], noise_hu=14.2)
    assert track("add", worse).exit_code == 0
    shown = track("chart")
    assert shown.exit_code == 1
    assert (
        "Alarm: noise of Brand X, 120 kVp, B30f, 1 mm, CHEST rose above its limit on 2026-01-21: "
        "14.2 HU, limit 12.3 HU, the newest series" in shown.stderr
    )
    noises = [row for row in rows_of(shown.stdout) if row["quantity"] == "noise"]
    assert len(noises) == 21
    assert float(noises[-1]["value"]) == 14.2 > float(noises[-1]["upper"])
    # Back to normal: the alarm stays in the record and is no fault of today.
    track("add", write_results("mended.json", range(21, 40)))
    later = track("chart")
    assert later.exit_code == 0
    assert "Alarm: noise" in later.stderr


def test_adding_says_what_was_new(track: Track, write_results: WriteResults) -> None:
    path = write_results("r.json", [0, 1])
    assert "2 series with 6 slices, 6 of them new" in track("add", path).stderr
    again = track("add", path)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "2 series with 6 slices, 0 of them new" in again.stderr


def test_a_file_that_cannot_be_added_is_named_and_the_others_go_on(
    track: Track, write_results: WriteResults, tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_text("{}")
    shown = track("add", tmp_path / "bad.json", write_results("r.json", [0]))
    assert shown.exit_code == 1
    assert "Not added: " in shown.stderr
    assert "it has no slices" in shown.stderr
    assert len(rows_of(track("export", "--slices").stdout)) == 3


def test_images_without_uid_are_counted_and_make_the_exit_code_1(
    track: Track, write_results: WriteResults
) -> None:
    shown = track("add", write_results("r.json", [0], series_instance_uid=""))
    assert shown.exit_code == 1
    assert "Left out: 3 images" in shown.stderr


def test_groups_are_listed_and_one_scanner_can_be_asked_for(
    track: Track, write_results: WriteResults
) -> None:
    track("add", write_results("r.json", [0, 1]))
    track("add", write_results("r.json", [5]), "--scanner", "CT 2")
    rows = rows_of(track("list").stdout)
    assert [(row["scanner"], row["series"], row["slices"]) for row in rows] == [
        ("CT 2", "1", "3"),
        ("X", "2", "6"),
    ]
    (group,) = json.loads(track("list", "--scanner", "X", "--json").stdout)["groups"]
    assert (group["first_day"], group["last_day"]) == ("2026-01-01", "2026-01-02")


def test_every_group_gets_a_page_with_its_picture(
    track: Track, write_results: WriteResults, tmp_path: Path
) -> None:
    track("add", write_results("r.json", range(22)))
    track("add", write_results("s.json", range(30, 33), kernel="B60f"))
    assert track("chart", "--pages", tmp_path / "pages").exit_code == 0
    names = sorted(path.name for path in (tmp_path / "pages").iterdir())
    assert [name.rpartition(".")[2] for name in names] == ["md", "png", "md", "png"]
    for page, picture in zip(names[::2], names[1::2], strict=True):
        text = (tmp_path / "pages" / page).read_text()
        assert f"]({picture})" in text
    assert "limits yet: the baseline holds 3 of 20 series" in text


def test_a_baseline_may_be_days(track: Track, write_results: WriteResults) -> None:
    track("add", write_results("r.json", range(30)))
    report = json.loads(track("chart", "--baseline", "2026-01-11..2026-01-20", "--json").stdout)
    normal = [row["day"] for row in report["charts"][0]["series"] if row["in_baseline"]]
    assert (normal[0], normal[-1], len(normal)) == ("2026-01-11", "2026-01-20", 10)


@pytest.mark.parametrize(
    "words",
    [
        ("chart", "--baseline", "spring"),
        ("chart", "--baseline", "3"),
        ("chart", "--baseline", "2026-02-01..2026-01-01"),
        ("chart", "-o", "chart.png"),
        ("add",),
        ("nonsense",),
    ],
)
def test_a_wrong_call_has_exit_code_2(track: Track, words: tuple[str, ...]) -> None:
    assert track(*words).exit_code == 2


def test_a_store_must_be_named() -> None:
    shown = CliRunner().invoke(main.app, ["track", "list"], env={"CTIQA_STORE": None})
    assert shown.exit_code == 2


def test_what_is_no_store_is_one_sentence_and_code_1(track: Track, tmp_path: Path) -> None:
    assert "there is no store" in track("chart").stderr
    with sqlite3.connect(tmp_path / "ct.sqlite") as raw:
        raw.execute("CREATE TABLE runs (name TEXT)")
    raw.close()
    shown = track("list")
    assert (shown.exit_code, shown.stdout) == (1, "")
    (sentence,) = shown.stderr.splitlines()
    assert "is no store of ctiqa" in sentence


def test_each_action_has_its_help(track: Track) -> None:
    assert all(name in track("--help").stdout for name in ("add", "chart", "list", "export"))
    assert "--baseline" in track("chart", "--help").stdout
