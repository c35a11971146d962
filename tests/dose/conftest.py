"""Phantoms of water, drawn at a size that a test can afford."""

from collections.abc import Callable

import numpy as np
import pytest

from ctiqa.dose.simulate import Scan, noise_parts
from ctiqa.images.ct_slice import CTSlice, Identity

DrawWater = Callable[..., CTSlice]
Scanned = Callable[..., CTSlice]


@pytest.fixture
def draw_water() -> DrawWater:
    """Return a drawer of water ellipses in air, centred, their edges anti-aliased."""

    def draw(
        *, radius_mm: tuple[float, float] = (100, 100), size: int = 256, pixel_mm: float = 1.4
    ) -> CTSlice:
        across, down = radius_mm
        line = ((np.arange(4 * size) + 0.5) / 4 - size / 2) * pixel_mm
        inside = (line[:, None] / down) ** 2 + (line[None, :] / across) ** 2 < 1
        share = inside.reshape(size, 4, size, 4).mean(axis=(1, 3))
        hu = (1000 * share - 1000).astype(np.float32)
        return CTSlice(hu=hu, pixel_mm=pixel_mm, identity=Identity("water"))

    return draw


@pytest.fixture
def scanned() -> Scanned:
    """Return a scanner: the slice with all the noise that its quanta give it."""

    def scan_it(truth: CTSlice, scan: Scan, *, seed: int = 0) -> CTSlice:
        rng = np.random.default_rng(seed)
        quantum, read_out = noise_parts(truth, scan=scan, rng=rng, quantum=1, electronic=1)
        return truth.with_hu(truth.hu + quantum + read_out)

    return scan_it
