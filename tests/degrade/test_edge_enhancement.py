"""A sharper kernel amplifies what it says it amplifies."""

import numpy as np
import pytest

from ctiqa.degrade.edge_enhancement import EdgeEnhancement
from ctiqa.dose.simulate import Scan
from ctiqa.images.ct_slice import CTSlice, FloatImage, Identity

MIDDLE = (slice(48, -48), slice(48, -48))


def sharpened(hu: FloatImage, gain: float, peak_per_mm: float) -> FloatImage:
    ct_slice = CTSlice(hu, 0.8, Identity("wave"))
    return EdgeEnhancement(gain, peak_per_mm).prepare(ct_slice, Scan(), noise_hu=10)(hu)


@pytest.mark.parametrize("gain", [1.3, 2.5])
@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_a_wave_at_the_peak_grows_by_the_gain_in_any_direction(gain: float, angle: float) -> None:
    row, column = np.indices((256, 256)) * 0.8
    phase = 2 * np.pi * 0.3 * (np.cos(angle) * column + np.sin(angle) * row)
    wave = (50 * np.sin(phase)).astype(np.float32)
    grown = sharpened(wave, gain, 0.3)[MIDDLE]
    assert grown == pytest.approx(gain * wave[MIDDLE], abs=1.5)


def test_flat_tissue_keeps_its_value() -> None:
    flat = np.full((128, 128), 40, np.float32)
    assert sharpened(flat, 2.5, 0.3) == pytest.approx(flat, abs=1e-3)


def test_an_edge_overshoots_the_more_the_higher_the_gain() -> None:
    edge = np.full((128, 128), -1000, np.float32)
    edge[:, 64:] = 0
    tops = [sharpened(edge, gain, 0.3)[64].max() for gain in (1.0, 1.5, 2.5)]
    assert tops[0] == pytest.approx(0, abs=1)
    assert tops[0] + 20 < tops[1] < tops[2] - 20


def test_noise_grows(white: CTSlice) -> None:
    assert sharpened(white.hu, 2.0, 0.4).std() > 1.2 * white.hu.std()
