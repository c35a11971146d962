"""Turn PSNR and SSIM into one quality label Q."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ctiqa.dose.simulate import Scan, noise_parts
from ctiqa.errors import RecipeError
from ctiqa.images.ct_slice import CTSlice, FloatImage, Mask
from ctiqa.images.window import LUNG, SOFT_TISSUE, Window
from ctiqa.measures.body import body_mask, box_round
from ctiqa.measures.fidelity import Reference
from ctiqa.measures.global_noise import global_noise_hu

__all__ = [
    "IDEAL",
    "PARTS",
    "ROUTINE",
    "WINDOWS",
    "Fidelity",
    "LabelRecipe",
    "body_box",
    "compare",
    "ideal_fidelity",
    "noise_free",
    "references",
    "routine_fidelity",
]

WINDOWS: Mapping[str, Window] = {"w350": SOFT_TISSUE, "w1500": LUNG}
"""The two windows in which a label is measured: soft tissue and lung."""

PARTS = ("score", "noise", "sharpness", "streaks")
"""A label and what it is made of, 1 for nothing lost (:class:`ctiqa.corpus.labeller.Quality`)."""

Fidelity = dict[str, tuple[float, float]]
"""PSNR in dB and SSIM of one image, by the name of the window."""


@dataclass(frozen=True, slots=True)
class LabelRecipe:
    """How a label is weighed out of what was measured (equation 1 of the paper).

    Args:
        reference: "routine" compares with the slice as it was scanned (the paper), "ideal" with
            what the slice would be without any noise (METHOD 3.1; docs/physics.md).
        windows: names of the windows whose labels are averaged.
        psnr_limits_db: for each window the PSNR that counts as 0 and the one that counts as 1.
        weight_psnr: a1 of equation 1.
        weight_ssim: a2 of equation 1.
        parts: what a network learns of it, one or more of :data:`PARTS`, the score first.
    """

    reference: str
    windows: tuple[str, ...]
    psnr_limits_db: tuple[tuple[float, float], ...]
    weight_psnr: float = 0.5
    weight_ssim: float = 0.5
    parts: tuple[str, ...] = ("score",)

    def __post_init__(self) -> None:
        if self.reference not in ("routine", "ideal"):
            raise RecipeError(f"label.reference is 'routine' or 'ideal', not {self.reference!r}")
        unknown = set(self.windows) - set(WINDOWS)
        if unknown or not self.windows:
            raise RecipeError(f"label.windows names {sorted(WINDOWS)}, not {self.windows}")
        if len(self.psnr_limits_db) != len(self.windows):
            raise RecipeError("label.psnr_limits_db holds one pair of limits for each window")
        if any(low >= high for low, high in self.psnr_limits_db):
            raise RecipeError("label.psnr_limits_db holds pairs [low, high] with low below high")
        if self.parts[:1] != PARTS[:1] or sorted(set(self.parts)) != sorted(self.parts):
            raise RecipeError('label.parts begins with "score" and names nothing twice')
        if strange := sorted(set(self.parts) - set(PARTS)):
            raise RecipeError(f"label.parts names {', '.join(PARTS)}, not {strange[0]!r}")

    def quality(self, fidelity: Mapping[str, tuple[float, float]]) -> float:
        """Return Q in [0, 1] of an image, 1 for one that equals its reference.

        >>> IDEAL.quality({"w350": (float("inf"), 1.0), "w1500": (float("inf"), 1.0)})
        1.0
        """
        values = []
        for window, (low, high) in zip(self.windows, self.psnr_limits_db, strict=True):
            psnr_db, ssim = fidelity[window]
            normalised = np.clip((psnr_db - low) / (high - low), 0, 1)
            values.append(self.weight_psnr * normalised + self.weight_ssim * ssim)
        return float(np.mean(values))


IDEAL = LabelRecipe("ideal", ("w350", "w1500"), ((8, 40), (20, 52)))
ROUTINE = LabelRecipe("routine", ("w350",), ((20, 50),))


def compare(image: FloatImage, references: Mapping[str, Reference]) -> Fidelity:
    """Return PSNR and SSIM of an image in HU in every window of its references."""
    fidelity = {}
    for name, reference in references.items():
        windowed = WINDOWS[name].apply(image)
        fidelity[name] = (reference.psnr_db(windowed), reference.ssim(windowed))
    return fidelity


def references(hu: FloatImage, *, region: Mask | None) -> dict[str, Reference]:
    """Return ``hu`` as the reference in both windows."""
    return {name: Reference(window.apply(hu), 1.0, region) for name, window in WINDOWS.items()}


def routine_fidelity(ct_slice: CTSlice, degraded: Sequence[FloatImage]) -> list[Fidelity]:
    """Compare lower-dose images with the slice as it was scanned, over the whole image."""
    against = references(ct_slice.hu, region=None)
    return [compare(image, against) for image in degraded]


def ideal_fidelity(
    ct_slice: CTSlice,
    *,
    scan: Scan,
    doses: Sequence[float],
    rng: np.random.Generator,
    clean: FloatImage | None = None,
) -> list[Fidelity]:
    """Compare the slice at each dose with its own noise-free truth, over the body.

    The truth R is unknown, but its distance is not: to the slice with its noise removed goes a
    noise field with the *total* variance at that dose. So the label speaks of all the noise that
    shows, is comparable between scanners and finite at full dose.

    Args:
        ct_slice: the slice as it was scanned.
        scan: how it was made.
        doses: dose fractions in (0, 1].
        rng: draws one field for all doses, so that the label falls smoothly with dose.
        clean: that truth, if it is at hand (:func:`noise_free`).
    """
    clean = noise_free(ct_slice, scan) if clean is None else clean
    box, region = body_box(ct_slice.hu)
    against = references(clean[box], region=region[box])
    counted, read_out = noise_parts(ct_slice, scan=scan, rng=rng, quantum=1, electronic=1)
    return [
        compare(
            clean[box] + counted[box] * np.float32(dose**-0.5) + read_out[box] / np.float32(dose),
            against,
        )
        for dose in doses
    ]


def noise_free(ct_slice: CTSlice, scan: Scan) -> FloatImage:
    """Return the slice with its noise removed and its edges kept, in HU.

    Non-local means (Buades et al. 2005, doi 10.1109/CVPR.2005.38) at the slice's measured noise;
    where no soft tissue shows it, at the noise that its quanta would make.
    """
    from skimage.restoration import denoise_nl_means  # noqa: PLC0415 - only training installs it

    noise_hu = global_noise_hu(ct_slice.hu)
    if not np.isfinite(noise_hu):
        rng = np.random.default_rng(0)
        field = noise_parts(ct_slice, scan=scan, rng=rng, quantum=1, electronic=0)[0]
        noise_hu = float(np.std(field[body_box(ct_slice.hu)[1]]))
    clean = denoise_nl_means(
        ct_slice.hu, patch_size=7, patch_distance=11, h=0.8 * noise_hu, sigma=noise_hu
    )
    return np.asarray(clean, np.float32)


def body_box(hu: FloatImage) -> tuple[tuple[slice, slice], Mask]:
    """Return the box round the body, which is all that a label there needs, and the body."""
    body = body_mask(hu)
    # Half the window of SSIM, and one.
    return box_round(body, margin_px=4), body if body.any() else np.ones_like(body)
