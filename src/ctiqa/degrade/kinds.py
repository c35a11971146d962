"""Draw a degradation by its kind, and keep it as a record from which it can be replayed."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ctiqa.degrade.blur import Blur
from ctiqa.degrade.degradation import Degradation
from ctiqa.degrade.edge_enhancement import EdgeEnhancement
from ctiqa.degrade.motion import Motion
from ctiqa.degrade.smoothing import SMOOTHERS, Smoothing
from ctiqa.degrade.sparse_views import SparseViews
from ctiqa.degrade.starvation import Starvation
from ctiqa.errors import RecipeError

__all__ = ["KINDS", "Record", "draw", "from_record", "to_record"]

Record: TypeAlias = dict[str, str | int | float]
"""The kind and the numbers of a degradation, as JSON holds them."""

_OTHERS = (Blur, SparseViews, Starvation, Motion, EdgeEnhancement)

_DRAW: Mapping[str, Callable[[np.random.Generator], Degradation]] = {
    **{kind: partial(Smoothing.drawn, kind) for kind in SMOOTHERS},
    **{one.kind: one.drawn for one in _OTHERS},
}
_MAKE: Mapping[str, Callable[..., Degradation]] = {
    **{kind: partial(Smoothing, kind) for kind in SMOOTHERS},
    **{one.kind: one for one in _OTHERS},
}

KINDS = tuple(sorted(_DRAW))
"""The names of all degradations."""


def draw(kind: str, rng: np.random.Generator) -> Degradation:
    """Draw the numbers of a degradation.

    Args:
        kind: one of :data:`KINDS`.
        rng: the same state draws the same numbers.

    Raises:
        RecipeError: if there is no such kind.

    >>> draw("blur", np.random.default_rng(0)) == draw("blur", np.random.default_rng(0))
    True
    """
    return _of(kind, _DRAW)(rng)


def to_record(degradation: Degradation) -> Record:
    """Return its kind and its numbers.

    >>> to_record(Blur(0.5))
    {'kind': 'blur', 'sigma_mm': 0.5}
    """
    numbers: dict[str, Any] = asdict(degradation)  # type: ignore[call-overload]
    return {"kind": degradation.kind, **numbers}


def from_record(record: Mapping[str, Any]) -> Degradation:
    """Return the degradation that was recorded.

    Raises:
        RecipeError: if the record names no kind, or numbers that this kind does not have.

    >>> from_record({"kind": "blur", "sigma_mm": 0.5})
    Blur(sigma_mm=0.5)
    """
    numbers = dict(record)
    make = _of(numbers.pop("kind", None), _MAKE)
    try:
        return make(**numbers)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"the record {dict(record)} describes no degradation ({error}); draw it anew"
        ) from error


def _of(kind: Any, table: Mapping[str, Callable[..., Degradation]]) -> Callable[..., Degradation]:
    if not isinstance(kind, str) or kind not in table:
        raise RecipeError(f"a degradation is one of {', '.join(KINDS)}, not {kind!r}")
    return table[kind]
