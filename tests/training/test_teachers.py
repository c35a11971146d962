"""Who learns from whom, and what a run leaves behind."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torchvision.models import VisionTransformer

from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError, ModelError, RecipeError
from ctiqa.training.checkpoint import load_tensors
from ctiqa.training.course import share_for
from ctiqa.training.distil import distil, repeat_outputs, student_fold
from ctiqa.training.finished import finished, read_note
from ctiqa.training.recipe import parse_recipe
from ctiqa.training.teachers import (
    first_network,
    load_teachers,
    new_network,
    teacher_folder,
    train_teachers,
)

SIDES = torch.tensor([0.5, 0.7, 0.9])

RECIPE = Path(__file__).with_name("small.toml").read_text(encoding="utf-8")


def recipe(**tables: Any) -> Any:
    """Return the recipe with other values in some tables."""
    read = parse_recipe(RECIPE, name="a.toml")
    return replace(
        read, **{name: replace(getattr(read, name), **new) for name, new in tables.items()}
    )


def patients_of(corpus: Corpus, pairs: Any) -> Any:
    return {corpus.slices[index].facts.patient for index, _ in pairs}


@pytest.fixture(scope="module")
def run(
    corpus: Corpus, fakes: Any, fabric: Fabric, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """A run of two teachers and their student."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs") / "run"
    train_teachers(corpus, recipe(), folder, fabric=fabric, watch=fakes.Silent())
    distil(corpus, recipe(), folder, fabric=fabric, watch=fakes.Silent())
    return folder


def test_a_test_patient_is_never_learnt_from_nor_checked_on(corpus: Corpus) -> None:
    for fold in (None, 0, 1, 2):
        share = share_for(corpus, recipe(), fold=fold, on_training=False)
        learnt = {corpus.slices[index].facts.patient for index in share.train.indices}
        assert "test" not in learnt | patients_of(corpus, share.check.pairs)


def test_each_fold_is_left_out_once_and_nobody_is_on_both_sides(corpus: Corpus) -> None:
    out = []
    for fold in range(3):
        share = share_for(corpus, recipe(), fold=fold, on_training=False)
        learnt = {corpus.slices[index].facts.patient for index in share.train.indices}
        checked = patients_of(corpus, share.check.pairs)
        assert not learnt & checked
        assert learnt | checked == {"ann", "bob", "cem"}
        assert set(share.left_out) == checked
        out.extend(checked)
    assert sorted(out) == ["ann", "bob", "cem"]


def test_all_doses_of_a_slice_stay_on_one_side_where_slices_are_shared_out(corpus: Corpus) -> None:
    plan = recipe(teachers={"unit": "slice"})
    share = share_for(corpus, plan, fold=0, on_training=False)
    checked = {index for index, _ in share.check.pairs}
    assert not checked & set(share.train.indices)
    assert len(share.check) == 4 * len(checked)


def test_single_images_can_be_shared_out_as_the_paper_does_it(corpus: Corpus) -> None:
    plan = recipe(teachers={"unit": "image"}, examples={"doses": (1.0, 0.75, 0.5, 0.25)})
    shares = [share_for(corpus, plan, fold=fold, on_training=False) for fold in range(3)]
    checked = [pair for share in shares for pair in share.check.pairs]
    assert len(checked) == len(set(checked)) == 3 * 2 * 4
    # Twice each, by passes_per_epoch.
    assert [len(share.train) for share in shares] == [2 * (24 - 8)] * 3


def test_a_network_can_be_checked_on_what_it_learns_from(corpus: Corpus) -> None:
    share = share_for(corpus, recipe(), fold=0, on_training=True)
    learnt = {corpus.slices[index].facts.patient for index in share.train.indices}
    assert patients_of(corpus, share.check.pairs) == learnt
    assert share.checked_on == "training images"


def test_more_folds_than_patients_are_refused(corpus: Corpus) -> None:
    plan = recipe(teachers={"folds": 5})
    with pytest.raises(CorpusError, match="3 patients cannot be shared out among 5 folds"):
        share_for(corpus, plan, fold=0, on_training=False)


def test_a_dose_that_the_corpus_does_not_hold_is_refused(corpus: Corpus) -> None:
    plan = recipe(examples={"doses": (1.0, 0.1)})
    with pytest.raises(CorpusError, match=r"holds no images at dose 0\.1"):
        share_for(corpus, plan, fold=0, on_training=False)


def test_the_student_leaves_out_a_part_that_all_teachers_saw_or_nothing() -> None:
    assert student_fold(recipe()) == 2
    assert student_fold(recipe(student={"select": "train"})) is None
    assert student_fold(recipe(student={"select": "last"})) is None


