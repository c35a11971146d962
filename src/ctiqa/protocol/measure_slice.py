"""Measure one slice: noise, its texture, detectability, size and dose."""

from math import isfinite, nan

from ctiqa.images.ct_slice import Acquisition, CTSlice
from ctiqa.measures.detectability import TASKS, detectability
from ctiqa.measures.global_noise import NOISE_VARIANTS, modal_sd, soft_tissue
from ctiqa.measures.patient_size import (
    BODY_PHANTOM_MM,
    HEAD_PHANTOM_MM,
    patient_size,
    ssde_mgy,
)
from ctiqa.measures.sharpness import edge_sigma_mm, f50_per_mm
from ctiqa.measures.spectrum import NoiseSpectrum, tissue_patches
from ctiqa.protocol.measured import D_PRIME, NOISE, Figures, Measured

__all__ = ["ASSUMED_SIGMA_MM", "CUT_OFF_MM", "known", "measure_slice", "texture"]

ASSUMED_SIGMA_MM = 0.6
"""Blur that d' supposes where the resolution is unknown: a soft kernel, MTF 50 % at 0.31 per mm."""

CUT_OFF_MM = 10.0
"""Length of outline on the edge of the field of view from which on a reader is told."""

_FEWEST_PATCHES = 4
_HEAD = ("HEAD", "BRAIN", "SKULL")


def measure_slice(ct_slice: CTSlice) -> Measured:
    """Return everything that can be measured on one slice; what cannot be is absent.

    Args:
        ct_slice: not padded, cropped or interpolated.
    """
    tissue = soft_tissue(ct_slice.hu)
    noise = (modal_sd(ct_slice.hu, tissue), *(variant(ct_slice.hu) for variant in NOISE_VARIANTS))
    patches = tissue_patches(ct_slice.hu, tissue)
    spectrum = NoiseSpectrum.of(patches, pixel_mm=ct_slice.pixel_mm) if len(patches) else None
    sigma_mm = edge_sigma_mm(ct_slice.hu, pixel_mm=ct_slice.pixel_mm)
    sized, reasons = _size(ct_slice)
    figures = dict(zip(NOISE, noise, strict=True)) | sized
    figures |= {"edge_f50_per_mm": f50_per_mm(sigma_mm), "edge_sigma_mm": sigma_mm}
    figures |= texture(spectrum, sigma_mm=sigma_mm, fewest_patches=_FEWEST_PATCHES)
    figures["noise2_ctdivol_hu2_mgy"] = noise[0] ** 2 * figures.get("ctdivol_mgy", nan)
    return Measured(
        level="slice",
        identity=ct_slice.identity,
        z_mm=ct_slice.z_mm,
        reasons=(*ct_slice.notes, *reasons),
        figures=known(figures),
        acquisition=ct_slice.acquisition,
        pixel_mm=ct_slice.pixel_mm,
        spectrum=spectrum,
    )


def texture(spectrum: NoiseSpectrum | None, *, sigma_mm: float, fewest_patches: int) -> Figures:
    """Return peak and mean frequency of the noise and d', where enough patches were seen.

    Args:
        spectrum: None where no patch was seen.
        sigma_mm: of the blur in mm; NaN lets d' suppose :data:`ASSUMED_SIGMA_MM`.
        fewest_patches: how many are enough.
    """
    if spectrum is None:
        return {"nps_patches": 0}
    if spectrum.patches < fewest_patches:
        return {"nps_patches": spectrum.patches}
    blur_mm = sigma_mm if isfinite(sigma_mm) else ASSUMED_SIGMA_MM
    found = {
        "nps_peak_per_mm": spectrum.peak_per_mm,
        "nps_mean_per_mm": spectrum.mean_per_mm,
        "nps_patches": spectrum.patches,
        "d_prime_sigma_mm": blur_mm,
    }
    for name, task in zip(D_PRIME, TASKS, strict=True):
        found[name] = detectability(task, spectrum, blur_sigma_mm=blur_mm)
    return found


def _size(ct_slice: CTSlice) -> tuple[dict[str, float], list[str]]:
    """Return the size of the patient and the doses, and what makes them doubtful."""
    acquisition = ct_slice.acquisition
    found = {
        "tube_current_ma": acquisition.tube_current_ma or nan,
        "ctdivol_mgy": acquisition.ctdivol_mgy or nan,
    }
    size = patient_size(ct_slice.hu, pixel_mm=ct_slice.pixel_mm, padding=ct_slice.padding)
    if size is None:
        return found, ["no body is seen"]
    names = ("water_equivalent_mm", "effective_mm", "lateral_mm", "ap_mm", "cut_off_mm")
    found |= {name: getattr(size, name) for name in names}
    reasons = []
    if size.cut_off_mm > CUT_OFF_MM:
        reasons.append(
            f"the field of view cuts the body off along {size.cut_off_mm:.0f} mm, so its size is"
            " too small and its size-specific dose too large"
        )
    if acquisition.ctdivol_mgy:
        phantom_mm, head = _phantom(acquisition)
        found["ssde_phantom_mm"] = phantom_mm
        found["ssde_mgy"] = ssde_mgy(
            acquisition.ctdivol_mgy,
            water_equivalent_mm=size.water_equivalent_mm,
            phantom_mm=phantom_mm,
            head=head,
        )
        if acquisition.ctdi_phantom_mm is None:
            reasons.append(f"CTDIvol taken as that of the phantom of {phantom_mm:.0f} mm")
    return found, reasons


def _phantom(acquisition: Acquisition) -> tuple[float, bool]:
    """Return which phantom a CTDIvol speaks of, guessed where no header says, and if of a head."""
    head = any(word in acquisition.body_part.upper() for word in _HEAD)
    usual_mm = HEAD_PHANTOM_MM if head else BODY_PHANTOM_MM
    return acquisition.ctdi_phantom_mm or usual_mm, head


def known(figures: Figures) -> Figures:
    """Return the figures that are numbers."""
    return {name: float(value) for name, value in figures.items() if isfinite(value)}
