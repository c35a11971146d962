"""Change a slice in every way of which it is known what a score must do, and score it each time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TypeAlias

import numpy as np

from ctiqa.degrade.blur import Blur
from ctiqa.degrade.degradation import Degradation
from ctiqa.degrade.residual import filter_for_residual
from ctiqa.degrade.sparse_views import SparseViews
from ctiqa.dose.simulate import Scan, lower_dose
from ctiqa.images.ct_slice import AIR_HU, CTSlice, FloatImage
from ctiqa.measures.body import body_mask
from ctiqa.measures.global_noise import global_noise_hu

__all__ = ["Score", "Tried", "denoisers", "tried"]

Score: TypeAlias = Callable[[FloatImage], float]
"""Scores one slice, (size, size) float32 in HU, not clipped."""

DOSES = (1.0, 0.75, 0.5, 0.25, 0.1)
MORE_NOISE = (0.05, 0.1, 0.2)
BLURS_MM = (0.35, 0.7, 1.05, 1.4)
BLURS_PX = (0.5, 1.0)
VIEWS = (180, 120, 60)
DENOISERS = ("total_variation", "bilateral", "non_local_means", "wavelet")
RESIDUALS_HU = (2.0, 4.0, 8.0, 16.0, 32.0)
LOW_DOSE = 0.25
SEEDS = 10
AVERAGED = (2, 4)
SHIFT_PX = 8
OFFSET_HU = 10.0

_MIDDLE = 192
"""Side of the square in which the strength of a denoiser is found."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Scores of one slice after everything that was tried.

    Args:
        whole: the slice as it is.
        doses: by dose fraction.
        more_noise: by the share by which its noise was raised.
        blurs_mm: by the standard deviation of a Gaussian in mm.
        blurs_px: the same in pixels.
        views: by how many views were left.
        filtered: by denoiser, for each of :data:`RESIDUALS_HU` that it can take away at full dose.
        filtered_low: the same at :data:`LOW_DOSE`.
        reseeded: at half the dose, each with noise of its own.
        averaged: pairs: the mean of some images at low dose, and one image at the dose that has as
            much noise.
        air: with everything outside the body at -1000 HU.
        turned: in the other seven orientations.
        shifted: by 8 pixels each way.
        offset: with 10 HU more and less.
    """

    whole: float
    doses: Mapping[float, float]
    more_noise: Mapping[float, float]
    blurs_mm: Mapping[float, float]
    blurs_px: Mapping[float, float]
    views: Mapping[int, float]
    filtered: Mapping[str, tuple[float, ...]]
    filtered_low: Mapping[str, tuple[float, ...]]
    reseeded: tuple[float, ...]
    averaged: tuple[tuple[float, float], ...]
    air: float
    turned: tuple[float, ...]
    shifted: tuple[float, ...]
    offset: tuple[float, ...]


def denoisers() -> tuple[str, ...]:
    """Return the denoisers that can be tried here: some need scikit-image."""
    return DENOISERS if find_spec("skimage") is not None else ("wavelet",)


def tried(
    ct_slice: CTSlice, scan: Scan, score: Score, *, seed: int, smoothing: tuple[str, ...]
) -> Tried:
    """Score a slice after everything that is tried.

    Args:
        ct_slice: as it was scanned.
        scan: how it was made.
        score: the model.
        seed: of all noise.
        smoothing: denoisers to try.
    """
    trial = _Trial(ct_slice, scan, score, seed)
    low = trial.at_dose(LOW_DOSE)
    pixel_mm = ct_slice.pixel_mm
    return Tried(
        whole=score(ct_slice.hu),
        doses={dose: score(trial.at_dose(dose)) for dose in DOSES},
        # The noise grows by a share where the dose falls by its square.
        more_noise={share: score(trial.at_dose((1 + share) ** -2)) for share in MORE_NOISE},
        blurs_mm={mm: trial.degraded(Blur(mm)) for mm in BLURS_MM},
        blurs_px={px: trial.degraded(Blur(px * pixel_mm)) for px in BLURS_PX},
        views={views: trial.degraded(SparseViews(views)) for views in VIEWS},
        filtered={name: trial.filtered(name, ct_slice.hu) for name in smoothing},
        filtered_low={name: trial.filtered(name, low) for name in smoothing},
        reseeded=tuple(score(trial.at_dose(0.5, again)) for again in range(SEEDS)),
        averaged=tuple(trial.averaged(count) for count in AVERAGED),
        air=score(np.where(body_mask(ct_slice.hu), ct_slice.hu, np.float32(AIR_HU))),
        turned=tuple(score(_turned(ct_slice.hu, turn)) for turn in range(1, 8)),
        shifted=tuple(
            score(_shifted(ct_slice.hu, *way)) for way in ((0, 1), (1, 0), (0, -1), (-1, 0))
        ),
        offset=tuple(score(ct_slice.hu + np.float32(hu)) for hu in (OFFSET_HU, -OFFSET_HU)),
    )


@dataclass(frozen=True)
class _Trial:
    """A slice with what is needed to change it."""

    ct_slice: CTSlice
    scan: Scan
    score: Score
    seed: int
    noise_hu: float = field(init=False)

    def __post_init__(self) -> None:
        measured = global_noise_hu(self.ct_slice.hu)
        object.__setattr__(self, "noise_hu", measured if np.isfinite(measured) else 10.0)

    def at_dose(self, dose: float, again: int = 0) -> FloatImage:
        rng = np.random.default_rng([self.seed, again, round(1e6 * dose)])
        return lower_dose(self.ct_slice, dose_fraction=dose, scan=self.scan, rng=rng).hu

    def degraded(self, degradation: Degradation) -> float:
        degrade = degradation.prepare(self.ct_slice, self.scan, noise_hu=self.noise_hu)
        return self.score(degrade(self.ct_slice.hu))

    def filtered(self, denoiser: str, hu: FloatImage) -> tuple[float, ...]:
        first = max((len(hu) - _MIDDLE) // 2, 0)
        middle = hu[first : first + _MIDDLE, first : first + _MIDDLE]
        noise_hu = global_noise_hu(hu)
        noise_hu = noise_hu if np.isfinite(noise_hu) else self.noise_hu
        part = CTSlice(middle, self.ct_slice.pixel_mm, self.ct_slice.identity)
        found = (
            filter_for_residual(denoiser, part, noise_hu=noise_hu, residual_hu=sd_hu)
            for sd_hu in RESIDUALS_HU
        )
        whole = self.ct_slice.with_hu(hu)
        return tuple(
            self.score(each.prepare(whole, self.scan, noise_hu=noise_hu)(hu))
            for each in found
            if each is not None  # no strength of this one takes away so much, or so little
        )

    def averaged(self, count: int) -> tuple[float, float]:
        images = [self.at_dose(LOW_DOSE, 100 + again) for again in range(count)]
        mean = np.asarray(np.mean(images, axis=0), np.float32)
        # The slice's own noise is common to all: 1/D' = 1 + (1/D - 1)/k (METHOD 4, M6).
        dose = 1 / (1 + (1 / LOW_DOSE - 1) / count)
        return self.score(mean), self.score(self.at_dose(dose, 200))


def _turned(hu: FloatImage, turn: int) -> FloatImage:
    image = np.rot90(hu, turn % 4)
    return np.ascontiguousarray(np.fliplr(image) if turn >= 4 else image)


def _shifted(hu: FloatImage, down: int, right: int) -> FloatImage:
    side = len(hu)
    image = np.full_like(hu, AIR_HU)
    rows, columns = (
        (max(step * SHIFT_PX, 0), side + min(step * SHIFT_PX, 0)) for step in (down, right)
    )
    image[rows[0] : rows[1], columns[0] : columns[1]] = hu[
        side - rows[1] : side - rows[0], side - columns[1] : side - columns[0]
    ]
    return image
