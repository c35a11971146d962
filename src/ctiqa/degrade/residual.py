"""Find how strong a filter must be to take a wanted amount out of a slice."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from ctiqa.degrade.blur import Blur
from ctiqa.degrade.degradation import Degradation
from ctiqa.degrade.smoothing import Smoothing
from ctiqa.dose.simulate import Scan
from ctiqa.errors import RecipeError
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.body import body_mask

__all__ = ["FILTERS", "filter_for_residual", "residual_sd_hu"]

_STRENGTHS: Mapping[str, tuple[float, float]] = {
    "blur": (0.02, 20.0),
    "total_variation": (0.01, 100.0),
    "bilateral": (0.05, 300.0),
    "non_local_means": (0.05, 100.0),
    "wavelet": (0.01, 100.0),
    "median": (0.01, 8.0),
}
_STEPS = 16
_CLOSE = 0.02

FILTERS = tuple(_STRENGTHS)
"""The kinds that can be set to a residual: the blur and every denoiser."""


def residual_sd_hu(degradation: Degradation, ct_slice: CTSlice, *, noise_hu: float) -> float:
    """Return the standard deviation of what a filter takes out of the body, in HU."""
    filtered = degradation.prepare(ct_slice, Scan(), noise_hu=noise_hu)(ct_slice.hu)
    return float(np.std((filtered - ct_slice.hu)[body_mask(ct_slice.hu)]))


def filter_for_residual(
    kind: str, ct_slice: CTSlice, *, noise_hu: float, residual_hu: float
) -> Degradation | None:
    """Return the filter that takes out a wanted standard deviation, so that kinds compare.

    Halves the range of strengths, as a filter takes out more the stronger it is, and stops within
    2 % of the wanted residual.

    Args:
        kind: one of :data:`FILTERS`.
        ct_slice: a slice with a body.
        noise_hu: its noise, in HU.
        residual_hu: the wanted standard deviation of filtered less original, in HU; above 0.

    Returns:
        The filter; None where this kind cannot take out so much or so little.

    Raises:
        RecipeError: if the strength of this kind cannot be set so.
    """
    if kind not in _STRENGTHS:
        raise RecipeError(f"a residual is set for one of {', '.join(FILTERS)}, not for {kind!r}")
    make: Callable[[float], Degradation] = Blur if kind == "blur" else partial(Smoothing, kind)
    weakest, strongest = np.log(_STRENGTHS[kind])
    for _ in range(_STEPS):
        middle = (weakest + strongest) / 2
        found = make(float(np.exp(middle)))
        excess = residual_sd_hu(found, ct_slice, noise_hu=noise_hu) / residual_hu - 1
        if abs(excess) < _CLOSE:
            return found
        weakest, strongest = (weakest, middle) if excess > 0 else (middle, strongest)
    return None
