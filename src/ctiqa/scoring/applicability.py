"""Say when a score must not be trusted, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Final

from ctiqa.card import Card, TrainingRange
from ctiqa.images.ct_slice import CTSlice, Mask
from ctiqa.measures.appearance import Appearance
from ctiqa.measures.global_noise import soft_tissue
from ctiqa.scoring.kernel_names import is_iterative, is_sharp
from ctiqa.scoring.regions import region_cautions
from ctiqa.scoring.result import Status

__all__ = ["USUAL", "Verdict", "cautions", "judge"]

_LEAST_BODY: Final = 0.10
"""Share of the slice that a body must fill (METHOD 4, O1)."""

_SLACK: Final = 1e-3
"""Relative, so that 0.7031 mm does not lie outside a range that ends at 0.703125 mm."""

USUAL: Final = TrainingRange(
    noise_per_mm=(0.18, 0.44), water_equivalent_mm=(190.0, 375.0), cut_off_mm=(0.0, 335.0)
)
"""For cards older than these ranges: the 16 training patients of the shipped model, rounded
outwards ('python benchmarks/status_counts.py' prints theirs), but the smallest body is one of its
calibration patients, and the coarsest noise that of the larger pixels and softer kernels in which
half of its training showed them (0.185, ``corpus.reconstruction.drawn``)."""

_METAL_MM2: Final = 10.0
"""About twenty pixels, so that a single calcification or a wire's speck is no reason."""

_CUT_OFF_MM: Final = 10.0
"""Of outline beyond the field of view, from which on a size says nothing."""

_LEAST_GRAIN: Final = 0.175
"""Noise frequency times blur of the skin (``Appearance.grain``): 0.195 by theory."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a slice may be scored, and what its reader has to know; reasons in words."""

    status: Status
    reasons: tuple[str, ...] = ()


def judge(
    ct_slice: CTSlice,
    card: Card,
    *,
    noise_hu: float,
    tissue: Mask | None = None,
    series_notes: tuple[str, ...] = (),
) -> Verdict:
    """Return whether ``ct_slice`` may be scored by the model that ``card`` describes.

    Args:
        ct_slice: as the network will see it.
        card: of the model.
        noise_hu: global noise of the slice; NaN where it could not be measured.
        tissue: of ``global_noise.soft_tissue``, for a caller who measured the noise with it; found
            anew where it is None.
        series_notes: what the reader saw in the series. Of these only a tilt says something of a
            single slice; gaps and repeated positions do not.
    """
    hu = ct_slice.hu
    if hu.min() == hu.max():
        return Verdict("not_scored", (f"every pixel is {hu.flat[0]:g} HU",))
    seen = Appearance.of(
        hu,
        soft_tissue(hu) if tissue is None else tissue,
        pixel_mm=ct_slice.pixel_mm,
        padding=ct_slice.padding,
    )
    body = float(seen.body.mean())
    if body < _LEAST_BODY:
        return Verdict("not_scored", (f"a body fills only {body:.0%} of the slice",))
    reasons = (
        *ct_slice.notes,
        *(note for note in series_notes if "tilt" in note),
        *cautions(ct_slice, seen, card.training_range, noise_hu=noise_hu),
    )
    return Verdict("caution" if reasons else "ok", reasons)


def cautions(
    ct_slice: CTSlice, seen: Appearance, trained: TrainingRange, *, noise_hu: float
) -> Iterator[str]:
    """Yield, in words, each way in which a slice differs from what the model was trained on.

    A fact that the header or the card does not tell is no difference, nor is a figure that could
    not be measured. Where the image itself shows what a tag stands for, the image decides.
    """
    acquisition = ct_slice.acquisition
    yield from _outside(
        ("tube voltage", "kV", acquisition.kvp, trained.kvp),
        ("slice thickness", "mm", acquisition.slice_thickness_mm, trained.slice_thickness_mm),
        ("pixel size", "mm", ct_slice.pixel_mm, trained.pixel_mm),
        ("noise", "HU", noise_hu, trained.noise_hu),
    )
    yield from _grain(acquisition.kernel, seen, trained)
    yield from region_cautions(acquisition.body_part, seen.region, trained)
    yield from _field_of_view(seen, trained)
    if seen.metal_mm2 > _METAL_MM2:
        yield f"metal over {seen.metal_mm2:.0f} mm2: streaks are not what the score knows"


def _outside(
    *checked: tuple[str, str, float | None, tuple[float, float] | None],
) -> Iterator[str]:
    """Yield which of some figures, each with its name, unit and range, lie outside."""
    for name, unit, value, limits in checked:
        if value is None or limits is None:
            continue
        lowest, highest = limits
        # Written so that NaN, an unknown figure, passes.
        if value < lowest * (1 - _SLACK) or value > highest * (1 + _SLACK):
            yield f"{name} {value:.4g} {unit} outside training ({lowest:.4g} to {highest:.4g})"


def _grain(kernel: str, seen: Appearance, trained: TrainingRange) -> Iterator[str]:
    """Yield what is unlike training in how the slice was reconstructed.

    A kernel that training did not name is judged by the grain of its noise, unless it is sharp by
    name: then edges are enhanced as well, which the grain does not tell.
    """
    limits = trained.noise_per_mm or USUAL.noise_per_mm
    yield from _outside(("noise frequency", "per mm", seen.noise_per_mm, limits))
    unnamed = trained.kernels and kernel.casefold() not in map(str.casefold, trained.kernels)
    measured = isfinite(seen.noise_per_mm)
    if kernel and unnamed and is_iterative(kernel):
        yield f"kernel {kernel} is one of an iterative reconstruction and not in training"
    elif kernel and unnamed and (is_sharp(kernel) or not measured):
        yield f"kernel {kernel} not in training"
    # A sharp kernel enhances edges, so that its noise says nothing of filters.
    if seen.grain < _LEAST_GRAIN and not is_sharp(kernel):
        yield (
            f"noise coarser than edges this sharp come with ({seen.grain:.3f}, unfiltered at least "
            f"{_LEAST_GRAIN:.3f}): denoised or reconstructed iteratively"
        )


def _field_of_view(seen: Appearance, trained: TrainingRange) -> Iterator[str]:
    """Yield whether the patient is larger, smaller or more cut off than those of training."""
    if seen.cut_off_mm <= _CUT_OFF_MM:
        limits = trained.water_equivalent_mm or USUAL.water_equivalent_mm
        name = "water-equivalent diameter"
        yield from _outside((name, "mm", seen.water_equivalent_mm, limits))
    limits = trained.cut_off_mm or USUAL.cut_off_mm
    yield from _outside(("body cut off along", "mm", seen.cut_off_mm, limits))
