"""Whether the shipped model scores a phantom as on the day it was shipped."""

import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from ctiqa.images.ct_slice import CTSlice
from ctiqa.images.phantom import chest_slice, ct_noise
from ctiqa.protocol.laws import Check
from ctiqa.scoring.scorer import Scorer

__all__ = ["constancy", "golden_slices", "scores_of"]

NOISES_HU = (8.0, 16.0, 32.0)
_TOLERANCE = 1e-3


def golden_slices() -> list[CTSlice]:
    """Return one synthetic chest slice with three amounts of noise; always the same bytes."""
    truth = chest_slice(level=0.5, seed=7)
    noises = (ct_noise(sd_hu=sd_hu, rng=np.random.default_rng(7)) for sd_hu in NOISES_HU)
    return [truth.with_hu(np.asarray(truth.hu + noise, np.float32)) for noise in noises]


def scores_of(scorer: Scorer) -> list[float]:
    """Return the score of each golden slice, not clipped."""
    batches = ((one.hu[np.newaxis], one.pixel_mm) for one in golden_slices())
    return [float(scorer.score_batch(*batch).mean()) for batch in batches]


def constancy(scorer: Scorer) -> Check:
    """Compare the golden slices with what they scored when the model was shipped.

    Another model than the shipped one has no such scores, and is not tried.
    """
    golden, figure = _golden(), None
    if golden["model_sha256"] == scorer.sha256:
        differences = np.abs(np.subtract(scores_of(scorer), golden["scores"]))
        figure = float(differences.max())
    tried = f"a synthetic chest with {len(NOISES_HU)} amounts of noise, largest difference"
    words = "be what it was when the model shipped"
    return Check("G1", words, tried, figure, _TOLERANCE, at_least=False)


@cache
def _golden() -> dict[str, Any]:
    text = resources.files("ctiqa").joinpath("shipped", "golden.json").read_text("utf-8")
    golden: dict[str, Any] = json.loads(text)
    return golden
