"""Pages from canned results: every row beside what is printed, and nothing made up."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ctiqa.study.about import About
from ctiqa.study.evidence import TrainingImages
from ctiqa.study.figure_page import figure_page, losses
from ctiqa.study.grid import scale_recipe, tables
from ctiqa.study.kept import Images
from ctiqa.study.page_parts import Found
from ctiqa.study.pages import completes, table_page
from ctiqa.study.run_table import Record
from ctiqa.study.runs import distinct
from ctiqa.study.worth import Scales

BASE = scale_recipe("compact")
GRID = tables(BASE, seeds=2)
ABOUT = About("compact", BASE, "mine", "0123456789abcdef", (1.0, 0.5), 8, 96, 2, 24)
COUNT = 24
RNG = np.random.default_rng(1)
DOSE = np.tile([1.0, 0.5], COUNT // 2)
REFERENCE = DOSE / 2 + RNG.uniform(0, 0.5, COUNT)
TRAIN = TrainingImages(REFERENCE, DOSE, np.exp(-REFERENCE))
IMAGES = Images(
    reference=REFERENCE,
    patient=np.repeat(["ann", "bob"], COUNT // 2),
    dose=DOSE,
    noise_hu=np.exp(-REFERENCE) * RNG.uniform(0.8, 1.2, COUNT),
    slice_id=np.repeat([f"s{k}" for k in range(COUNT // 2)], 2),
    train=TRAIN,
)


def score(name: str) -> Any:
    rng = np.random.default_rng(sum(name.encode()))
    return REFERENCE + 0.1 * rng.normal(size=COUNT)


def record(run: Any, state: Any = "done") -> Record:
    share = 0.5 if run.kind == "student" else None
    return Record(
        name=run.name,
        kind=run.kind,
        seed=run.seed,
        folder=run.folder,
        recipe=run.recipe,
        needs=(),
        state=state,
        who="",
        started=None,
        heartbeat=None,
        seconds=36.0,
        device="cpu, 2 threads",
        figures={"gate_share": share},
        reason="",
    )


def found(*names: str) -> Found:
    """Return what a page is made of if these tables are done."""
    runs = distinct(GRID[name] for name in names)
    scales = Scales(IMAGES, score, n_boot=10)
    records = {run.name: record(run) for run in runs}
    return Found("ctiqa study all mine -o study", ABOUT, records, scales, "2026-11-25")


def cells(page: str, words: str) -> list[list[str]]:
    """Return the lines of the page's tables that begin with some words."""
    lines = [line for line in page.splitlines() if line.startswith(f"| {words} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4"])
def test_a_page_has_every_row_the_baselines_and_the_printed_values(name: str) -> None:
    page = table_page(GRID[name], found(name))
    for row in (*GRID[name].rows, *GRID[name].further):
        assert len(cells(page, row.words)) >= 3, row.words
    assert len(cells(page, "printed")) == len(GRID[name].rows)
    for baseline in ("dose alone", "noise alone"):
        assert cells(page, baseline)[0][2] != "-"
    assert "2.8070" in page
    assert "## Where the paper contradicts itself" in page
    assert "nan" not in page


def test_what_is_not_known_of_the_paper_is_said_to_be_not_at_hand() -> None:
    page = table_page(GRID["table1"], found("table1"))
    printed = cells(page, "printed")
    assert printed[0] == ["printed", "", "2.6325", "", *["not at hand"] * 5]
    assert printed[2] == ["printed", "", "not at hand", "", *["not at hand"] * 5]
    assert printed[4][2:] == ["2.8070", "", "0.9916", "0.9683", "0.8471", "0.0259", "0.0010"]


def test_a_row_has_mean_and_spread_of_the_seeds_that_are_done() -> None:
    whole = found("table1")
    part = dict(whole.records)
    (gone,) = GRID["table1"].rows[0].runs[1]
    part[gone.name] = record(gone, "running")
    both = cells(table_page(GRID["table1"], whole), "CNN-0")[0]
    one = cells(table_page(GRID["table1"], replace(whole, records=part)), "CNN-0")[0]
    assert (both[1], one[1]) == ("2", "1")
    assert re.fullmatch(r"\d\.\d{4} ± \d\.\d{4}", both[2])
    assert re.fullmatch(r"\d\.\d{4}", one[2])


def test_a_page_without_any_result_says_so() -> None:
    nothing = replace(found(), records={})
    for name in ("table2", "table3"):
        page = table_page(GRID[name], nothing)
        assert "No row is done yet." in page
        assert "no row is done yet" in page
        assert "2.8070" in page
    assert "no run is done yet" in figure_page(
        GRID["figure4"], nothing, picture="", loss_of=lambda _: np.array([])
    )


def test_the_head_says_data_scale_device_and_how_much_is_done() -> None:
    lines = table_page(GRID["table4"], found("table4")).splitlines()
    assert lines[0] == "`ctiqa study all mine -o study`"
    assert lines[2] == "# Table 4: the student beside other networks, all trained alike"
    assert lines[4].endswith(
        "trained on 8 patients (96 images), judged on 2 patients (24 images), doses 1, 0.5"
    )
    assert lines[5] == "- scale: compact, for every row; 2 seeds asked for"
    assert lines[6].startswith("- device: cpu, 2 threads; ")
    assert lines[8] == "- done: 14 of 14 networks"


def test_how_often_the_gate_opened_stands_beside_each_student_only() -> None:
    page = table_page(GRID["table3"], found("table3"))
    gates = page.split("## How often the gate opened")[1].split("##")[0]
    assert len(cells(gates, "beta 0.75, epsilon 0.01")) == 1
    assert gates.count("50.0 %") == len(GRID["table3"].rows) + len(GRID["table3"].further)
    page = table_page(GRID["table4"], found("table4"))
    gates = page.split("## How often the gate opened")[1].split("##")[0]
    assert gates.count("50.0 %") == 1


def test_a_run_completes_the_rows_that_lack_nothing_else() -> None:
    table = GRID["table2"]
    ensemble = next(row for row in table.further if row.key == "ensemble 2")
    first, second = (run.name for run in ensemble.runs[0])
    assert completes(table, first, frozenset({first})), "teacher 1 alone"
    only = replace(table, rows=(), further=(ensemble,))
    assert not completes(only, first, frozenset({first}))
    assert completes(only, second, frozenset({first, second}))


def test_the_figure_has_a_curve_for_each_teacher_and_the_student() -> None:
    def loss(name: str) -> Any:
        return np.array([0.5, 0.1]) if "student" in name else np.array([0.4, 0.2, 0.1])

    everything = found("figure4")
    curves = losses(GRID["figure4"], everything, loss)
    assert list(curves) == ["teacher 1", "teacher 2", "teacher 3", "teacher 4", "student"]
    page = figure_page(GRID["figure4"], everything, picture="figure4.png", loss_of=loss)
    assert cells(page, "student")[0][1:] == ["2", "2", "0.50000 ± 0.00000", "0.10000 ± 0.00000"]
    assert "](figure4.png)" in page
