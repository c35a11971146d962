"""Paint ellipses in Hounsfield units, their edge pixels sampled by area."""

from dataclasses import dataclass

import numpy as np

from ctiqa.images.ct_slice import AIR_HU, FloatImage

__all__ = ["Canvas"]


@dataclass(frozen=True, slots=True)
class Canvas:
    """A slice in the making; positions are mm from its centre, to the right and down.

    Args:
        hu: (size, size) in HU.
        pixel_mm: side of the pixel in mm.
    """

    hu: FloatImage
    pixel_mm: float

    @classmethod
    def of_air(cls, size: int, pixel_mm: float) -> "Canvas":
        """Return a square canvas of air."""
        return cls(np.full((size, size), AIR_HU, np.float32), pixel_mm)

    def ellipse(
        self,
        hu: float,
        centre: tuple[float, float],
        radii: tuple[float, float],
        turn: float = 0.0,
    ) -> None:
        """Paint an ellipse; an edge pixel takes the share of it that it covers.

        Args:
            hu: what it is filled with.
            centre: (right, down) in mm.
            radii: half axes in mm.
            turn: angle of the first half axis in radians, from right towards down.
        """
        rows, columns = self._span(centre[1], max(radii)), self._span(centre[0], max(radii))
        x = self._positions(columns) - centre[0]
        y = (self._positions(rows) - centre[1])[:, None]
        along = (x * np.cos(turn) + y * np.sin(turn)) / radii[0]
        across = (y * np.cos(turn) - x * np.sin(turn)) / radii[1]
        reach = np.hypot(along, across)
        # Distance to the edge to first order: (1 - f) over the gradient of f.
        gradient = np.hypot(along / radii[0], across / radii[1]) / np.maximum(reach, 1e-9)
        distance = (1 - reach) / np.maximum(gradient, 1e-9)
        cover = np.clip(0.5 + distance / self.pixel_mm, 0, 1).astype(np.float32)
        part = self.hu[rows, columns]
        part += cover * (np.float32(hu) - part)

    def _positions(self, span: slice) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return (np.arange(span.start, span.stop) - (len(self.hu) - 1) / 2) * self.pixel_mm

    def _span(self, position_mm: float, reach_mm: float) -> slice:
        middle = position_mm / self.pixel_mm + (len(self.hu) - 1) / 2
        reach = reach_mm / self.pixel_mm + 2
        low, high = (
            min(max(int(end), 0), len(self.hu)) for end in (middle - reach, middle + reach + 1)
        )
        return slice(low, high)
