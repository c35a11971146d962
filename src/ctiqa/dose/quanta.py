"""Variance of the log signal, and the quanta a scan was made with."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ctiqa.dose.apodisation import Apodisation
from ctiqa.dose.projection import ParallelBeam
from ctiqa.images.ct_slice import FloatImage
from ctiqa.measures.global_noise import modal_sd, soft_tissue

__all__ = [
    "ELECTRONIC",
    "FALLBACK_QUANTA",
    "added_log_variance",
    "log_variance",
    "quanta_of_slice",
    "smooth_along_table",
]

ELECTRONIC = 10.0
"""Variance of the electronic noise in quanta squared: a modern integrated detector."""

FALLBACK_QUANTA = 3e5
"""Photons per unattenuated ray of a routine chest scan, where the slice cannot tell."""

_TRIAL_QUANTA = 1e6

_PLAUSIBLE_QUANTA = (1e4, 5e6)


def log_variance(
    line_integral: FloatImage, *, quanta: float, electronic: float = ELECTRONIC
) -> FloatImage:
    """Return the variance of the log signal of each ray (docs/physics.md, equation 1).

    Args:
        line_integral: attenuation along each ray, dimensionless.
        quanta: photons per unattenuated ray.
        electronic: variance of the electronic noise in quanta squared.

    >>> round(log_variance(np.float32([0.0]), quanta=1e5, electronic=0).item() * 1e5, 6)
    1.0
    """
    inverse_count = np.exp(line_integral) * np.float32(1 / quanta)
    return inverse_count * (1 + np.float32(electronic) * inverse_count)


def added_log_variance(
    line_integral: FloatImage,
    *,
    dose_fraction: float,
    quanta: float,
    electronic: float = ELECTRONIC,
) -> FloatImage:
    """Return the log-signal variance that lowering the dose adds, per ray.

    Only the difference between the two doses is added, because the slice already carries its own
    noise (docs/physics.md; after Yu et al., J Comput Assist Tomogr 36, 2012, 477).

    Args:
        line_integral: attenuation along each ray, dimensionless.
        dose_fraction: new dose over old, in (0, 1]; 1 adds nothing.
        quanta: photons per unattenuated ray at the old dose.
        electronic: variance of the electronic noise in quanta squared.

    >>> added_log_variance(np.float32([2.0]), dose_fraction=1.0, quanta=1e5).item()
    0.0
    """
    inverse_count = np.exp(line_integral) * np.float32(1 / quanta)
    quantum = (1 - dose_fraction) / dose_fraction
    read_out = (1 - dose_fraction**2) / dose_fraction**2 * electronic
    return inverse_count * (np.float32(quantum) + np.float32(read_out) * inverse_count)


def quanta_of_slice(
    hu: FloatImage,
    *,
    pixel_mm: float,
    apodisation: Apodisation,
    rng: np.random.Generator,
    electronic: float = ELECTRONIC,
) -> float:
    """Return the photons per unattenuated ray that explain the noise a slice shows.

    Noise fields of known quanta are put through the same reconstruction and read by the same meter
    in the same tissue; then sigma^2 = a/I0 + N_e b/I0^2 is solved for I0. It is an effective value:
    slice thickness and kernel are folded in.

    Args:
        hu: (size, size) in HU.
        pixel_mm: side of the pixel in mm.
        apodisation: the window on the ramp filter of this series.
        rng: draws the two fields.
        electronic: variance of the electronic noise in quanta squared.

    Returns:
        Quanta; NaN where the slice shows too little soft tissue or no noise.
    """
    tissue = soft_tissue(hu)
    noise_hu = modal_sd(hu, tissue)
    if not noise_hu > 0:
        return float("nan")
    beam = ParallelBeam.of_size(hu.shape[0])
    rays = beam.line_integrals(hu, pixel_mm=pixel_mm)
    quantum = np.exp(rays / 2) * np.float32(_TRIAL_QUANTA**-0.5)
    a, b = (
        modal_sd(
            beam.noise_field(
                spread * rng.standard_normal(spread.shape, dtype=np.float32),
                pixel_mm=pixel_mm,
                apodisation=apodisation,
            ),
            tissue,
        )
        ** 2
        for spread in (quantum, quantum * quantum)
    )
    b *= electronic
    inverse = noise_hu**2 / a if b == 0 else (np.sqrt(a * a + 4 * b * noise_hu**2) - a) / (2 * b)
    return float(np.clip(_TRIAL_QUANTA / inverse, *_PLAUSIBLE_QUANTA))


def smooth_along_table(
    quanta: Sequence[float], z_mm: Sequence[float], *, reach_mm: float = 15.0
) -> npt.NDArray[np.float64]:
    """Return the quanta of a series smoothed along the table, its gaps filled.

    Tube current modulation changes the quanta twofold and more within one chest, but smoothly,
    while a single slice's estimate scatters.

    Args:
        quanta: one value a slice, NaN where the slice could not tell.
        z_mm: position of each slice in mm.
        reach_mm: standard deviation of the Gaussian weights in mm.

    Returns:
        One positive value a slice; ``FALLBACK_QUANTA`` where no slice could tell.

    >>> smooth_along_table([1e5, float("nan"), 1e5], [0, 5, 10]).round().tolist()
    [100000.0, 100000.0, 100000.0]
    """
    known = np.isfinite(quanta)
    if not known.any():
        return np.full(len(quanta), FALLBACK_QUANTA)
    position = np.asarray(z_mm, float)
    distance = (position[:, None] - position[None, known]) / reach_mm
    # The nearest known slice always counts, however far it is.
    exponent = -0.5 * distance**2
    weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    logarithm = np.log(np.asarray(quanta, float)[known])
    return np.asarray(np.exp(weight @ logarithm / weight.sum(axis=1)), np.float64)
