"""The figures say what the recipe says."""

from pathlib import Path

import pytest

from ctiqa.model.describe import network_figure
from ctiqa.model.diagram import as_text
from ctiqa.training.figures import figures
from ctiqa.training.recipe import parse_recipe, read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("name", ["compact", "paper2025", "recommended", "tiny"])
def test_every_recipe_can_be_drawn(name: str) -> None:
    recipe = read_recipe(RECIPES / f"{name}.toml")
    method, network, distillation = figures(recipe)
    assert len(method.rows[3]) == recipe.teachers.members
    assert network == network_figure(recipe.network)
    assert f"s_1 to s_{recipe.student.outputs}" in as_text(distillation)


def test_the_papers_figures_show_the_papers_numbers() -> None:
    method, network, distillation = map(as_text, figures(read_recipe(RECIPES / "paper2025.toml")))
    for words in (
        "doses 1, 0.75, 0.5, 0.25",
        "label Q = 0.5 PSNR + 0.5 SSIM  (equation 1)",
        "against the slice as scanned",
        "teacher 3",
        "student: one network, 4 outputs",
    ):
        assert words in method
    assert "attention of 12 heads" in network
    for words in (
        "mean of L(s_k - t_k) over k = 1 to 4  (equation 5)",
        "|mean t - y| <= 0.05; else 0",
        "label loss + 0.75 x distillation loss  (equation 6)",
        "p = 1.6, lambda = 1, tail paper",
    ):
        assert words in distillation


def test_no_cnn_vit_is_drawn_where_a_comparator_is_trained() -> None:
    text = (RECIPES / "compact.toml").read_text("utf-8") + '[comparator]\nname = "resnet50"\n'
    _, network, _ = map(as_text, figures(parse_recipe(text, name="changed")))
    assert "Figure 2. resnet50, in place of the CNN-ViT" in network
    assert "layer3: 6 x Bottleneck" in network
    assert "attention" not in network


def test_other_choices_are_drawn_as_they_are() -> None:
    text = (RECIPES / "compact.toml").read_text("utf-8")
    text = text.replace('select = "val"', 'select = "last"').replace("beta = 0.75", "beta = 0.5")
    text = text.replace('gate = "sample"', 'gate = "batch_all"')
    text = text.replace('target = "vector"', 'target = "mean"')
    method, _, distillation = map(as_text, figures(parse_recipe(text, name="changed")))
    assert "a teacher is kept as it ends" in method
    assert "15% at dose 1, the others from 0.15 to 1" in method
    assert "L(mean s - mean t)" in distillation
    assert "<= 0.05 in the whole batch" in distillation
    assert "label loss + 0.5 x distillation loss" in distillation
