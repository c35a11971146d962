"""A recipe is read strictly."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ctiqa.errors import RecipeError
from ctiqa.model.choice import ComparatorChoice
from ctiqa.training.plans import VitStart
from ctiqa.training.recipe import parse_recipe, read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))

SHORTEST = """
[label]
reference = "ideal"
windows = ["w350", "w1500"]
psnr_limits_db = [[8, 40], [20, 52]]
[network]
windows = [[2000, 0]]
"""


def parsed(text: str = "") -> Any:
    return parse_recipe(SHORTEST + text, name="a.toml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_can_be_read_and_says_its_command_cost_and_result_first(
    path: Path,
) -> None:
    recipe = read_recipe(path)
    assert recipe.text == path.read_text(encoding="utf-8")
    first, second, third = recipe.text.splitlines()[:3]
    assert f"recipes/{path.name}" in first
    assert second.startswith("# cost: ")
    assert third.startswith("# result: ")


def test_the_recipe_of_the_paper_holds_the_numbers_of_its_section_3_1() -> None:
    recipe = read_recipe(RECIPES[0].with_name("paper2025.toml"))
    assert (recipe.loss.p, recipe.loss.lambda_) == (1.6, 1.0)
    assert (recipe.optimiser.lr, recipe.optimiser.batch, recipe.optimiser.epochs) == (2e-4, 10, 100)
    assert (recipe.teachers.members, recipe.student.epochs) == (4, 20)
    assert (recipe.student.beta, recipe.student.epsilon) == (0.75, 0.05)
    assert recipe.student.select == "train"


def test_a_large_transformer_without_imagenet_weights_is_cautioned_against() -> None:
    paper = read_recipe(RECIPES[0].with_name("paper2025.toml"))
    assert "85 million weights are drawn at random" in paper.caution
    assert replace(paper, vit=VitStart(weights="vit.pth")).caution == ""
    assert read_recipe(RECIPES[0].with_name("compact.toml")).caution == ""


def test_a_comparator_is_chosen_by_name_and_the_cnn_vit_by_none() -> None:
    assert parsed().comparator.name == parsed('[comparator]\nname = ""').comparator.name == ""
    chosen = parsed('[comparator]\nname = "resnet50"')
    assert chosen.comparator.name == "resnet50"
    assert chosen != parsed()


def test_a_comparator_has_no_transformer_to_be_cautioned_about() -> None:
    paper = read_recipe(RECIPES[0].with_name("paper2025.toml"))
    assert replace(paper, comparator=ComparatorChoice(name="googlenet")).caution == ""


def test_whole_numbers_serve_where_numbers_are_wanted() -> None:
    assert parsed("[loss]\nlambda = 2\n").loss.lambda_ == 2.0


def test_doses_are_fresh_or_a_list() -> None:
    assert parsed('[examples]\ndoses = "fresh"').examples.doses == "fresh"
    assert parsed("[examples]\ndoses = [1, 0.5]").examples.doses == (1.0, 0.5)


def test_recipes_that_differ_in_comments_only_are_equal() -> None:
    assert parsed("# another word") == parsed()


def test_each_member_leaves_out_its_own_fold_or_all_the_first() -> None:
    teachers = parsed("[teachers]\nseeds = [7, 8, 9, 10]").teachers
    assert [teachers.fold(k) for k in range(4)] == [0, 1, 2, 3]
    assert [teachers.seed(k) for k in range(4)] == [7, 8, 9, 10]
    assert parsed('[teachers]\nsplit = "same"').teachers.fold(3) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[optimiser]\nlearning_rate = 1", 'unknown key "learning_rate"; known here: lr, lr_min'),
        ("[optimizer]\nlr = 1", 'unknown key "optimizer"; known here: label, network'),
        ("[vit.extra]\nx = 1", 'a.toml [vit]: unknown key "extra"; known here: weights'),
        ('[optimiser]\nlr = "1"', "lr must be a number, not '1'"),
        ("[optimiser]\nepochs = 1.5", "epochs must be a whole number, not 1.5"),
        ("[optimiser]\nepochs = true", "epochs must be a whole number, not True"),
        ("[optimiser]\ncompile = 1", "compile must be true or false, not 1"),
        ("[optimiser]\nbetas = [0.9]", "betas must be a list of 2 values, each a number"),
        ('[loss]\ntail = "soft"', 'tail must be "c1" or "paper", not \'soft\''),
        ("[loss]\np = 0.5", "p must be at least 1"),
        ("[loss]\nlambda = 0", "lambda must be positive"),
        ("depth = 0", "a.toml [network]: sizes are at least 1"),
        ("outputs = 4", "that of the student stands in [student]"),
        ("[optimiser]\nlr = nan", "lr is positive"),
        ("[optimiser]\nlr_min = 1", "lr_min lies in"),
        ("[optimiser]\nema_decay = 1", "ema_decay lies in"),
        ("[examples]\ndoses = [0.0]", "doses lie in"),
        ("[examples]\ndoses = []", "doses must not be empty"),
        ('[examples]\ndoses = "some"', 'doses must be "fresh" or a list of each a number'),
        ("[teachers]\nmembers = 6", "6 members need as many folds, not 5"),
        ("[teachers]\nseeds = [1]", "seeds names 1 seeds for 4 members"),
        ('[teachers]\nunit = "image"', "needs a list of doses"),
        ("[student]\noutputs = 3", "needs as many outputs of the student"),
        ("[student]\nlr = 1e-9", "lies below lr_min"),
        (
            '[comparator]\nname = "resnet"',
            'name "resnet" is unknown; known here: resnet50, densenet121, vgg16_bn, googlenet',
        ),
        (
            '[comparator]\nname = "googlenet"\n[vit]\nweights = "vit.pth"',
            "[vit] weights start a CNN-ViT, and [comparator] chooses googlenet",
        ),
        (
            'unshuffle = 16\ncrop = [0, 16]\nblocks = []\n[comparator]\nname = "vgg16_bn"',
            "size 512 unshuffled by 16 leaves 32 pixels a side, and vgg16_bn needs 40",
        ),
        (
            '[comparator]\nname = "googlenet"\n[optimiser]\nbatch = 1',
            "batch must be 2 or more",
        ),
        ('text = "x"', "unknown key"),
        ("[loss", "is not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parsed(text)
    assert "a.toml" in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_table_is_named() -> None:
    with pytest.raises(RecipeError, match="label, network must be given"):
        parse_recipe("", name="a.toml")


def test_a_routine_label_cannot_be_had_at_fresh_doses() -> None:
    text = SHORTEST.replace('"ideal"', '"routine"')
    with pytest.raises(RecipeError, match="needs a list of doses"):
        parse_recipe(text, name="a.toml")


def test_a_missing_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no\.toml cannot be read as a recipe"):
        read_recipe(tmp_path / "no.toml")
