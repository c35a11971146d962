"""Map Hounsfield units to display and network range."""

from typing import NamedTuple

import numpy as np

from ctiqa.images.ct_slice import FloatImage

__all__ = ["CHEST", "LUNG", "SOFT_TISSUE", "Window"]


class Window(NamedTuple):
    """A CT window: its width and its level (centre), both in HU.

    >>> Window(width_hu=350, level_hu=40).apply(np.float32([-135, 40, 215, 3000])).tolist()
    [0.0, 0.5, 1.0, 1.0]
    """

    width_hu: float
    level_hu: float

    def apply(self, hu: FloatImage) -> FloatImage:
        """Return ``hu`` mapped linearly to [0, 1] and clipped there; any shape, float32."""
        low = np.float32(self.level_hu - self.width_hu / 2)
        unit = (hu - low) * np.float32(1 / self.width_hu)
        return np.clip(unit, 0, 1, out=unit)


SOFT_TISSUE = Window(width_hu=350, level_hu=40)
LUNG = Window(width_hu=1500, level_hu=-600)
CHEST = Window(width_hu=2000, level_hu=0)
