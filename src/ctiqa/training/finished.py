"""Open what a run has trained: a network and the card that explains it."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from ctiqa.card import Card
from ctiqa.errors import ModelError, RecipeError
from ctiqa.model.map_network import Mapped
from ctiqa.training.checkpoint import WEIGHTS, load_weights
from ctiqa.training.distil import student_folder
from ctiqa.training.quality_map import map_folder, trained_map
from ctiqa.training.recipe import Recipe, read_recipe
from ctiqa.training.teachers import RECIPE, RESULT, load_teachers, new_network, teacher_folder

__all__ = ["Finished", "evaluated", "finished", "read_note"]

_CARD_FIGURES = ("signed_opm", "plcc", "srocc", "krocc", "mae", "mse")

NOTE_KEYS = ("name", "description", "data", "licence", "figures", "notes")


class Finished(NamedTuple):
    """A trained network, in evaluation mode, and its card."""

    network: nn.Module
    card: Card


def finished(run: Path, which: str, *, note: Mapping[str, Any]) -> Finished:
    """Return a network of a run with its card.

    Args:
        run: folder of the run.
        which: "student", "teacher-0" ..., or "ensemble", whose outputs are those of all teachers.
        note: from :func:`read_note`: what training cannot know, such as licences.

    Raises:
        ModelError: if there is none of that name, or it is not trained to the end.
    """
    recipe = read_recipe(run / RECIPE)
    teachers = [teacher_folder(run, member) for member in range(recipe.teachers.members)]
    folder = student_folder(run) if which == "student" else run / which
    if which == "ensemble":
        results = [_result(one) for one in teachers]
        return Finished(load_teachers(run, recipe), _card(run, which, recipe, results, note))
    if which != "student" and folder not in teachers:
        names = ", ".join(["student", "ensemble", *(one.name for one in teachers)])
        raise ModelError(f"a run holds no {which!r}; choose one of {names}")
    results = [_result(one) for one in ([*teachers, folder] if which == "student" else [folder])]
    recipe = read_recipe(folder / RECIPE)
    card = _card(run, which, recipe, results, note)
    network: nn.Module = new_network(recipe, seed=0, members=_members(recipe, which))
    load_weights(network, folder / WEIGHTS)
    if which == "student" and (where := trained_map(run)) is not None:
        _check_map(run, results[-1])
        network = Mapped(network, where)
    return Finished(network.eval(), card)


def read_note(path: Path | None) -> dict[str, Any]:
    """Return what a TOML file says about a model that training cannot know.

    Its keys are name, description, licence, notes (a list), figures (a table) and data, a list of
    tables with name, licence, patients and, where there is one, doi.

    Raises:
        RecipeError: if it cannot be read or holds another key.
    """
    if path is None:
        return {}
    try:
        note = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} cannot be read as a TOML note about data: {error}") from error
    if unknown := set(note) - set(NOTE_KEYS):
        raise RecipeError(
            f'{path}: unknown key "{min(unknown)}"; known here: {", ".join(NOTE_KEYS)}'
        )
    rows = note.get("data", [])
    for row in rows:
        if missing := sorted({"name", "licence", "patients"} - set(row)):
            raise RecipeError(
                f"{path}: a table [[data]] lacks {', '.join(missing)}; write it there"
            )
    return {**note, "data": [{"doi": "", **row} for row in rows]}


def evaluated(paths: Sequence[Path]) -> dict[str, Any]:
    """Return what ``ctiqa evaluate -o FILE.json`` wrote, as a card tells it: pooled figures only.

    The model's row stands beside its teachers, the labeller and the trivial baselines, so that a
    card never tells the one without the others.

    Raises:
        ModelError: if a file is no such result.
    """
    return dict(map(_evaluation, paths))


def _evaluation(path: Path) -> tuple[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        about = result["about"]
        rows = {
            entry["name"]: {name: entry["pooled"][name] for name in _CARD_FIGURES}
            for entry in result["entries"]
        }
        facts = {name: result[name] for name in ("images", "patients")}
        key = f"split {about['split']}, {about['only']}, label {about['label']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} is no result of 'ctiqa evaluate CORPUS -o FILE.json' ({error!r})"
        ) from error
    return key, {**facts, "rows": rows}


def _members(recipe: Recipe, which: str) -> int:
    return {"student": recipe.student.outputs, "ensemble": recipe.teachers.members}.get(which, 1)


def _result(folder: Path) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is not trained to the end; go on with 'ctiqa train' or 'ctiqa distil'"
        ) from None
    return result


def _check_map(run: Path, student: Mapping[str, Any]) -> None:
    folder, key = map_folder(run), "corpus_fingerprint"
    same_recipe = read_recipe(folder / RECIPE) == read_recipe(run / RECIPE)
    if not same_recipe or _result(folder)[key] != student[key]:
        raise ModelError(
            f"{folder} was trained by another recipe or corpus than the student, or that was "
            "degraded anew between them; give the older of the two again with --restart"
        )


def _card(
    run: Path,
    which: str,
    recipe: Recipe,
    results: Sequence[Mapping[str, Any]],
    note: Mapping[str, Any],
) -> Card:
    """Return the card of a network, the last of ``results`` its own."""
    own = results[-1]
    reached = {"checked_on": own["checked_on"], "checked_images": own["checked_images"]}
    card = Card(
        name=f"{run.resolve().name}-{which}",
        outputs=_members(recipe, which) * len(recipe.label.parts),
        parts=recipe.label.parts,
        size=recipe.network.size,
        windows_hu=recipe.network.windows,
        label=asdict(recipe.label),
        recipe=recipe.text,
        figures={} if which == "ensemble" else {"in_training": {**reached, **own["figures"]}},
    ).to_dict()
    card["training_range"] = own["training_range"]
    card["trained"] = {
        "date": own["date"],
        "hours": sum(result["seconds"] for result in results) / 3600,
        "device": own["device"],
        "commit": own["commit"],
        "versions": own["versions"],
        "corpus_fingerprint": own["corpus_fingerprint"],
    }
    figures = {**card["figures"], **note.get("figures", {})}
    return Card.from_json(json.dumps({**card, **note, "figures": figures}))
