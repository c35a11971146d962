"""Show a model's card, or draw its network."""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiqa.cli.options import Json

__all__ = ["info"]


class Written(StrEnum):
    """Whose JSON a schema is of."""

    SCORE = "score"
    MEASURE = "measure"


def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            envvar="CTIQA_MODEL", help="An .onnx file; the shipped model if none is named."
        ),
    ] = None,
    *,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", "-r", help="Draw what this recipe trains instead.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(help="Write the drawings there, beside showing them.")
    ] = None,
    schema: Annotated[
        Written | None, typer.Option(help="Write the JSON Schema of that command's JSON instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a model says of itself, or draw Figures 1 to 3 of the paper from the code.

    The drawings are read off the network as it runs: shapes, parameters, operations a slice. They
    need the extra 'train'; the card does not.

    Examples:
    ctiqa info

    ctiqa info --recipe recipes/paper2025.toml --svg figures.svg

    ctiqa info --schema score
    """
    if svg is not None and recipe is None:
        raise typer.BadParameter("drawings need a recipe: add --recipe", param_hint="--svg")
    if schema is not None:
        from ctiqa.outputs.schema import SCHEMAS

        print(json.dumps(SCHEMAS[schema](), indent=1))
        return
    if recipe is not None:
        _draw(recipe, svg)
        return
    from ctiqa.scoring.scorer import Scorer

    scorer = Scorer(model)
    card = scorer.card.to_dict()
    if as_json:
        print(json.dumps({**card, "sha256": scorer.sha256}, ensure_ascii=False, indent=2))
        return
    recipe_text = card.pop("recipe")
    about = {
        "sha256": scorer.sha256,
        "checked": "the network takes and returns what the card says",
        **card,
        "recipe": recipe_text,
    }
    print("\n".join(_lines(about)))


def _draw(recipe: Path, svg: Path | None) -> None:
    from ctiqa.cli.extras import extra_installed

    with extra_installed():
        from ctiqa.model.diagram import as_svg, as_text
        from ctiqa.training.figures import figures
        from ctiqa.training.recipe import read_recipe
    from ctiqa.files import write_whole

    drawn = figures(read_recipe(recipe))
    print("\n".join(as_text(figure) for figure in drawn))
    if svg is not None:
        write_whole(svg, as_svg(drawn).encode())


def _lines(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield a card as indented lines; a recipe keeps its own lines."""
    within = indent + "  "
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:"
            yield from _lines(value, within)
        elif isinstance(value, list | tuple) and isinstance(next(iter(value), None), Mapping):
            yield f"{indent}{key}:"
            for item in value:
                yield within + ", ".join(f"{name} {_plain(held)}" for name, held in item.items())
        elif key == "notes" and value:
            yield f"{indent}{key}:"
            yield from (within + note for note in value)
        elif isinstance(value, str) and "\n" in value:
            yield f"{indent}{key}:"
            yield from (within + line if line else "" for line in value.splitlines())
        else:
            yield f"{indent}{key}: {_plain(value)}"


def _plain(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        inner = (f"({_plain(each)})" if isinstance(each, list | tuple) else each for each in value)
        return ", ".join(each if isinstance(each, str) else _plain(each) for each in inner)
    return str(value)
