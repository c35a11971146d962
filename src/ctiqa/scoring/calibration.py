"""A calibration: what a model's score means on the scale of some readers, kept as JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np

from ctiqa.errors import ModelError
from ctiqa.files import write_whole
from ctiqa.measures.monotone import Logistic, MonotoneMap

__all__ = ["Calibration", "Curve", "ReaderScore"]

SCHEMA_VERSION = 1

Curve: TypeAlias = Logistic | MonotoneMap


class ReaderScore(NamedTuple):
    """What a reader would say of an image, and between what that lies."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A rising map from one model's score to readers' grades, with the interval of a grade.

    Args:
        model: name of the model whose scores were calibrated.
        model_sha256: of its file; scores of another model mean something else.
        scale: lowest and highest grade that a reader may give.
        curve: the map.
        half_width: the grade of an image of a new patient lies within so much of the map, in
            ``level`` of the cases; infinite where the patients are too few to tell.
        level: of the interval.
        images: how many images readers graded.
        patients: of how many patients.
        folds: of the cross-validation, each patient whole in one of them.
        score_range: lowest and highest score that was calibrated; beyond it the map is a guess.
        figures: agreement with the readers before and after, by what was held against them.
        notes: what a user must know, in sentences.
    """

    model: str
    model_sha256: str
    scale: tuple[float, float]
    curve: Curve
    half_width: float
    level: float
    images: int
    patients: int
    folds: int
    score_range: tuple[float, float]
    figures: Mapping[str, Mapping[str, float | None]]
    notes: tuple[str, ...] = ()

    def reader(self, score: float) -> ReaderScore:
        """Return what readers would say of an image with this score, on their scale."""
        value = float(self.curve(np.array([score]))[0])
        ends = (value, value - self.half_width, value + self.half_width)
        return ReaderScore(*(min(max(each, self.scale[0]), self.scale[1]) for each in ends))

    def knows(self, score: float) -> bool:
        """Whether the score lies among those that were calibrated."""
        return self.score_range[0] <= score <= self.score_range[1]

    def check_model(self, name: str, sha256: str) -> None:
        """Refuse a model that this calibration was not made with.

        Raises:
            ModelError: if it is another.
        """
        if sha256 != self.model_sha256:
            raise ModelError(
                f"the calibration was made with the model {self.model} (sha256 "
                f"{self.model_sha256[:12]}), not with {name} ({sha256[:12]}); score the readers' "
                "images with this model and calibrate it"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as plain data; an unknown half width is None."""
        curve: dict[str, Any] = (
            {"kind": "logistic", **asdict(self.curve)}
            if isinstance(self.curve, Logistic)
            else {
                "kind": "isotonic",
                "at": self.curve.at.tolist(),
                "value": self.curve.value.tolist(),
            }
        )
        return {
            "schema_version": SCHEMA_VERSION,
            "model": {"name": self.model, "sha256": self.model_sha256},
            "scale": list(self.scale),
            "map": curve,
            "interval": {
                "level": self.level,
                "half_width": self.half_width if math.isfinite(self.half_width) else None,
            },
            "images": self.images,
            "patients": self.patients,
            "folds": self.folds,
            "score_range": list(self.score_range),
            "cross_validated": {name: dict(each) for name, each in self.figures.items()},
            "notes": list(self.notes),
        }

    def write(self, path: Path) -> None:
        """Write the calibration as JSON.

        Raises:
            WriteError: if the file could not be written whole.
        """
        text = json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=2)
        write_whole(path, text.encode() + b"\n")

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read what :meth:`write` wrote.

        Raises:
            ModelError: if the file is missing, damaged or of another version.
        """
        try:
            plain = json.loads(Path(path).read_text("utf-8"))
            version = plain["schema_version"]
            if version == SCHEMA_VERSION:
                return cls._from_dict(plain)
        except OSError as error:
            reason = error.strerror or "it cannot be read"
            raise ModelError(
                f"{path}: {reason}; name a file that 'ctiqa calibrate' wrote"
            ) from error
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelError(
                f"{path} is no calibration, or a damaged one; make it by 'ctiqa calibrate'"
            ) from error
        raise ModelError(
            f"{path} has schema_version {version}, but this ctiqa reads {SCHEMA_VERSION}; "
            "calibrate again"
        )

    @classmethod
    def _from_dict(cls, plain: Mapping[str, Any]) -> Self:
        width = plain["interval"]["half_width"]
        made = cls(
            model=str(plain["model"]["name"]),
            model_sha256=str(plain["model"]["sha256"]),
            scale=_pair(plain["scale"]),
            curve=_curve(plain["map"]),
            half_width=math.inf if width is None else float(width),
            level=float(plain["interval"]["level"]),
            images=int(plain["images"]),
            patients=int(plain["patients"]),
            folds=int(plain["folds"]),
            score_range=_pair(plain["score_range"]),
            figures={str(name): dict(each) for name, each in plain["cross_validated"].items()},
            notes=tuple(map(str, plain["notes"])),
        )
        if not made.half_width >= 0:
            raise ValueError("an interval has a width of at least 0")
        return made


def _pair(values: Any) -> tuple[float, float]:
    low, high = map(float, values)
    if not low < high:
        raise ValueError("a range rises")
    return low, high


def _curve(values: Mapping[str, Any]) -> Curve:
    """Return the map that JSON describes, once it is known to rise."""
    numbers = {name: np.asarray(each, float) for name, each in values.items() if name != "kind"}
    if not all(np.isfinite(each).all() for each in numbers.values()):
        raise ValueError("a map consists of finite numbers")
    if values["kind"] == "isotonic":
        knots = MonotoneMap(**numbers)
        if knots.at.ndim != 1 or knots.at.shape != knots.value.shape or not knots.at.size:
            raise ValueError("a map has as many values as knots")
        if (np.diff(knots.at) <= 0).any() or (np.diff(knots.value) <= 0).any():
            raise ValueError("a map rises")
        return knots
    if values["kind"] != "logistic":
        raise ValueError("a map is logistic or isotonic")
    curve = Logistic(**{name: float(each) for name, each in numbers.items()})
    if curve.high < curve.low or not curve.width > 0:
        raise ValueError("a map rises")
    return curve
