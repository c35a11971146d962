"""Draw a synthetic chest scan, lower its dose twice, score all three: what ``make demo`` runs."""

import shutil
import sys
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from ctiqa.errors import CtiqaError

if TYPE_CHECKING:
    from ctiqa.outputs.picture import Panel
    from ctiqa.scoring.scorer import Scorer

__all__ = ["demo"]

_LOWER_DOSES = (0.5, 0.25)


def demo(folder: Path, *, slices: int = 12) -> None:
    """Print score and noise of a synthetic scan at three doses, and draw its middle slice.

    Args:
        folder: receives the three scans as DICOM, and ``demo.png``.
        slices: how many a scan has.
    """
    from ctiqa.dose.derived import simulate
    from ctiqa.dose.series import LowerDose
    from ctiqa.images.phantom import write_phantom_series
    from ctiqa.images.window import SOFT_TISSUE
    from ctiqa.outputs.picture import write_picture
    from ctiqa.scoring.scorer import Scorer

    scorer = Scorer()
    scan, lower = folder / "scan", folder / "lower"
    shutil.rmtree(lower, ignore_errors=True)  # of an earlier demo
    write_phantom_series(scan, slices=slices)
    print(f"A synthetic chest scan of {slices} slices is drawn: {scan}")
    simulation = simulate(scan, lower, lower=LowerDose(_LOWER_DOSES))
    (series,) = simulation.series
    print("Its dose is lowered:", *series.folders)
    print(f"All three are scored by {scorer.card.name}, in [0, 1], higher is better.\n")
    print("dose   mean score   mean noise in HU")
    doses = (1.0, *_LOWER_DOSES)
    panels = [
        _scored(path, dose, scorer)
        for path, dose in zip((scan, *series.folders), doses, strict=True)
    ]
    picture = folder / "demo.png"
    write_picture(panels, picture, window=SOFT_TISSUE)
    print(f"\nThe middle slice at the three doses: {picture}")


def _scored(scan: Path, dose: float, scorer: "Scorer") -> "Panel":
    """Score a scan, print its row of the table and return its middle slice with a caption."""
    from ctiqa.images.series import read
    from ctiqa.outputs.picture import Panel
    from ctiqa.scoring.predict import score

    (series,) = read(scan).series
    rows = score(scan, model=scorer).slices
    scores = [row.score for row in rows if row.score is not None]
    noise_hu = [row.noise_hu for row in rows if row.noise_hu is not None]
    print(f"{dose:<7g}{fmean(scores):<13.3f}{fmean(noise_hu):.1f}")
    middle = len(series) // 2
    words = f"dose {dose:g}, score {rows[middle].score:.2f}, noise {rows[middle].noise_hu:.0f} HU"
    return Panel(series[middle].hu[96:-96], (words,))  # above and below there is air


if __name__ == "__main__":
    try:
        demo(Path("demo-out"))
    except CtiqaError as error:
        sys.exit(f"ctiqa: {error}")
