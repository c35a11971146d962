"""Read the degraded images of a slice, and labels in parts."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctiqa.corpus.label import IDEAL, PARTS, LabelRecipe
from ctiqa.corpus.loss_map import LossMap, from_bytes
from ctiqa.errors import CorpusError, RecipeError

__all__ = ["FOLDER", "LOSS", "DegradedImages", "columns_of", "read_degraded"]

FOLDER = "degraded"
"""Where degraded images lie in a corpus."""

LOSS = ".loss.npy"
"""Ending of the file of a slice's loss maps: at each image dose, then of each degraded image."""


@dataclass(frozen=True, slots=True, eq=False)
class DegradedImages:
    """What 'ctiqa degrade' made of one slice.

    Args:
        path: of the pixels, (degraded, rows, columns) int16 in HU.
        labels: (degraded, parts) of each, the parts of :data:`~ctiqa.corpus.label.PARTS`.
        undegraded: (label doses, parts) of the slice itself.
        doses: (degraded,) dose of each.
        records: of each degradation, its kind first.
        sigma_mm: resolution of the series.
        digest: SHA-256 of all of this but the path.
    """

    path: Path
    labels: npt.NDArray[np.float64]
    undegraded: npt.NDArray[np.float64]
    doses: npt.NDArray[np.float64]
    records: tuple[Mapping[str, Any], ...]
    sigma_mm: float
    digest: str

    def stored(self, place: int) -> npt.NDArray[np.int16]:
        """Return one image as it is stored, mapped from disk; no file stays open behind it."""
        image: npt.NDArray[np.int16] = np.load(self.path, mmap_mode="r", allow_pickle=False)[place]
        return image

    def loss_map(self, place: int) -> LossMap:
        """Return where an image of the slice loses quality: at an image dose, or degraded.

        Raises:
            CorpusError: if the corpus was degraded when there were no such maps.
        """
        path = self.path.with_suffix(LOSS)
        try:
            stored = np.load(path, mmap_mode="r", allow_pickle=False)[place]
        except FileNotFoundError:
            raise CorpusError(
                f"{path.parent} holds no maps of what is lost, since an older ctiqa made it; "
                "delete it and give 'ctiqa degrade' again"
            ) from None
        return from_bytes(stored)


def columns_of(recipe: LabelRecipe) -> list[int]:
    """Return the columns of :data:`~ctiqa.corpus.label.PARTS` that a recipe names, in its order.

    Raises:
        RecipeError: if the recipe weighs fidelity otherwise than labels in parts do.
    """
    for name in ("reference", "windows", "psnr_limits_db", "weight_psnr", "weight_ssim"):
        if getattr(recipe, name) != getattr(IDEAL, name):
            raise RecipeError(
                f"labels in parts are made with {name} = {getattr(IDEAL, name)}; take that in "
                '[label], or parts = ["score"]'
            )
    return [PARTS.index(part) for part in recipe.parts]


@lru_cache(maxsize=4096)
def read_degraded(path: Path) -> DegradedImages:
    """Return the degraded images whose facts lie in a file, their pixels beside it.

    Raises:
        CorpusError: if there are none.
    """
    try:
        facts = path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(
            f"{path.parent.parent} holds no labels in parts for every slice; make them by "
            "'ctiqa degrade'"
        ) from None
    held = json.loads(facts)
    rows = held["degraded"]
    return DegradedImages(
        path=path.with_suffix(".npy"),
        labels=_table(rows),
        undegraded=_table(held["undegraded"]),
        doses=np.array([row["dose"] for row in rows]),
        records=tuple(row["degradation"] for row in rows),
        sigma_mm=held["sigma_mm"],
        digest=hashlib.sha256(facts).hexdigest(),
    )


def _table(rows: Sequence[Mapping[str, float]]) -> npt.NDArray[np.float64]:
    return np.array([[row[part] for part in PARTS] for row in rows])
