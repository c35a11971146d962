"""What every degradation is: numbers that were drawn, and a fixed map of images once prepared."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from ctiqa.dose.apodisation import RAM_LAK
from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage

__all__ = ["Degradation", "Operator", "added", "in_slice", "log_uniform", "within"]

Operator: TypeAlias = Callable[[FloatImage], FloatImage]
"""A fixed map from an image in HU to one of the same shape; it draws nothing and changes nothing
in place, so that several images of one slice suffer the same."""


class Degradation(Protocol):
    """A frozen dataclass of plain numbers; equal numbers degrade in equal bytes."""

    @property
    def kind(self) -> str:
        """What it is called in recipes, records and tables."""
        ...

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Operator:
        """Return what it does to images of one slice.

        Args:
            ct_slice: a square slice as it looks at the dose at hand.
            scan: how it was made, ``quanta`` at the dose at hand.
            noise_hu: noise of the slice at the dose at hand, in HU; above 0.
        """
        ...


def within(ct_slice: CTSlice, operator: Operator) -> Operator:
    """Return ``operator`` kept to what the scanner reconstructed; padding stays as it is."""
    padding = ct_slice.padding
    if padding is None:
        return operator
    return lambda image: np.where(padding, image, operator(image))


def added(ct_slice: CTSlice, field: FloatImage) -> Operator:
    """Return the operator that adds ``field`` in HU wherever the scanner reconstructed."""
    if ct_slice.padding is not None:
        field = np.where(ct_slice.padding, np.float32(0), field)
    return lambda image: image + field


def in_slice(beam: ParallelBeam, change: FloatImage) -> FloatImage:
    """Return what a change of the slice's own rays becomes in the slice, per pixel.

    The ramp has no window: the slice carries its scan's window already, and so do its rays. The
    detector is not padded: what wraps round of an object is its mass seen from afar, the same in
    every view, and a change that holds no mass has none to wrap (docs/physics.md, section 8).

    Args:
        beam: the beam.
        change: (views, channels), changed rays less unchanged ones, in pixels times HU.

    Returns:
        (size, size) float32 in HU.
    """
    return beam.reconstruct(change, apodisation=RAM_LAK)


def log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Draw between two limits above 0, each factor as likely as any other."""
    low, high = np.log(limits)
    return float(np.exp(rng.uniform(low, high)))
