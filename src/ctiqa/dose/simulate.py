"""Lower the dose of a slice or a series."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ctiqa.dose.apodisation import HANN, Apodisation, fit_apodisation
from ctiqa.dose.projection import ParallelBeam
from ctiqa.dose.quanta import (
    ELECTRONIC,
    FALLBACK_QUANTA,
    added_log_variance,
    log_variance,
    quanta_of_slice,
    smooth_along_table,
)
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.measures.global_noise import soft_tissue

__all__ = [
    "Scan",
    "Slices",
    "added_noise",
    "calibrate",
    "lower_dose",
    "noise_parts",
    "noise_scale",
]

_SLICES_FOR_SPECTRUM = 16
_GAUSSIAN_COUNTS = 20


@dataclass(frozen=True, slots=True)
class Scan:
    """How a slice was made, as far as its noise depends on it.

    Args:
        quanta: photons per unattenuated ray at the dose of the slice.
        apodisation: the window on the ramp filter.
        electronic: variance of the electronic noise in quanta squared.
    """

    quanta: float = FALLBACK_QUANTA
    apodisation: Apodisation = HANN
    electronic: float = ELECTRONIC


class Slices(Protocol):
    """The slices of one series in table order: a list, or a reader that decodes one at a time."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> CTSlice: ...

    def __iter__(self) -> Iterator[CTSlice]: ...


def calibrate(
    slices: Slices, *, seed: int = 0, electronic: float = ELECTRONIC, threads: int = 1
) -> list[Scan]:
    """Return how each slice of one series was made, read off the series itself.

    Args:
        slices: the slices of one series in table order; a lazy sequence is read twice, slice by
            slice.
        seed: makes the calibration repeatable.
        electronic: variance of the electronic noise in quanta squared.
        threads: slices at work at once; the result does not depend on it.
    """
    spread = np.unique(np.linspace(0, len(slices) - 1, _SLICES_FOR_SPECTRUM).round().astype(int))
    sample = (slices[int(index)].hu for index in spread)
    apodisation = fit_apodisation((hu, soft_tissue(hu)) for hu in sample)

    def measured(index: int) -> tuple[float, float]:
        ct_slice = slices[index]
        quanta = quanta_of_slice(
            ct_slice.hu,
            pixel_mm=ct_slice.pixel_mm,
            apodisation=apodisation,
            rng=np.random.default_rng([seed, index]),
            electronic=electronic,
        )
        return quanta, 5.0 * index if ct_slice.z_mm is None else ct_slice.z_mm

    with ThreadPoolExecutor(threads) as pool:
        quanta, z_mm = zip(*pool.map(measured, range(len(slices))), strict=True)
    return [
        Scan(quanta=float(value), apodisation=apodisation, electronic=electronic)
        for value in smooth_along_table(quanta, z_mm)
    ]


def lower_dose(
    ct_slice: CTSlice, *, dose_fraction: float, scan: Scan, rng: np.random.Generator
) -> CTSlice:
    """Return the slice as it would look at a fraction of its dose.

    Only noise is added, as a filtered back-projected field; the slice itself is not reconstructed
    again, so nothing of its resolution is lost and a fraction of 1 returns it bit for bit.

    Args:
        ct_slice: a square slice.
        dose_fraction: new dose over old, in (0, 1].
        scan: how the slice was made (:func:`calibrate`).
        rng: draws the noise; the same state gives the same slice.

    Raises:
        ValueError: if ``dose_fraction`` is outside (0, 1].
    """
    if dose_fraction == 1:
        return ct_slice
    noise = added_noise(ct_slice, dose_fraction=dose_fraction, scan=scan, rng=rng)
    return ct_slice.with_hu(ct_slice.hu + noise)


