"""The card that explains a model, written by training, read by scoring."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Self, TypeVar, get_args, get_origin, get_type_hints

from ctiqa.errors import ModelError

__all__ = ["Card", "DataSource", "ScoreInterval", "TrainingRange", "TrainingRun"]

SCHEMA_VERSION = 3

Table = TypeVar("Table")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """One collection of scans that a model was trained on.

    Args:
        name: as its publisher calls it.
        doi: "" where it has none.
        licence: SPDX name where there is one.
        patients: how many of its patients were used for training.
    """

    name: str
    doi: str = ""
    licence: str
    patients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRange:
    """What the training scans were like; outside it a score is only a guess.

    Args:
        kvp: lowest and highest tube voltage; None where the headers did not tell, as in the others.
        kernels: convolution kernels word for word; empty where unknown.
        slice_thickness_mm: thinnest and thickest slice.
        pixel_mm: smallest and largest pixel.
        body_regions: BodyPartExamined word for word; empty where unknown.
        noise_hu: lowest and highest global noise of a training image, lower doses included.
        noise_per_mm: lowest and highest frequency of the noise (``texture``); None in older cards,
            as in the others that follow.
        water_equivalent_mm: smallest and largest water-equivalent diameter of a body in full view.
        cut_off_mm: least and most of a body's outline on the edge of the field of view.
        image_regions: what the images show (``region``); empty in older cards.
    """

    kvp: tuple[float, float] | None = None
    kernels: tuple[str, ...] = ()
    slice_thickness_mm: tuple[float, float] | None = None
    pixel_mm: tuple[float, float] | None = None
    body_regions: tuple[str, ...] = ()
    noise_hu: tuple[float, float] | None = None
    noise_per_mm: tuple[float, float] | None = None
    water_equivalent_mm: tuple[float, float] | None = None
    cut_off_mm: tuple[float, float] | None = None
    image_regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """When, where and from what the weights came.

    Args:
        date: ISO 8601.
        hours: wall time of the training.
        device: in words.
        commit: git commit of the code, "" outside a checkout.
        versions: name of a package to its version.
        corpus_fingerprint: of the corpus that was trained on.
    """

    date: str = ""
    hours: float = 0.0
    device: str = ""
    commit: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    corpus_fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreInterval:
    """How far the label of a new patient's image may lie from the score: split-conformal.

    The interval is score +- ``factor`` * sqrt(SD of the members^2 + ``floor``^2), cut to [0, 1].

    Args:
        level: share of the images of new patients that it holds.
        factor: found on patients of whom neither weights nor anything else was learnt.
        floor: keeps members that agree by chance from promising too much.
        images: that it was found on.
        patients: whose images they are; each weighs the same.
        corpus_fingerprint: of these images.
    """

    level: float
    factor: float
    floor: float
    images: int
    patients: int
    corpus_fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a user has to know about a model; it travels inside the ``.onnx`` file.

    Args:
        name: of the model; stands in every row of every result.
        description: one or two sentences.
        outputs: numbers that the network returns for a slice: for each member all parts.
        parts: what each member says, the score first; its mean over the members is the score.
        size: rows and columns of the slice that the network takes.
        windows_hu: width and level of each input channel; the network windows the slice itself.
        label: the label recipe word for word.
        training_range: what the training scans were like.
        recipe: the training recipe word for word.
        data: collections it was trained on.
        trained: when, where and from what.
        figures: reached on test patients, beside the baselines; None where one is not defined.
        interval: how far a score may be trusted; None where nobody found out.
        licence: of the weights, SPDX name.
        notes: anything else a user should read.
    """

    name: str
    description: str = ""
    outputs: int
    parts: tuple[str, ...] = ("score",)
    size: int = 512
    windows_hu: tuple[tuple[float, float], ...]
    label: dict[str, Any] = field(default_factory=dict)
    training_range: TrainingRange = TrainingRange()
    recipe: str = ""
    data: tuple[DataSource, ...] = ()
    trained: TrainingRun = field(default_factory=TrainingRun)
    figures: dict[str, Any] = field(default_factory=dict)
    interval: ScoreInterval | None = None
    licence: str = ""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain data, ``schema_version`` first."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    def to_json(self) -> str:
        """Return the card as JSON.

        Raises:
            ModelError: if ``label`` or ``figures`` holds what JSON cannot, such as nan.
        """
        try:
            return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=2)
        except (TypeError, ValueError) as error:
            raise ModelError(f"the card of {self.name} is not plain data: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the card that ``text`` holds.

        Raises:
            ModelError: naming the key that is missing, unknown or of another type than it must be.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(f"the model's card is not JSON ({error}); export it again") from error
        if not isinstance(values, dict):
            raise ModelError("the model's card is not a table; export the model again")
        version = values.pop("schema_version", None)
        if version not in range(1, SCHEMA_VERSION + 1):
            raise ModelError(
                f"the model's card has schema_version {version}, but this ctiqa reads 1 to "
                f"{SCHEMA_VERSION}; install the ctiqa that the model was made for"
            )
        return _build(cls, values, "card", whole=version == SCHEMA_VERSION)


def _build(kind: type[Table], values: Mapping[str, Any], where: str, *, whole: bool) -> Table:
    """Return the dataclass ``kind`` made of ``values``, which must hold exactly its fields.

    A card of an older version is not whole: what it lacks is as the field's default has it.
    """
    hints = get_type_hints(kind)
    if not whole:
        values = _defaults(kind) | dict(values)
    if missing := [name for name in hints if name not in values]:
        raise ModelError(f"the model's {where} lacks {', '.join(missing)}; export the model again")
    if unknown := [name for name in values if name not in hints]:
        raise ModelError(
            f"the model's {where} holds {', '.join(unknown)}, which this ctiqa does not know; "
            "install the ctiqa that the model was made for"
        )
    return kind(
        **{
            name: _value(hints[name], values[name], f"{where}.{name}", whole=whole)
            for name in hints
        }
    )


def _defaults(kind: Any) -> dict[str, Any]:
    """Return the defaults of a dataclass as JSON would have them."""
    given = {one.name: one.default for one in fields(kind) if one.default is not MISSING}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items()
    }


def _value(hint: Any, value: Any, where: str, *, whole: bool) -> Any:
    """Return one value of a card as its field's type wants it."""
    if get_origin(hint) is UnionType:
        if value is None and NoneType in get_args(hint):
            return None
        hint = get_args(hint)[0]
    origin, parts = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return _build(hint, value, where, whole=whole)
    if origin is tuple and isinstance(value, list):
        each = parts[:1] * len(value) if Ellipsis in parts else parts
        if len(each) == len(value):
            return tuple(
                _value(kind, item, where, whole=whole)
                for kind, item in zip(each, value, strict=True)
            )
    if origin is dict and isinstance(value, dict):
        return {key: _value(parts[1], item, where, whole=whole) for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Any or type(value) is hint:
        return value
    raise ModelError(f"the model's {where} cannot be {value!r}; export the model again")
