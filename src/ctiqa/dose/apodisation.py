"""The window on the ramp filter, by name or fitted to a series' own noise spectrum."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.images.ct_slice import FloatImage, Mask

__all__ = ["HANN", "RAM_LAK", "SHEPP_LOGAN", "Apodisation", "fit_apodisation"]

Frequencies: TypeAlias = npt.NDArray[np.float64]

_PATCH_PX = 24
_FEWEST_PATCHES = 12


@dataclass(frozen=True, slots=True)
class Apodisation:
    """The window W(f) on the ramp filter, f in cycles per pixel, at most 0.5.

    log W = slope f^2 + bend f^4, so that two numbers describe smooth kernels (falling), the plain
    ramp (both zero) and edge-enhancing kernels (rising first).

    Args:
        name: how it is called.
        slope: coefficient of f squared.
        bend: coefficient of f to the fourth.

    >>> RAM_LAK(np.array([0.0, 0.25, 0.5])).tolist()
    [1.0, 1.0, 1.0]
    >>> HANN(np.array([0.0, 0.25])).round(3).tolist()
    [1.0, 0.5]
    """

    name: str
    slope: float = 0.0
    bend: float = 0.0

    def __call__(self, frequency: Frequencies) -> Frequencies:
        """Return W at ``frequency``."""
        match self.name:
            case "hann":
                return 0.5 * (1 + np.cos(2 * np.pi * frequency))
            case "shepp-logan":
                return np.sinc(frequency)
            case _:
                square = frequency * frequency
                return np.exp(self.slope * square + self.bend * square * square)


RAM_LAK = Apodisation("ram-lak")
SHEPP_LOGAN = Apodisation("shepp-logan")
HANN = Apodisation("hann")


def fit_apodisation(slices: Iterable[tuple[FloatImage, Mask]]) -> Apodisation:
    """Fit the window to the noise that a series itself shows.

    White noise in the projections becomes, in the slice, a noise power spectrum proportional to
    f W(f)^2, so W^2 is the measured spectrum over f. Patches of flat tissue give the spectrum; the
    median over patches keeps vessels out, and frequencies under 0.1 per pixel, where anatomy lives,
    do not count.

    Args:
        slices: pairs of a slice in HU and its soft-tissue mask (``measures.soft_tissue``).

    Returns:
        The fitted window; Hann where the series shows fewer than 12 patches of flat tissue, or no
        noise there.
    """
    spectra = [spectrum for hu, tissue in slices for spectrum in _patch_spectra(hu, tissue)]
    if len(spectra) < _FEWEST_PATCHES:
        return HANN
    spectrum = np.median(np.stack(spectra), axis=0)
    row = np.fft.fftfreq(_PATCH_PX)
    radius = np.hypot(row[:, None], row[None, :])
    used = (radius > 0.1) & (radius < 0.46)
    if not spectrum[used].all():  # drawn, not scanned: it has no noise
        return HANN
    f, log_ratio = radius[used], np.log(spectrum[used] / radius[used])
    design = np.stack([np.ones_like(f), 2 * f**2, 2 * f**4], axis=1)
    _, slope, bend = np.linalg.lstsq(design, log_ratio, rcond=None)[0]
    return Apodisation("fitted", float(slope), float(bend))


def _patch_spectra(hu: FloatImage, tissue: Mask) -> list[npt.NDArray[np.float64]]:
    taper = np.outer(window := np.hanning(_PATCH_PX + 2)[1:-1], window)
    spectra = []
    for row in range(0, hu.shape[0] - _PATCH_PX + 1, _PATCH_PX // 2):
        for column in range(0, hu.shape[1] - _PATCH_PX + 1, _PATCH_PX // 2):
            box = (slice(row, row + _PATCH_PX), slice(column, column + _PATCH_PX))
            if tissue[box].mean() < 0.75:
                continue
            patch = hu[box] - hu[box].mean()
            spectra.append(np.abs(np.fft.fft2(patch * taper)) ** 2)
    return spectra
