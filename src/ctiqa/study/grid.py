"""Which rows and runs the paper's tables need: one key of a recipe changed at a time."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

from ctiqa.corpus import label
from ctiqa.errors import RecipeError
from ctiqa.study.recipe_text import Value, varied
from ctiqa.study.runs import Row, Run, Table

__all__ = [
    "BETAS",
    "BLOCKS",
    "COMPARATORS",
    "EPSILONS",
    "FIGURE",
    "IDEAL",
    "MEMBERS",
    "SCALES",
    "TABLES",
    "scale_recipe",
    "tables",
]

SCALES = ("full", "compact")
TABLES = ("table1", "table2", "table3", "table4")
FIGURE = "figure4"
IDEAL = "ideal"

BLOCKS = range(6)
MEMBERS = range(1, 6)
BETAS = (0.0, 0.2, 0.25, 0.4, 0.5, 0.6, 0.75, 0.8, 1.0)
EPSILONS = (0.01, 0.02, 0.05, 0.1, 0.2, 1.0)
COMPARATORS = {
    "ResNet": "resnet50",
    "DenseNet": "densenet121",
    "VGG": "vgg16_bn",
    "GoogLeNet": "googlenet",
}
"""The paper's name of each network beside its own, and what a recipe calls it."""

_FILTERS = (8, 16, 32, 64, 128)
"""8 * 2^i in the i-th convolution block (METHOD 1.3, row 17)."""

# What the paper settled on; the rows of its tables change one of them at a time.
_BLOCKS, _MEMBERS, _BETA, _EPSILON = 4, 4, 0.75, 0.05
_SEEDS_APART = 1000

_IDEAL: Mapping[str, Value] = {
    "label.reference": label.IDEAL.reference,
    "label.windows": label.IDEAL.windows[:1],
    "label.psnr_limits_db": label.IDEAL.psnr_limits_db[:1],
    "teachers.unit": "patient",
    "student.select": "val",
}
"""Labels that say how noisy a slice is, in the paper's window, and no patient on both sides."""


def scale_recipe(scale: str) -> str:
    """Return the base recipe of a scale that ctiqa brings along.

    Raises:
        RecipeError: if there is none of that name.
    """
    if scale not in SCALES:
        raise RecipeError(
            f"there is no scale {scale!r}; choose {' or '.join(SCALES)}, or name a .toml file"
        )
    return (files("ctiqa.study") / "scales" / f"{scale}.toml").read_text("utf-8")


def tables(base: str, *, seeds: int) -> dict[str, Table]:
    """Return every table of the paper, and its main rows with other labels, by name.

    Args:
        base: recipe of the scale; the rows change a few of its keys.
        seeds: how often each network is trained.
    """
    grid = _Grid(base, seeds)
    ideal = _Grid(varied(base, _IDEAL), seeds, prefix=f"{IDEAL}-")
    made = (
        *(grid.table1(), grid.table2(), grid.table3(), grid.table4(), grid.figure4()),
        ideal.main_rows(),
    )
    return {table.name: table for table in made}


