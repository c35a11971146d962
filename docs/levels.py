"""Draw what a score looks like: python docs/levels.py, again with every new model.

A synthetic chest gets noise until the shipped model gives it the score that is wanted, for each
level; at one level it is then blurred, denoised, and robbed of views.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ctiqa.degrade.blur import Blur
from ctiqa.degrade.degradation import Degradation
from ctiqa.degrade.smoothing import Smoothing
from ctiqa.degrade.sparse_views import SparseViews
from ctiqa.dose.simulate import Scan, noise_parts
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.phantom import chest_slice
from ctiqa.images.window import SOFT_TISSUE
from ctiqa.measures.global_noise import global_noise_hu
from ctiqa.outputs.picture import Panel, write_picture
from ctiqa.scoring.scorer import Scorer

FOLDER = Path(__file__).parent / "meaning"
PIXEL_MM = 0.75
LEVELS = (0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
ONE_LEVEL = 0.6
MIDDLE = np.s_[96:416, 96:416]

OTHERWISE: dict[str, Degradation] = {
    "blurred": Blur(0.75),
    "denoised": Smoothing("non_local_means", 1.0),
    "180 views": SparseViews(180),
}


def main() -> None:
    """Draw both pictures."""
    scorer, chest = Scorer(), chest_slice(level=0.5, pixel_mm=PIXEL_MM)
    scan = Scan(quanta=2e6)
    quantum, electronic = noise_parts(
        chest, scan=scan, rng=np.random.default_rng(0), quantum=1, electronic=1
    )

    def noisy(times: float) -> FloatImage:
        return np.asarray(chest.hu + times * (quantum + electronic), np.float32)

    FOLDER.mkdir(exist_ok=True)
    levels = [_panel(scorer, noisy(_times(scorer, noisy, level)), "noisy") for level in LEVELS]
    write_picture(levels, FOLDER / "levels.png", window=SOFT_TISSUE)
    times = _times(scorer, noisy, ONE_LEVEL)
    hu = noisy(times)
    at, noise_hu = replace(scan, quanta=scan.quanta / times**2), global_noise_hu(hu)
    panels = [_panel(scorer, hu, "noisy")]
    for words, degradation in OTHERWISE.items():
        degrade = degradation.prepare(chest.with_hu(hu), at, noise_hu=noise_hu)
        panels.append(_panel(scorer, np.asarray(degrade(hu), np.float32), words))
    write_picture(panels, FOLDER / "reasons.png", window=SOFT_TISSUE)


def _times(scorer: Scorer, noisy: Callable[[float], FloatImage], wanted: float) -> float:
    """Return how much noise it takes for the score nearest to the one that is wanted."""
    strengths = np.geomspace(0.3, 30, 60)
    scores = [_score(scorer, noisy(float(strength)))[0] for strength in strengths]
    return float(strengths[np.abs(np.array(scores) - wanted).argmin()])


def _score(scorer: Scorer, hu: FloatImage) -> list[float]:
    """Return score and sub-scores."""
    means: list[float] = scorer.parts_batch(hu[None], PIXEL_MM).mean(axis=1)[0].clip(0, 1).tolist()
    return means


def _panel(scorer: Scorer, hu: FloatImage, why: str) -> Panel:
    score, *parts = _score(scorer, hu)
    told = [f"{name} {value:.2f}" for name, value in zip(scorer.card.parts[1:], parts, strict=True)]
    return Panel(hu[MIDDLE], (f"{why}: {score:.2f}", f"{global_noise_hu(hu):.0f} HU", *told))


if __name__ == "__main__":
    main()
