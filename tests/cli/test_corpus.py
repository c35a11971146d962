"""``ctiqa corpus`` builds, goes on, and says what the corpus holds."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ctiqa.cli.main import app
from ctiqa.corpus.split import share_out
from ctiqa.images.phantom import write_phantom_series

Run = Callable[..., Any]


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["corpus", *map(str, arguments)], prog_name="ctiqa")


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three patients of one slice, and a table of their splits."""
    folder = tmp_path_factory.mktemp("in")
    for seed in range(3):
        write_phantom_series(folder / str(seed), slices=1, seed=seed, size=64, pixel_mm=6)
    (folder / "splits.csv").write_text(
        "files,patient,split\n0,PHANTOM-chest-0,train\n1,PHANTOM-chest-1,test\nsomewhere,nobody,train\n"
    )
    return folder


@pytest.fixture(scope="module")
def built(scans: Path) -> tuple[Path, Any]:
    """Return a corpus built by a table of splits, and what the command said."""
    folder = scans.parent / "by-table"
    return folder, run(scans, "-o", folder, "--splits", scans / "splits.csv", "--workers", 1)


def splits_of(folder: Path) -> dict[str, str]:
    with (folder / "slices.csv").open(newline="") as file:
        return {row["path"]: row["split"] for row in csv.DictReader(file)}


def test_the_table_of_splits_decides_who_goes_where(built: tuple[Path, Any]) -> None:
    folder, done = built
    assert done.exit_code == 0, done.output
    assert splits_of(folder) == {"0/0000.dcm": "train", "1/0000.dcm": "test"}
    assert "left out: 1 patients whom" in done.stderr


def test_the_summary_counts_patients_slices_and_images_and_names_the_fingerprint(
    built: tuple[Path, Any],
) -> None:
    folder, done = built
    assert "2 patients, 2 slices, 8 images" in done.stderr
    assert "test: 1 patients, 1 slices" in done.stderr
    assert "standard deviation of the labels: routine 0." in done.stderr
    assert json.loads((folder / "corpus.json").read_text())["fingerprint"] in done.stderr
    assert done.stdout == ""


def test_the_same_command_again_changes_nothing_and_says_the_same(
    built: tuple[Path, Any], scans: Path
) -> None:
    folder, first = built
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = run(scans, "-o", folder, "--splits", scans / "splits.csv", "--workers", 1)
    assert again.exit_code == 0
    assert again.stderr == first.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_begun_corpus_refuses_another_setting(built: tuple[Path, Any], scans: Path) -> None:
    folder, _ = built
    done = run(scans, "-o", folder, "--splits", scans / "splits.csv", "--seed", 5)
    assert done.exit_code == 1
    assert "was begun with another seed: choose another folder" in done.stderr


def test_patients_are_drawn_for_the_test_where_no_table_is_given(
    scans: Path, tmp_path: Path
) -> None:
    note = tmp_path / "note.dcm"
    note.write_text("no image")
    out = tmp_path / "c"
    done = run(scans, note, "-o", out, "--only", "test", "--dose", 0.3, "--workers", 1, "-q")
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("not taken: ")
    assert "note.dcm: " in line
    assert list(splits_of(out).values()) == ["test"]
    settings = json.loads((out / "corpus.json").read_text())["settings"]
    assert settings["image_doses"] == [1.0, 0.3]
    assert settings["label_doses"][:6] == [8.0, 4.0, 2.0, 1.0, 0.75, 0.5]
    assert settings["label_doses"][6:] == [0.35, 0.3, 0.25, 0.18, 0.13, 0.1]


def test_a_split_that_nobody_is_in_is_refused(scans: Path, tmp_path: Path) -> None:
    done = run(scans, "-o", tmp_path / "c", "--only", "tset")
    assert done.exit_code == 1
    assert "there is no split 'tset', only test, train" in done.stderr


@pytest.mark.parametrize("doses", [["0"], ["1.5"], ["1"], ["-0.5", "0.5"]])
def test_impossible_doses_are_a_wrong_call(doses: list[str], scans: Path, tmp_path: Path) -> None:
    options = [f"--dose={dose}" for dose in doses]
    done = run(scans, "-o", tmp_path / "c", *options)
    assert done.exit_code == 2
    assert not (tmp_path / "c").exists()


def test_a_folder_without_scans_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", "-o", tmp_path / "c")
    assert done.exit_code == 1
    assert "no usable CT series" in done.stderr
    assert "Traceback" not in done.output


def test_the_draw_keeps_most_patients_where_they_were_as_patients_are_added() -> None:
    few, more = (share_out(map(str, range(n)), test_share=0.2, seed=1) for n in (40, 44))
    assert sum(split == "test" for split in few.values()) == 8
    assert sum(few[patient] != more[patient] for patient in few) <= 3


def test_the_draw_tests_on_one_patient_at_least_and_trains_on_one_at_least() -> None:
    assert sorted(share_out("ab", test_share=0.01, seed=0).values()) == ["test", "train"]
    assert sorted(share_out("ab", test_share=1.0, seed=0).values()) == ["test", "train"]
    assert set(share_out("ab", test_share=0.0, seed=0).values()) == {"train"}
    assert share_out("a", test_share=0.5, seed=0) == {"a": "train"}
