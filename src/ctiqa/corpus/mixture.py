"""Which degradations a corpus holds beside noise, and how often: drawn for each slice, recorded."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ctiqa.degrade.degradation import Degradation
from ctiqa.degrade.kinds import KINDS, draw
from ctiqa.errors import RecipeError

__all__ = ["Drawn", "Mixture", "read_mixture"]


class Drawn(NamedTuple):
    """One degraded image to be made.

    Args:
        degradation: with its numbers.
        dose: fraction of the slice's dose, in (0, 1].
    """

    degradation: Degradation
    dose: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What is drawn for every slice.

    Args:
        each: degraded images of a training slice.
        each_held_back: of a slice of any other split.
        lowest_dose: one end of the range of doses.
        highest_dose: the other end for training slices; above 1, slices quieter than they were
            scanned are degraded, too. All other slices end at 1.
        routine_share: share of the images at full dose; the others are log-uniform in the range.
        exponent: of the share of detail in the score.
        seed: makes the draws repeatable.
        unseen: kinds that no training slice gets.
        weights: how often each kind is drawn, relative to the others.

    Raises:
        RecipeError: if a value breaks these rules.
    """

    each: int
    each_held_back: int
    lowest_dose: float
    highest_dose: float
    routine_share: float
    exponent: float
    seed: int
    unseen: tuple[str, ...]
    weights: Mapping[str, float]

    def __post_init__(self) -> None:
        if strange := sorted({*self.weights, *self.unseen} - set(KINDS)):
            raise RecipeError(f"the mixture names {strange[0]!r}; known are {', '.join(KINDS)}")
        if min(self.each, self.each_held_back) < 1 or self.seed < 0:
            raise RecipeError(
                "the mixture draws at least one image of each slice, by a seed from 0"
            )
        if not (0 < self.lowest_dose < 1 <= self.highest_dose):
            raise RecipeError("lowest_dose of the mixture lies in (0, 1), highest_dose from 1")
        if not (0 <= self.routine_share <= 1 and self.exponent >= 0):
            raise RecipeError(
                "routine_share of the mixture lies in [0, 1], and exponent is not negative"
            )
        if min(self.weights.values(), default=-1) < 0 or not self._known(train=True):
            raise RecipeError(
                "the weights of the mixture are not negative, and one that training sees is above 0"
            )

    def drawn(self, part: str, *, train: bool) -> list[Drawn]:
        """Return the degradations of one slice; its name and the seed decide them.

        Args:
            part: hexadecimal name of the slice in its corpus.
            train: whether it is learnt from.
        """
        rng = np.random.default_rng([self.seed, int(part[:8], 16), 3])
        known = self._known(train=train)
        weights = np.array(list(known.values()), float)
        count = self.each if train else self.each_held_back
        kinds = rng.choice(list(known), size=count, p=weights / weights.sum())
        ends = np.log(self.lowest_dose), np.log(self.highest_dose if train else 1.0)
        others = np.exp(rng.uniform(*ends, size=count))
        doses = np.where(rng.random(count) < self.routine_share, 1.0, others)
        return [
            Drawn(draw(str(kind), rng), float(dose))
            for kind, dose in zip(kinds, doses, strict=True)
        ]

    def _known(self, *, train: bool) -> dict[str, float]:
        return {
            kind: weight
            for kind, weight in self.weights.items()
            if weight > 0 and not (train and kind in self.unseen)
        }


def read_mixture(path: Path) -> Mixture:
    """Return the mixture in a TOML file, which has the tables [mixture] and [weights].

    Raises:
        RecipeError: if it cannot be read, or holds another key or value than it must.
    """
    try:
        tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))
        values = {**tables["mixture"], "weights": tables["weights"]}
        values["unseen"] = tuple(values.get("unseen", ()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} cannot be read as a mixture ({error})") from error
    except KeyError as error:
        raise RecipeError(f"{path} lacks the table [{error.args[0]}]; write it there") from error
    names = {field.name for field in fields(Mixture)}
    if wrong := sorted(names.symmetric_difference(values)):
        words = "unknown" if wrong[0] in values else "missing"
        raise RecipeError(f"{path}: key {wrong[0]!r} of [mixture] is {words}")
    try:
        return Mixture(**values)
    except (TypeError, RecipeError) as error:
        raise RecipeError(f"{path}: {error}") from error