def added_noise(
    ct_slice: CTSlice,
    *,
    dose_fraction: float,
    scan: Scan,
    rng: np.random.Generator,
    rays: FloatImage | None = None,
) -> FloatImage:
    """Return the noise in HU that lowering the dose adds; zero where the slice is padding.

    Takes what :func:`lower_dose` takes, and ``rays``, the slice's line integrals, where they are
    known already.
    """
    if not 0 < dose_fraction <= 1:
        raise ValueError(f"a dose fraction lies in (0, 1], not at {dose_fraction}")
    beam = ParallelBeam.of_size(ct_slice.hu.shape[0])
    if rays is None:
        rays = beam.line_integrals(ct_slice.hu, pixel_mm=ct_slice.pixel_mm)
    variance = added_log_variance(
        rays, dose_fraction=dose_fraction, quanta=scan.quanta, electronic=scan.electronic
    )
    noise = np.sqrt(variance) * rng.standard_normal(rays.shape, dtype=np.float32)
    starved = rays > np.log(scan.quanta * dose_fraction / _GAUSSIAN_COUNTS)
    if starved.any():
        noise[starved] = _counted_noise(rays[starved], variance[starved], dose_fraction, scan, rng)
    return _in_slice(beam, noise, ct_slice, scan)


def noise_parts(
    ct_slice: CTSlice, *, scan: Scan, rng: np.random.Generator, quantum: int, electronic: int
) -> FloatImage:
    """Return fields of the noise that the slice itself carries, quantum and electronic apart.

    All the noise at dose D is q / sqrt(D) + e / D, the noise that lowering the dose to D adds is
    q sqrt(1/D - 1) + e sqrt(1/D^2 - 1), each with independent fields q and e (docs/physics.md,
    equations 1 and 2): two fields serve every dose.

    Args:
        ct_slice: a square slice.
        scan: how it was made.
        rng: draws the noise.
        quantum: how many fields of quantum noise.
        electronic: how many fields of electronic noise.

    Returns:
        (quantum + electronic, size, size) float32 in HU; zero where the slice is padding.
    """
    beam = ParallelBeam.of_size(ct_slice.hu.shape[0])
    rays = beam.line_integrals(ct_slice.hu, pixel_mm=ct_slice.pixel_mm)
    counted = np.exp(rays / 2) * np.float32(scan.quanta**-0.5)
    read_out = counted * counted * np.float32(scan.electronic**0.5)
    return np.stack(
        [
            _in_slice(beam, sd * rng.standard_normal(sd.shape, dtype=np.float32), ct_slice, scan)
            for sd in [counted] * quantum + [read_out] * electronic
        ]
    )


def noise_scale(dose_fraction: float, *, lowest: float) -> float:
    """Return by what one field made for the ``lowest`` dose is scaled to stand for another.

    The paper's variant: its degraded images of a slice share one noise pattern. Quantum noise
    only (docs/physics.md, equation 3).

    >>> [round(noise_scale(dose, lowest=0.25), 4) for dose in (0.25, 0.5, 0.75, 1)]
    [1.0, 0.5774, 0.3333, 0.0]
    """
    return float(np.sqrt((1 / dose_fraction - 1) / (1 / lowest - 1)))


def _counted_noise(
    rays: FloatImage,
    added_variance: FloatImage,
    dose_fraction: float,
    scan: Scan,
    rng: np.random.Generator,
) -> FloatImage:
    """Return log noise from real counts, where too few are left for a Gaussian to be true."""
    expected = scan.quanta * dose_fraction * np.exp(-rays.astype(np.float64))
    read_out = np.sqrt(scan.electronic) * rng.standard_normal(rays.size)
    counts = np.maximum(rng.poisson(expected) + read_out, 1)
    total = log_variance(rays, quanta=scan.quanta * dose_fraction, electronic=scan.electronic)
    return np.asarray(-np.log(counts / expected) * np.sqrt(added_variance / total), np.float32)


def _in_slice(beam: ParallelBeam, noise: FloatImage, ct_slice: CTSlice, scan: Scan) -> FloatImage:
    field = beam.noise_field(noise, pixel_mm=ct_slice.pixel_mm, apodisation=scan.apodisation)
    if ct_slice.padding is not None:
        field[ct_slice.padding] = 0
    return field
