"""Label one slice however it is degraded: score, noise, sharpness, streaks (METHOD 3.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from ctiqa.corpus.detail import REFERENCE_SIGMA_MM, draw_discs, share_seen, visible
from ctiqa.corpus.label import IDEAL, LabelRecipe, body_box, compare, noise_free, references
from ctiqa.corpus.loss_map import LossMap, loss_map
from ctiqa.degrade.degradation import Operator
from ctiqa.dose.simulate import Scan, noise_parts
from ctiqa.images.ct_slice import CTSlice, FloatImage
from ctiqa.measures.fidelity import Reference
from ctiqa.measures.global_noise import global_noise_hu

__all__ = ["STREAKS", "Labelled", "Labeller", "Quality"]

STREAKS = frozenset({"sparse_views", "starvation", "motion"})
"""Kinds of degradation that add a field of streaks to whatever they are given."""


class Quality(NamedTuple):
    """A label in parts, in [0, 1], 1 for nothing lost; sharpness may exceed it.

    Args:
        score: fidelity to the noise-free slice times how much of planted detail is left, squared.
        noise: that fidelity without streaks.
        sharpness: how much of planted detail is left.
        streaks: fidelity of the noise-free slice with its streaks alone.
    """

    score: float
    noise: float
    sharpness: float
    streaks: float


class Labelled(NamedTuple):
    """The label of an image, and where in it what is lost.

    Args:
        quality: of the whole.
        loss: of each cell of a grid.
    """

    quality: Quality
    loss: LossMap


@dataclass(frozen=True, eq=False)
class Labeller:
    """What labels of one slice have in common, made once.

    Args:
        ct_slice: as it was scanned.
        scan: how it was made.
        recipe: how fidelity is weighed.
        clean: the slice without noise, in HU.
        fields: of quantum and of electronic noise at full dose, in HU.
        own: planted detail as the slice's scanner shows it.
        ideal: the same at the resolution at which it counts as whole.
        against: the noise-free slice as reference in every window, over the body.
        box: rows and columns round the body.
        exponent: of the share of detail in the score.
    """

    ct_slice: CTSlice
    scan: Scan
    recipe: LabelRecipe
    clean: FloatImage
    fields: FloatImage
    own: FloatImage
    ideal: FloatImage
    against: Mapping[str, Reference]
    box: tuple[slice, slice]
    exponent: float

    @classmethod
    def of(
        cls,
        ct_slice: CTSlice,
        scan: Scan,
        *,
        sigma_mm: float,
        rng: np.random.Generator,
        recipe: LabelRecipe = IDEAL,
        exponent: float = 2.0,
        clean: FloatImage | None = None,
    ) -> Self:
        """Prepare the labels of a slice.

        Args:
            ct_slice: as it was scanned.
            scan: how it was made.
            sigma_mm: the resolution of its series (:mod:`ctiqa.corpus.resolution`).
            rng: draws noise and detail.
            recipe: how fidelity is weighed; its reference must be "ideal".
            exponent: of the share of detail in the score.
            clean: the slice without noise, if it is at hand.
        """
        clean = noise_free(ct_slice, scan) if clean is None else clean
        box, body = body_box(ct_slice.hu)
        fields = noise_parts(ct_slice, scan=scan, rng=rng, quantum=1, electronic=1)
        discs = draw_discs(body, pixel_mm=ct_slice.pixel_mm, rng=rng)
        own, ideal = (
            visible(
                discs,
                shape=(body.shape[0], body.shape[1]),
                pixel_mm=ct_slice.pixel_mm,
                sigma_mm=each,
            )
            for each in (sigma_mm, REFERENCE_SIGMA_MM)
        )
        against = references(clean[box], region=body[box])
        return cls(ct_slice, scan, recipe, clean, fields, own, ideal, against, box, exponent)

    def noisy(self, dose: float) -> FloatImage:
        """Return the noise-free slice with all the noise that shows at a dose, in HU."""
        quantum, electronic = self.fields
        made: FloatImage = (
            self.clean + quantum * np.float32(dose**-0.5) + electronic / np.float32(dose)
        )
        return made

    def quality(
        self, dose: float, degrade: Operator = lambda hu: hu, *, streaks: bool = False
    ) -> Quality:
        """Return the label of the slice at a dose, degraded or not.

        Args:
            dose: fraction of the slice's dose.
            degrade: T, prepared for the slice at that dose.
            streaks: whether T adds a field of streaks (:data:`STREAKS`).
        """
        return self._labelled(dose, degrade, streaks=streaks)[0]

    def labelled(
        self, dose: float, degrade: Operator = lambda hu: hu, *, streaks: bool = False
    ) -> Labelled:
        """Return the same label, and where in the slice what is lost."""
        quality, degraded = self._labelled(dose, degrade, streaks=streaks)
        lost = loss_map(
            degraded,
            self.against,
            recipe=self.recipe,
            detail=quality.sharpness**self.exponent,
            box=self.box,
            shape=(degraded.shape[0], degraded.shape[1]),
        )
        return Labelled(quality, lost)

    def _labelled(
        self, dose: float, degrade: Operator, *, streaks: bool
    ) -> tuple[Quality, FloatImage]:
        """Return the label, and the degraded noise-free slice that it was measured on."""
        base = self.noisy(dose)
        degraded = degrade(base)
        seen = share_seen(degrade, base, degraded, own=self.own, ideal=self.ideal)
        fidelity = self._fidelity(degraded)
        quality = Quality(
            score=min(fidelity * seen**self.exponent, 1.0),
            noise=self._fidelity(base) if streaks else fidelity,
            sharpness=seen,
            streaks=self._fidelity(degrade(self.clean)) if streaks else 1.0,
        )
        return quality, degraded

    def noise_hu(self, dose: float) -> float:
        """Return the global noise at a dose in HU, as smoothing takes it for its strength."""
        measured = global_noise_hu(self.ct_slice.hu)
        if not np.isfinite(measured):
            measured = float(self.fields[0][self.own != 0].std())
        return float(measured * dose**-0.5)

    def _fidelity(self, image: FloatImage) -> float:
        return self.recipe.quality(compare(image[self.box], self.against))