def test_a_run_holds_recipe_weights_history_and_result_of_everybody(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == [
        "recipe.toml",
        "student",
        "teacher-0",
        "teacher-1",
    ]
    for name in ("teacher-0", "teacher-1", "student"):
        assert sorted(path.name for path in (run / name).iterdir()) == [
            "checkpoint.safetensors",
            "history.csv",
            "recipe.toml",
            "result.json",
            "weights.safetensors",
        ]
        assert (run / name / "recipe.toml").read_text() == RECIPE


def test_a_result_says_on_what_it_was_reached_and_where_the_weights_come_from(
    run: Path, corpus: Corpus
) -> None:
    result = json.loads((run / "teacher-1" / "result.json").read_text())
    assert result["schema_version"] == 1
    assert (result["seed"], result["epochs"]) == (1, 2)
    assert result["checked_on"] == "images left out"
    assert sum(result["left_out"].values()) == result["checked_images"] == 8
    assert result["corpus_fingerprint"] == corpus.fingerprint(corpus.where("train"))
    assert result["training_range"]["kvp"] == [120.0, 120.0]
    assert "torch" in result["versions"]


def test_teachers_differ_in_what_they_left_out_and_in_their_weights(run: Path) -> None:
    left = [
        set(json.loads((run / f"teacher-{k}" / "result.json").read_text())["left_out"])
        for k in (0, 1)
    ]
    assert not left[0] & left[1]
    weights = [load_tensors(teacher_folder(run, k) / "weights.safetensors")[0] for k in (0, 1)]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_how_often_the_gate_opened_is_recorded_for_the_student_only(run: Path) -> Any:
    def shares(name: str) -> Any:
        rows = csv.DictReader((run / name / "history.csv").read_text().splitlines())
        return [float(row["gate_share"]) for row in rows]

    assert all(0 <= share <= 1 for share in shares("student"))
    assert all(share != share for share in shares("teacher-0"))  # noqa: PLR0124 - NaN


def test_the_ensemble_puts_the_outputs_of_its_members_side_by_side(run: Path) -> None:
    ensemble = load_teachers(run, recipe())
    hu = 100 * torch.randn(3, 64, 64)
    apart = [member(hu, SIDES) for member in ensemble.members]
    assert torch.equal(ensemble(hu, SIDES), torch.cat(apart, dim=1))
    assert not ensemble.training


def test_a_finished_run_takes_no_step_more(
    run: Path, corpus: Corpus, fakes: Any, fabric: Fabric
) -> None:
    watch = fakes.Silent()
    train_teachers(corpus, recipe(), run, fabric=fabric, watch=watch)
    assert watch.begun == [("teacher-0", 2, 2), ("teacher-1", 2, 2)]
    assert watch.steps == []


def test_a_run_of_another_recipe_is_refused_and_begun_anew_on_request(
    run: Path, corpus: Corpus, fakes: Any, fabric: Fabric, tmp_path: Path
) -> None:
    other = recipe(optimiser={"lr": 1e-3})
    with pytest.raises(RecipeError, match="was begun with another recipe"):
        train_teachers(corpus, other, run, fabric=fabric, watch=fakes.Silent())
    again = tmp_path / "again"
    train_teachers(corpus, recipe(), again, fabric=fabric, watch=fakes.Silent(), members=[1])
    watch = fakes.Silent()
    train_teachers(corpus, recipe(), again, fabric=fabric, watch=watch, members=[1], restart=True)
    assert watch.begun == [("teacher-1", 2, 0)]


def test_a_member_that_does_not_exist_is_refused(
    corpus: Corpus, fakes: Any, fabric: Fabric, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match="there is no member 2 in an ensemble of 2"):
        train_teachers(corpus, recipe(), tmp_path, fabric=fabric, watch=fakes.Silent(), members=[2])


def test_a_student_without_all_its_teachers_is_refused(
    corpus: Corpus, fakes: Any, fabric: Fabric, tmp_path: Path
) -> None:
    train_teachers(corpus, recipe(), tmp_path, fabric=fabric, watch=fakes.Silent(), members=[0])
    with pytest.raises(ModelError, match="lacks teacher-1, or not trained to the end"):
        distil(corpus, recipe(), tmp_path, fabric=fabric, watch=fakes.Silent())


def test_several_students_can_learn_from_one_ensemble_each_in_a_folder_of_its_own(
    run: Path, corpus: Corpus, fakes: Any, fabric: Fabric, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    other = recipe(student={"beta": 0.0})
    folder = tmp_path / "beta0"
    distil(corpus, other, run, fabric=fabric, watch=fakes.Silent(), folder=folder)
    assert json.loads((folder / "result.json").read_text())["name"] == "beta0"
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_student_can_start_as_its_first_teacher() -> None:
    teacher, student = new_network(recipe(), seed=1), new_network(recipe(), seed=2, members=3)
    repeat_outputs(teacher, student)
    hu = 100 * torch.randn(2, 64, 64)
    expected = teacher.eval()(hu, SIDES).expand(2, 3)
    torch.testing.assert_close(student.eval()(hu, SIDES), expected)


def test_a_student_starts_with_every_part_of_its_first_teacher() -> None:
    label = {"parts": ("score", "noise")}
    teacher = new_network(recipe(label=label), seed=1)
    student = new_network(recipe(label=label), seed=2, members=3)
    repeat_outputs(teacher, student)
    hu = 100 * torch.randn(2, 64, 64)
    expected = teacher.eval()(hu, SIDES).repeat(1, 3)
    torch.testing.assert_close(student.eval()(hu, SIDES), expected)


def test_training_starts_from_the_transformer_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vit.safetensors"
    vit = VisionTransformer(
        image_size=32, patch_size=16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8
    )
    save_file(vit.state_dict(), path)
    plan = recipe(vit={"weights": str(path)})
    network = first_network(plan, seed=1)
    assert torch.equal(network.embed.weight, vit.conv_proj.weight)
    assert torch.equal(network.head.weight, first_network(recipe(), seed=1).head.weight)
    # What is trained already is opened without it.
    path.unlink()
    new_network(plan, seed=1)
    with pytest.raises(ModelError, match="name a file of ViT weights"):
        first_network(plan, seed=1)


def test_the_teachers_are_not_changed_by_distillation(
    run: Path, corpus: Corpus, fakes: Any, fabric: Fabric
) -> None:
    before = (run / "teacher-0" / "weights.safetensors").read_bytes()
    distil(corpus, recipe(), run, fabric=fabric, watch=fakes.Silent(), restart=True)
    assert (run / "teacher-0" / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(("which", "outputs"), [("student", 2), ("teacher-1", 1), ("ensemble", 2)])
def test_what_is_trained_comes_with_a_card_that_explains_it(
    run: Path, which: str, outputs: int
) -> None:
    network, card = finished(run, which, note={"licence": "CC-BY-4.0", "figures": {"opm": 2.5}})
    assert network(torch.zeros(1, 64, 64), torch.ones(1)).shape == (1, outputs)
    assert (card.name, card.outputs, card.size) == (f"run-{which}", outputs, 64)
    assert (card.windows_hu, card.licence, card.recipe) == (((2000, 0),), "CC-BY-4.0", RECIPE)
    assert card.training_range.kernels == ("B30f",)
    assert card.figures["opm"] == 2.5
    assert card.trained.hours > 0


def test_a_network_of_another_name_is_refused(run: Path) -> None:
    with pytest.raises(ModelError, match=r"no 'teacher-9'; choose one of student, ensemble"):
        finished(run, "teacher-9", note={})


def test_a_note_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "note.toml"
    path.write_text('licence = "CC0"\nauthor = "x"')
    with pytest.raises(RecipeError, match='unknown key "author"; known here: name'):
        read_note(path)


def test_a_data_note_need_not_name_a_doi(tmp_path: Path) -> None:
    path = tmp_path / "data.toml"
    path.write_text('[[data]]\nname = "Ours"\nlicence = "CC-BY-4.0"\npatients = 3\n')
    ours = {"name": "Ours", "doi": "", "licence": "CC-BY-4.0", "patients": 3}
    assert read_note(path)["data"] == [ours]


def test_a_data_note_without_a_licence_is_told_what_to_write(tmp_path: Path) -> None:
    path = tmp_path / "data.toml"
    path.write_text('[[data]]\nname = "Ours"\n')
    with pytest.raises(RecipeError, match=r"\[\[data\]\] lacks licence, patients; write it there"):
        read_note(path)


def test_a_student_of_teachers_of_another_corpus_is_refused(
    run: Path, corpus: Corpus, tmp_path: Path, fabric: Fabric, fakes: Any
) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other)
    path = teacher_folder(other, 1) / "result.json"
    path.write_text(path.read_text().replace('"corpus_fingerprint": "', '"corpus_fingerprint": "0'))
    with pytest.raises(ModelError, match="teacher-1 was trained on another corpus"):
        distil(corpus, recipe(), other, fabric=fabric, watch=fakes.Silent(), restart=True)
