"""What meters say of the label without any network: noise, its texture, sharpness and streaks."""

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ctiqa.corpus.store import Corpus
from ctiqa.errors import WriteError
from ctiqa.files import write_whole
from ctiqa.measures.correlation import Column
from ctiqa.measures.global_noise import modal_sd, soft_tissue
from ctiqa.measures.monotone import AdditiveMap
from ctiqa.measures.sharpness import edge_sigma_mm
from ctiqa.measures.streaks import streak_index
from ctiqa.measures.texture import noise_frequency_per_mm
from ctiqa.study.chosen import Chosen

__all__ = ["METERS", "meters_column"]

METERS = "all meters"
"""The best monotone combination of measured noise, texture, sharpness and streaks."""

_MOST_SLICES = 120
"""Training slices that are looked at, evenly spread."""

Readings: TypeAlias = npt.NDArray[np.float64]

Advance: TypeAlias = Callable[[int, int], None]


def meters_column(
    chosen: Chosen,
    trained: Sequence[int],
    *,
    workers: int | None = None,
    advance: Advance = lambda _done, _of: None,
) -> Column | None:
    """Return what the best sum of rising maps of four meters says of the label of each image.

    The meters are the global noise, the frequency of the noise, the resolution at the patient's
    own edge and the streak index; the maps are fitted on training slices with all their images.

    Args:
        chosen: images that are predicted.
        trained: slices of other patients to fit on.
        workers: threads; one a core by default.
        advance: told how many slices are done, and of how many.

    Returns:
        One value for each chosen image, in its order; None where a meter says nothing in training.
    """
    corpus = chosen.corpus
    spread = np.linspace(0, len(trained) - 1, min(len(trained), _MOST_SLICES)).round().astype(int)
    known = Chosen(corpus, [trained[place] for place in spread], chosen.label, chosen.doses)
    wanted = [*known.indices, *chosen.indices]
    found: dict[int, Readings] = {}
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for at, each in zip(wanted, pool.map(lambda at: _kept(corpus, at), wanted), strict=True):
            found[at] = each
            advance(len(found), len(wanted))
    learnt, asked = (
        np.array([found[index][place] for index, place in of.places]) for of in (known, chosen)
    )
    if not np.isfinite(learnt).any(axis=0).all():
        return None
    return AdditiveMap.fit(learnt, known.known().reference)(asked)


def _kept(corpus: Corpus, at: int) -> Readings:
    """Return the readings of all images of a slice, (images, meters), kept in the corpus."""
    part, degraded = corpus.slices[at].facts.part, corpus.degraded(at)
    name = f"{part}-{degraded.digest[:8]}-{version('ctiqa')}.json"
    kept = corpus.folder / "meters" / name
    if kept.exists():
        return np.array(json.loads(kept.read_text("utf-8")), np.float64)
    images = len(corpus.settings.image_doses) + len(degraded.doses)
    made = np.array([_readings(corpus, at, place) for place in range(images)])
    plain = [[value if np.isfinite(value) else None for value in row] for row in made.tolist()]
    with suppress(WriteError):  # nothing is lost where a corpus cannot be written to
        write_whole(kept, json.dumps(plain).encode())
    return made


def _readings(corpus: Corpus, at: int, place: int) -> list[float]:
    """Return what the meters say of one image, higher for better; NaN where one says nothing."""
    hu, pixel_mm = corpus.image(at, place), corpus.slices[at].facts.pixel_mm
    tissue = soft_tissue(hu)
    noise_hu = modal_sd(hu, tissue)
    return [
        -float(np.log(noise_hu)) if noise_hu > 0 else float("nan"),
        noise_frequency_per_mm(hu, tissue, pixel_mm=pixel_mm),
        -edge_sigma_mm(hu, pixel_mm=pixel_mm),
        -streak_index(hu),
    ]
