"""A recipe with a few keys changed is a recipe."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiqa.errors import RecipeError
from ctiqa.study.recipe_text import varied
from ctiqa.training.recipe import parse_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))

SCALARS = (
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_without_a_change_stays_the_same_recipe(path: Path) -> None:
    text = path.read_text("utf-8")
    assert parse_recipe(varied(text, {}), name="new") == parse_recipe(text, name="old")


@given(st.recursive(SCALARS, st.lists, max_leaves=5))
def test_any_value_is_read_back_as_it_was_written(value: Any) -> None:
    read = tomllib.loads(varied("[a]\nb = 1\n", {"a.c": value}))
    assert read == {"a": {"b": 1, "c": value}}
    assert type(read["a"]["c"]) is type(value)


def test_a_changed_key_leaves_the_others_alone() -> None:
    text = varied("[a]\nb = 1\nc = [[1, 2.5]]\n", {"a.b": [], "d.e": True})
    assert tomllib.loads(text) == {"a": {"b": [], "c": [[1, 2.5]]}, "d": {"e": True}}


@pytest.mark.parametrize(
    ("text", "words"),
    [("[a", "not valid TOML"), ("a = 1", '"a" outside any table'), ("[a.b]\nc = 1", "holds a.b")],
)
def test_what_is_no_flat_recipe_is_refused(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        varied(text, {})
