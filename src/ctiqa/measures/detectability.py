"""Detectability index d' of a named task: how clearly a disc of known contrast stands out."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from ctiqa.measures.spectrum import NoiseSpectrum, Numbers

__all__ = ["TASKS", "Task", "detectability"]

_STEPS = 2000


@dataclass(frozen=True, slots=True)
class Task:
    """A disc to be found on a uniform background whose place is known.

    Args:
        name: what a column of results is called after.
        diameter_mm: of the disc.
        contrast_hu: between disc and background.
    """

    name: str
    diameter_mm: float
    contrast_hu: float

    def transform(self, frequency_per_mm: Numbers) -> Numbers:
        """Return the Fourier transform of the disc in HU mm^2, at a distance from the origin.

        >>> task = Task("disc", diameter_mm=10, contrast_hu=20)
        >>> bool(np.isclose(task.transform(np.zeros(1))[0], 20 * np.pi * 5**2))
        True
        """
        reach = np.pi * self.diameter_mm * frequency_per_mm
        area = np.pi * self.diameter_mm**2 / 4
        shape = np.ones_like(reach)
        np.divide(2 * special.j1(reach), reach, out=shape, where=reach > 0)
        return self.contrast_hu * area * shape


TASKS = (
    Task("10mm_20hu", diameter_mm=10, contrast_hu=20),
    Task("5mm_100hu", diameter_mm=5, contrast_hu=100),
)
"""A soft lesion in the liver, a nodule in the lung."""


def detectability(task: Task, spectrum: NoiseSpectrum, *, blur_sigma_mm: float) -> float:
    """Return d' of the non-prewhitening observer for a disc (docs/physics.md, equation 12).

    Args:
        task: which disc.
        spectrum: of the noise; its radial mean is used, held constant below its first ring.
        blur_sigma_mm: the task transfer function is that of a Gaussian blur of this sigma.

    Returns:
        d', dimensionless: 1 is barely seen, 5 is obvious; NaN without noise or without a blur.
    """
    f, step = np.linspace(0, spectrum.frequency_per_mm[-1], _STEPS, retstep=True)
    transfer = np.exp(-2 * (np.pi * blur_sigma_mm * f) ** 2)
    seen = (task.transform(f) * transfer) ** 2
    noise = np.interp(f, spectrum.frequency_per_mm, spectrum.noise)
    ring = 2 * np.pi * f * step
    signal, variance = float(ring @ seen), float(ring @ (seen * noise))
    return signal / float(np.sqrt(variance)) if variance > 0 else float("nan")
