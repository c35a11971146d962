"""All degradations by name: draw one, write it down, read it back."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from ctiqa.degrade.blur import Blur
from ctiqa.degrade.degradation import Degradation
from ctiqa.degrade.kernel import EdgeEnhancement
from ctiqa.degrade.rays import Motion, SparseViews, Starvation
from ctiqa.degrade.smoothing import DENOISERS, Smoothing

__all__ = ["KINDS", "draw", "from_record", "to_record"]

_DRAWN: Mapping[str, Callable[[np.random.Generator], Degradation]] = {
    "blur": Blur.draw,
    "edge_enhancement": EdgeEnhancement.draw,
    "sparse_views": SparseViews.draw,
    "starvation": Starvation.draw,
    "motion": Motion.draw,
    **{name: partial(Smoothing.draw, name) for name in DENOISERS},
}
_MADE: Mapping[str, Callable[..., Degradation]] = {
    "blur": Blur,
    "edge_enhancement": EdgeEnhancement,
    "sparse_views": SparseViews,
    "starvation": Starvation,
    "motion": Motion,
    **dict.fromkeys(DENOISERS, Smoothing),
}

KINDS = tuple(_DRAWN)
"""Names of all degradations; those of denoisers are their own."""


def draw(kind: str, rng: np.random.Generator) -> Degradation:
    """Draw one of :data:`KINDS`; the same state of ``rng`` gives the same."""
    return _DRAWN[kind](rng)


def to_record(kind: str, degradation: Degradation) -> dict[str, Any]:
    """Return a degradation as plain data, its kind first."""
    return {"kind": kind, **asdict(degradation)}  # type: ignore[call-overload] # a dataclass each


def from_record(record: Mapping[str, Any]) -> Degradation:
    """Return the degradation that :func:`to_record` wrote down, JSON in between or not."""
    values = {name: _tuples(value) for name, value in record.items() if name != "kind"}
    return _MADE[record["kind"]](**values)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
