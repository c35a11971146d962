"""Phantoms and noise that degradations are tried on, small enough for a test."""

import numpy as np
import pytest

from ctiqa.images.ct_slice import CTSlice, Identity
from ctiqa.images.phantom import abdomen_slice, ct_noise

PIXEL_MM = 1.5
NOISE_HU = 12.0


@pytest.fixture(scope="session")
def abdomen() -> CTSlice:
    """Return a synthetic abdomen with 12 HU of noise, its corners outside the field of view."""
    drawn = abdomen_slice(level=0.4, pixel_mm=PIXEL_MM, size=256)
    rng = np.random.default_rng(0)
    noise = ct_noise(sd_hu=NOISE_HU, rng=rng, pixel_mm=PIXEL_MM, size=256)
    line = np.arange(256) - 127.5
    padding = np.hypot(line[:, None], line[None, :]) > 128
    hu = np.where(padding, np.float32(-1000), drawn.hu + noise)
    return CTSlice(hu, PIXEL_MM, Identity("abdomen"), padding=padding)


@pytest.fixture
def white() -> CTSlice:
    """Return white noise of 20 HU, pixels of 0.8 mm."""
    hu = 20 * np.random.default_rng(1).standard_normal((192, 192), dtype=np.float32)
    return CTSlice(hu, 0.8, Identity("white"))
