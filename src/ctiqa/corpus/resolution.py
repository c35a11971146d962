"""The resolution of each series of a corpus, in each of its reconstructions."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ctiqa.corpus.reconstruction import Reconstruction
from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError
from ctiqa.files import write_whole
from ctiqa.images.ct_slice import FloatImage
from ctiqa.measures.global_noise import soft_tissue
from ctiqa.measures.texture import COARSEST_PX, noise_frequency_per_mm, noise_sigma_mm

__all__ = ["APERTURE_MM", "USUAL_SIGMA_MM", "resolution_mm", "resolutions"]

USUAL_SIGMA_MM = 0.61
"""Resolution of a series whose noise cannot be read: the median of the training series."""

APERTURE_MM = 0.41
"""Blur of focal spot and detector, which signal passes and noise does not (decision 011)."""

_SLICES_SEEN = 8

_METHOD = f"noise of the slices as they were scanned, else {USUAL_SIGMA_MM} mm (decision 011)"
"""Changed with every change of what is read: labels of two methods do not belong together."""


def resolutions(corpus: Corpus, path: Path) -> list[tuple[Sequence[int], float]]:
    """Return the slices of each series, in each reconstruction, with its resolution in mm.

    Args:
        corpus: open.
        path: where what was read is kept, so that a longer corpus later keeps its labels.

    Raises:
        CorpusError: if what is kept was read by another method.
    """
    known = _kept(path)
    series: dict[str, dict[str, list[int]]] = {}
    for index, one in enumerate(corpus.slices):
        uid = one.facts.series_instance_uid or one.facts.series
        series.setdefault(uid, {}).setdefault(one.facts.reconstruction, []).append(index)
    found: list[tuple[Sequence[int], float]] = []
    for uid, reconstructions in series.items():
        scanned = reconstructions.get("", [])
        if not scanned:
            raise CorpusError(
                f"{corpus.folder} holds a series anew and not as it was scanned ({uid}); go on "
                "with 'ctiqa corpus'"
            )
        if uid not in known:
            known[uid] = resolution_mm(corpus, scanned)
        own_mm, pixel_mm = known[uid], corpus.pixel_mm(scanned[0])
        found += [
            (indices, _again(own_mm, words, pixel_mm)) for words, indices in reconstructions.items()
        ]
    write_whole(path, (json.dumps({"method": _METHOD, "mm": known}, indent=2) + "\n").encode())
    return found


def resolution_mm(corpus: Corpus, indices: Sequence[int]) -> float:
    """Return the resolution of one series, as a Gaussian, from some of its slices.

    The grain of the noise tells the kernel, even in a single slice; where too little flat tissue
    shows any, it is the usual one.

    Args:
        corpus: open.
        indices: of slices as they were scanned: what a resampled slice could not hold of its noise
            is folded into the rest, and looks like a sharper kernel.
    """
    seen = indices[:: max(1, len(indices) // _SLICES_SEEN)]
    kernels = [_kernel_mm(corpus.image(at, 0), corpus.pixel_mm(at)) for at in seen]
    if np.isfinite(kernels).any():
        return float(np.hypot(np.nanmedian(kernels), APERTURE_MM))
    return USUAL_SIGMA_MM


def _kernel_mm(hu: FloatImage, pixel_mm: float) -> float:
    frequency = noise_frequency_per_mm(hu, soft_tissue(hu), pixel_mm=pixel_mm)
    sigma_mm = noise_sigma_mm(frequency, pixel_mm=pixel_mm)
    coarser = np.isfinite(frequency) and not np.isfinite(sigma_mm)
    return COARSEST_PX * pixel_mm if coarser else sigma_mm


def _again(own_mm: float, words: str, pixel_mm: float) -> float:
    """Return the resolution of a series in a reconstruction, "" for that of the scan itself."""
    if not words:
        return own_mm
    added_mm2 = Reconstruction.of(words).added_blur_mm2(pixel_mm=pixel_mm)
    # Kernels that enhance edges read as none at all, so no other one counts as sharper.
    return float(np.sqrt(max(own_mm**2 + added_mm2, APERTURE_MM**2)))


def _kept(path: Path) -> dict[str, float]:
    if not path.exists():
        return {}
    try:
        held: dict[str, Any] = json.loads(path.read_text("utf-8"))
        known = {str(uid): float(mm) for uid, mm in held.get("mm", {}).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise CorpusError(f"{path} is damaged ({error}); delete it") from None
    if held.get("method") != _METHOD:
        raise CorpusError(
            f"{path.parent} was made by another ctiqa, which read resolutions otherwise; delete it"
            " and give 'ctiqa degrade' again"
        )
    return known
