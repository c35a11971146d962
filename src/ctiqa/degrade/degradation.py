"""What every degradation is: drawn, recorded, and then a fixed map of images."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage

__all__ = ["Degradation", "Map"]

Map: TypeAlias = Callable[[FloatImage], FloatImage]
"""Degrades an image in HU, (size, size) float32, of the slice that it was prepared for."""


class Degradation(Protocol):
    """One degradation with its numbers: a frozen dataclass that fits into a row of JSON."""

    def prepare(self, ct_slice: CTSlice, scan: Scan, *, noise_hu: float) -> Map:
        """Return the map for one slice.

        It is one map for several images of the slice (as scanned, with noise added, without any),
        so that a label compares what it does to each of them. What is drawn at random is drawn
        here, by a seed of the degradation's own.

        Args:
            ct_slice: the slice as it was scanned.
            scan: how it was made.
            noise_hu: global noise of the image that is degraded; smoothing is as strong as that.
        """
