"""How well a quality map orders the places of an image by what is lost there."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ctiqa.images.ct_slice import FloatImage
from ctiqa.measures.agreement import agreement
from ctiqa.measures.correlation import Column
from ctiqa.study.chosen import Chosen
from ctiqa.study.evidence import Names

__all__ = ["GOOD", "Locate", "MapAgreement", "map_agreement"]

Locate: TypeAlias = Callable[[FloatImage, float], FloatImage]
"""Returns the loss in each cell of a slice in HU, whose pixel has that side in mm."""

GOOD = 0.8
"""Rank correlation that a map is to reach within an image."""

_FEWEST_CELLS = 10


@dataclass(frozen=True, slots=True)
class MapAgreement:
    """Spearman's correlation of a map with the label of the cells, within each image.

    Args:
        images: in which it was taken; those with hardly a body are left out.
        median: over them.
        lowest_twentieth: what 95 % of them reach.
        share_good: share that reaches :data:`GOOD`.
        per_kind: median within each kind of degradation, "" for a lower dose alone.
        per_patient: median within each patient.
    """

    images: int
    median: float
    lowest_twentieth: float
    share_good: float
    per_kind: Mapping[str, float]
    per_patient: Mapping[str, float]


def map_agreement(
    chosen: Chosen,
    locate: Locate,
    bar: AbstractContextManager[Callable[[int, int], None]] | None = None,
) -> MapAgreement | None:
    """Hold a model's map against the label of the cells; None where no image shows a body.

    Args:
        chosen: images of a degraded corpus.
        locate: the model's map.
        bar: shows how far it has come.
    """
    places, found = chosen.places, []
    with bar or nullcontext(lambda _done, _of: None) as advance:
        for done, (index, place) in enumerate(places, start=1):
            label = chosen.corpus.degraded(index).loss_map(place)
            body = ~np.isnan(label)
            if body.sum() < _FEWEST_CELLS:
                found.append(np.nan)
            else:
                hu = chosen.corpus.image(index, place)
                ours = locate(hu, chosen.corpus.pixel_mm(index))
                found.append(agreement(ours[body].astype(float), label[body].astype(float)).srocc)
            advance(done, len(places))
    within = np.array(found)
    seen = np.isfinite(within)
    if not seen.any():
        return None
    return MapAgreement(
        images=int(seen.sum()),
        median=float(np.median(within[seen])),
        lowest_twentieth=float(np.quantile(within[seen], 0.05)),
        share_good=float(np.mean(within[seen] >= GOOD)),
        per_kind=_medians(within[seen], chosen.kinds[seen]),
        per_patient=_medians(within[seen], chosen.patients[seen]),
    )


def _medians(values: Column, names: Names) -> dict[str, float]:
    return {str(name): float(np.median(values[names == name])) for name in np.unique(names)}