@dataclass(frozen=True)
class _Grid:
    """Rows and runs that differ from a base recipe."""

    base: str
    seeds: int
    prefix: str = ""

    def table1(self) -> Table:
        rows = [self._row(f"blocks {n}", f"CNN-{n}", self._student(blocks=n)) for n in BLOCKS]
        title = "how many convolution blocks come before the transformer"
        return Table("table1", title, f"blocks {_BLOCKS}", tuple(rows))

    def table2(self) -> Table:
        rows = [
            self._row(f"members {n}", f"{n} member{'s' * (n > 1)}", self._student(members=n))
            for n in MEMBERS
        ]
        further = [
            self._row(
                f"ensemble {n}",
                f"mean of {n} teachers, no student",
                partial(self._teachers, count=n),
            )
            for n in MEMBERS
            if n > 1
        ]
        further += [
            self._row(f"teacher {k}", f"teacher {k} alone", self._teacher(k)) for k in MEMBERS[:-1]
        ]
        title = "how many teachers the student learns from"
        return Table("table2", title, f"members {_MEMBERS}", tuple(rows), tuple(further))

    def table3(self) -> Table:
        rows = [self._row(f"beta {b:g}", f"beta {b:g}", self._student(beta=b)) for b in BETAS]
        long = "beta 0, trained as long as a teacher"
        further = [self._row("beta 0 long", long, self._student(beta=0.0, long=True))]
        further += [
            self._row(f"epsilon {e:g}", f"beta 0.75, epsilon {e:g}", self._student(epsilon=e))
            for e in EPSILONS
        ]
        title = "the weight beta of the teachers beside the label"
        return Table("table3", title, f"beta {_BETA:g}", tuple(rows), tuple(further))

    def table4(self) -> Table:
        rows = [
            self._row("vit", "ViT (CNN-0)", partial(self._teachers, count=1, blocks=0)),
            self._row("cnn-vit", "CNN-ViT (CNN-4)", self._teacher(1)),
            *(
                self._row(name, words, partial(self._comparator, name=name))
                for words, name in COMPARATORS.items()
            ),
            self._row("student", "distilled student", self._student()),
        ]
        title = "the student beside other networks, all trained alike"
        return Table("table4", title, "student", tuple(rows))

    def figure4(self) -> Table:
        rows = [
            self._row(f"teacher {k}", f"teacher {k}", self._teacher(k))
            for k in range(1, _MEMBERS + 1)
        ]
        rows.append(self._row("student", "student", self._student()))
        return Table(FIGURE, "the losses of teachers and student", "student", tuple(rows))

    def main_rows(self) -> Table:
        rows = [
            self._row("vit", "ViT (CNN-0)", partial(self._teachers, count=1, blocks=0)),
            self._row("cnn-vit", "CNN-ViT (CNN-4)", self._teacher(1)),
            self._row(
                "ensemble",
                f"mean of {_MEMBERS} teachers, no student",
                partial(self._teachers, count=_MEMBERS),
            ),
            self._row("student", "distilled student", self._student()),
        ]
        title = "the main rows once more, with ideal labels and validation by patient"
        return Table(IDEAL, title, "student", tuple(rows), images="images-ideal")

    def _row(self, key: str, words: str, runs: Callable[[int], tuple[Run, ...]]) -> Row:
        return Row(key, words, tuple(runs(seed) for seed in range(self.seeds)))

    def _recipe(self, seed: int, members: int, changes: Mapping[str, Value]) -> str:
        start = _SEEDS_APART * seed
        everywhere: dict[str, Value] = {
            "teachers.members": members,
            "teachers.seeds": [start + member for member in range(members)],
            "teachers.fold_seed": seed,
            "student.outputs": members,
            "student.seed": start + 100,
            "student.beta": _BETA,
            "student.epsilon": _EPSILON,
        }
        return varied(self.base, everywhere | dict(changes))

    def _teachers(self, seed: int, count: int, *, blocks: int = _BLOCKS) -> tuple[Run, ...]:
        family = f"{self.prefix}blocks{blocks}-seed{seed}"
        # One recipe for all of a family, so that an ensemble of three shares those of five.
        recipe = self._recipe(seed, max(MEMBERS), {"network.blocks": _FILTERS[:blocks]})
        return tuple(
            Run(f"{family}-teacher{member}", "teacher", seed, recipe, family, member)
            for member in range(count)
        )

    def _teacher(self, place: int) -> Callable[[int], tuple[Run, ...]]:
        return lambda seed: self._teachers(seed, place)[-1:]

    def _comparator(self, seed: int, name: str) -> tuple[Run, ...]:
        family = f"{name}-seed{seed}"
        # Weights of a transformer fit no other network.
        changes: dict[str, Value] = {"comparator.name": name, "vit.weights": ""}
        recipe = self._recipe(seed, max(MEMBERS), changes)
        return (Run(f"{family}-teacher0", "teacher", seed, recipe, family),)

    def _student(
        self,
        *,
        blocks: int = _BLOCKS,
        members: int = _MEMBERS,
        beta: float = _BETA,
        epsilon: float = _EPSILON,
        long: bool = False,
    ) -> Callable[[int], tuple[Run, ...]]:
        changes: dict[str, Value] = {
            "network.blocks": _FILTERS[:blocks],
            "student.beta": beta,
            "student.epsilon": epsilon,
        }
        name = f"student-beta{beta:g}"
        name += f"-members{members}" if members != _MEMBERS else ""
        name += f"-epsilon{epsilon:g}" if epsilon != _EPSILON else ""
        if long:
            changes["student.epochs"] = _teacher_epochs(self.base)
            name += "-long"

        def runs(seed: int) -> tuple[Run, ...]:
            teachers = self._teachers(seed, members, blocks=blocks)
            family = teachers[0].family
            recipe = self._recipe(seed, members, changes)
            return (Run(f"{family}-{name}", "student", seed, recipe, family, needs=teachers),)

        return runs


def _teacher_epochs(recipe: str) -> int:
    optimiser: dict[str, Any] = tomllib.loads(recipe).get("optimiser", {})
    return int(optimiser.get("epochs", 100))
