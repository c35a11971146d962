"""Say when a score must not be trusted, and why."""

from collections.abc import Iterator
from dataclasses import dataclass

from ctiqa.card import Card, TrainingRange
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.body import body_mask
from ctiqa.scoring.result import Status

__all__ = ["Verdict", "cautions", "judge"]

_LEAST_BODY = 0.10
"""Share of the slice that a body must fill (METHOD 4, O1)."""

_SLACK = 1e-3
"""Relative, so that 0.7031 mm does not lie outside a range that ends at 0.703125 mm."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a slice may be scored, and what its reader has to know; reasons in words."""

    status: Status
    reasons: tuple[str, ...] = ()


def judge(
    ct_slice: CTSlice, card: Card, *, noise_hu: float, series_notes: tuple[str, ...] = ()
) -> Verdict:
    """Return whether ``ct_slice`` may be scored by the model that ``card`` describes.

    Args:
        ct_slice: as the network will see it.
        card: of the model.
        noise_hu: global noise of the slice; NaN where it could not be measured.
        series_notes: what the reader saw in the series. Of these only a tilt says something of a
            single slice; gaps and repeated positions do not.
    """
    hu = ct_slice.hu
    if hu.min() == hu.max():
        return Verdict("not_scored", (f"every pixel is {hu.flat[0]:g} HU",))
    body = float(body_mask(hu).mean())
    if body < _LEAST_BODY:
        return Verdict("not_scored", (f"a body fills only {body:.0%} of the slice",))
    reasons = (
        *ct_slice.notes,
        *(note for note in series_notes if "tilt" in note),
        *cautions(ct_slice, card.training_range, noise_hu=noise_hu),
    )
    return Verdict("caution" if reasons else "ok", reasons)


def cautions(ct_slice: CTSlice, trained: TrainingRange, *, noise_hu: float) -> Iterator[str]:
    """Yield, in words, each way in which a slice differs from what the model was trained on.

    A fact that the header or the card does not tell is no difference.
    """
    acquisition = ct_slice.acquisition
    for name, unit, value, limits in (
        ("tube voltage", "kV", acquisition.kvp, trained.kvp),
        ("slice thickness", "mm", acquisition.slice_thickness_mm, trained.slice_thickness_mm),
        ("pixel size", "mm", ct_slice.pixel_mm, trained.pixel_mm),
        ("noise", "HU", noise_hu, trained.noise_hu),
    ):
        if value is None or limits is None:
            continue
        lowest, highest = limits
        # Written so that NaN, an unknown noise, passes.
        if value < lowest * (1 - _SLACK) or value > highest * (1 + _SLACK):
            yield f"{name} {value:.4g} {unit} outside training ({lowest:.4g} to {highest:.4g})"
    kernel, region = acquisition.kernel.casefold(), acquisition.body_part.casefold()
    if kernel and trained.kernels and kernel not in map(str.casefold, trained.kernels):
        yield f"kernel {acquisition.kernel} not in training"
    # Sites write sentences here: "TH CT CHEST WO CE" is the CHEST of the card.
    known = [each.casefold() for each in trained.body_regions]
    if region and known and not any(each in region for each in known):
        yield f"body part {acquisition.body_part} not in training"
