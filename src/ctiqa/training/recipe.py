"""A training recipe, read strictly from TOML."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from ctiqa.corpus.label import LabelRecipe
from ctiqa.errors import RecipeError
from ctiqa.model.choice import ComparatorChoice
from ctiqa.model.shape import NetworkShape
from ctiqa.training.losses import PHuber
from ctiqa.training.plans import (
    ExamplePlan,
    MapPlan,
    OptimiserPlan,
    StudentPlan,
    TeacherPlan,
    VitStart,
    require,
)
from ctiqa.training.strict import build

__all__ = ["Recipe", "parse_recipe", "read_recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what training yields, apart from the corpus.

    Args:
        label: how Q is weighed, out of what the corpus holds.
        text: the file word for word, which is saved beside the weights; its comments may differ
            between equal recipes.
    """

    label: LabelRecipe
    network: NetworkShape
    comparator: ComparatorChoice = field(default_factory=ComparatorChoice)
    examples: ExamplePlan = field(default_factory=ExamplePlan)
    loss: PHuber = field(default_factory=PHuber)
    optimiser: OptimiserPlan = field(default_factory=OptimiserPlan)
    teachers: TeacherPlan = field(default_factory=TeacherPlan)
    student: StudentPlan = field(default_factory=StudentPlan)
    quality_map: MapPlan = field(default_factory=MapPlan)
    vit: VitStart = field(default_factory=VitStart)
    text: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        require(
            self.student.target == "mean" or self.student.outputs == self.teachers.members,
            f'target = "vector" needs as many outputs of the student ({self.student.outputs}) '
            f"as there are teachers ({self.teachers.members})",
        )
        require(
            self.teachers.unit != "image" or self.examples.doses != "fresh",
            'unit = "image" needs a list of doses, since fresh images belong to no part',
        )
        require(
            self.label.reference == "ideal" or self.examples.doses != "fresh",
            'reference = "routine" needs a list of doses, since its label jumps at full dose',
        )
        require(
            self.examples.degraded_share == 0
            or (self.examples.doses == "fresh" and len(self.label.parts) > 1),
            "degraded_share needs fresh doses and a label with parts beside the score",
        )
        require(
            self.network.outputs == 1,
            "[network] describes a teacher, whose outputs is 1; that of the student stands in "
            "[student]",
        )
        require(
            self.student.lr == 0 or self.student.lr >= self.optimiser.lr_min,
            "the student's lr lies below lr_min",
        )
        self.comparator.check(self.network, self.vit.weights)
        require(
            not self.comparator.name or self.optimiser.batch > 1,
            "batch norm of a comparator learns nothing from one slice: batch must be 2 or more",
        )

    @property
    def caution(self) -> str:
        """What a person should hear before a long training; "" if nothing (METHOD 1.3, row 18)."""
        weights = 12 * self.network.width**2 * self.network.depth  # 12 W^2 in a transformer block
        if self.comparator.name or self.vit.weights or weights < 50e6:
            return ""
        return (
            f"the transformer's {weights / 1e6:.0f} million weights are drawn at random, and a few "
            "thousand slices cannot train so many: give a file of ImageNet weights in [vit]"
        )


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a TOML file.

    Raises:
        RecipeError: if there is no such file, or as :func:`parse_recipe`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{path} cannot be read as a recipe ({error}); name a .toml file"
        ) from error
    return parse_recipe(text, name=str(path))


def parse_recipe(text: str, *, name: str) -> Recipe:
    """Return the recipe that ``text`` holds; ``name`` says in an error where it came from.

    Raises:
        RecipeError: naming the key, if it is unknown, missing, of a wrong type or impossible.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name} is not valid TOML: {error}") from error
    if "text" in tables:
        raise RecipeError(f'{name}: unknown key "text"; delete it')
    return build(Recipe, {**tables, "text": text}, where=name)
