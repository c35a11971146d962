"""What has to be trained for the paper's tables, and that nothing is trained twice."""

from dataclasses import replace
from typing import Any

import pytest

from ctiqa.errors import RecipeError
from ctiqa.model.choice import COMPARATORS
from ctiqa.study.grid import SCALES, scale_recipe, tables
from ctiqa.study.runs import Row, Run, distinct
from ctiqa.training.recipe import parse_recipe

COMPACT = scale_recipe("compact")
GRID = tables(COMPACT, seeds=3)
RUNS = distinct(GRID.values())


def row(table: str, key: str) -> Row:
    known = {row.key: row for row in (*GRID[table].rows, *GRID[table].further)}
    return known[key]


def read(run: Run) -> Any:
    return parse_recipe(run.recipe, name=run.name)


def test_the_whole_study_is_59_runs_a_seed() -> None:
    # 34 teachers: 4 before each of 6 stems, a fifth, 4 other networks, 5 with ideal labels. 25
    # students: 6 stems, 4 more ensembles, 8 more weights, 5 more gates, 1 long one, 1 ideal.
    assert len(RUNS) == 3 * 59
    assert sum(run.kind == "student" for run in RUNS) == 3 * 25


def test_names_and_folders_are_unique() -> None:
    assert len({run.name for run in RUNS}) == len({run.folder for run in RUNS}) == len(RUNS)


def test_every_student_comes_after_its_teachers() -> None:
    place = {run: index for index, run in enumerate(RUNS)}
    students = [run for run in RUNS if run.kind == "student"]
    assert all(place[teacher] < place[run] for run in students for teacher in run.needs)
    assert all(teacher.family == run.family for run in students for teacher in run.needs)


def test_tables_share_the_network_that_the_paper_settled_on() -> None:
    chosen = {
        row(table, GRID[table].chosen).runs
        for table in ("table1", "table2", "table3", "table4", "figure4")
    }
    assert len(chosen) == 1
    assert row("table1", "blocks 4").runs[0][0].name == "blocks4-seed0-student-beta0.75"


def test_four_members_of_table_2_are_the_teachers_of_four_blocks_in_table_1() -> None:
    (student,) = row("table2", "members 4").runs[1]
    assert student.needs == row("table1", "blocks 4").runs[1][0].needs
    assert [run.member for run in student.needs] == [0, 1, 2, 3]


def test_an_ensemble_is_the_teachers_that_its_student_learns_from() -> None:
    for members in (2, 3, 4, 5):
        (student,) = row("table2", f"members {members}").runs[2]
        assert row("table2", f"ensemble {members}").runs[2] == student.needs


def test_networks_that_stand_alone_in_table_4_are_teachers_of_table_1() -> None:
    assert row("table4", "vit").runs[0] == row("table1", "blocks 0").runs[0][0].needs[:1]
    assert row("table4", "cnn-vit").runs[0] == row("table1", "blocks 4").runs[0][0].needs[:1]


@pytest.mark.parametrize("scale", SCALES)
def test_every_recipe_of_the_grid_can_be_read(scale: str) -> None:
    grid = tables(scale_recipe(scale), seeds=1)
    for run in distinct(grid[name] for name in ("table1", "table2", "table3", "figure4")):
        recipe = read(run)
        if run.kind == "student":
            assert recipe.student.outputs == recipe.teachers.members == len(run.needs)
            assert recipe.network == read(run.needs[0]).network
            assert recipe.teachers.seeds == read(run.needs[0]).teachers.seeds[: len(run.needs)]


def test_a_row_changes_what_it_says_and_nothing_else() -> None:
    base = read(row("table1", "blocks 4").runs[0][0])
    wide = read(row("table1", "blocks 5").runs[0][0])
    assert wide.network == replace(base.network, blocks=(8, 16, 32, 64, 128))
    assert replace(wide, network=base.network) == base
    half = read(row("table3", "beta 0.5").runs[0][0])
    assert replace(half, student=replace(half.student, beta=0.75)) == base
    long = read(row("table3", "beta 0 long").runs[0][0])
    assert (long.student.beta, long.student.epochs) == (0.0, base.optimiser.epochs)
    strict = read(row("table3", "epsilon 0.01").runs[0][0])
    assert replace(strict, student=replace(strict.student, epsilon=0.05)) == base


@pytest.mark.parametrize("name", COMPARATORS)
def test_a_comparator_is_trained_by_the_recipe_of_a_teacher(name: str) -> None:
    (run,) = row("table4", name).runs[0]
    marked, plain = read(run), read(row("table4", "cnn-vit").runs[0][0])
    assert marked.comparator.name == name
    assert replace(marked, comparator=plain.comparator) == plain


@pytest.mark.parametrize("scale", SCALES)
def test_every_run_of_a_scale_has_a_recipe_that_training_reads(scale: str) -> None:
    for run in distinct(tables(scale_recipe(scale), seeds=1).values()):
        assert read(run).text == run.recipe


def test_seeds_have_no_draw_in_common() -> None:
    seeds = [
        {*read(run).teachers.seeds, read(run).student.seed}
        for together in row("table2", "members 5").runs
        for run in together
    ]
    assert len(set.union(*seeds)) == sum(map(len, seeds)) == 18


def test_more_seeds_keep_the_runs_of_fewer() -> None:
    assert set(distinct(tables(COMPACT, seeds=1).values())) < set(RUNS)


def test_the_full_scale_is_the_recipe_of_the_paper(pytestconfig: pytest.Config) -> None:
    paper = (pytestconfig.rootpath / "recipes" / "paper2025.toml").read_text("utf-8")
    full = parse_recipe(scale_recipe("full"), name="full")
    exact = replace(full.optimiser, precision="32-true", channels_last=False, compile=False)
    assert replace(full, optimiser=exact) == parse_recipe(paper, name="paper")


def test_compact_asks_the_same_labels_doses_and_selection_as_full() -> None:
    full, compact = (parse_recipe(scale_recipe(scale), name=scale) for scale in SCALES)
    for table in ("label", "examples", "loss", "teachers"):
        assert getattr(full, table) == getattr(compact, table)
    assert replace(full.student, epochs=compact.student.epochs) == compact.student


def test_ideal_rows_differ_from_the_main_rows_in_label_and_validation_alone() -> None:
    for key in ("vit", "cnn-vit", "student"):
        ideal, main = (read(row(table, key).runs[0][0]) for table in ("ideal", "table4"))
        assert (ideal.label.reference, main.label.reference) == ("ideal", "routine")
        assert (ideal.teachers.unit, ideal.student.select) == ("patient", "val")
        assert main == replace(
            ideal,
            label=main.label,
            teachers=replace(ideal.teachers, unit="image"),
            student=replace(ideal.student, select="train"),
        )


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(RecipeError, match="no scale 'huge'; choose full or compact"):
        scale_recipe("huge")
