"""Draw a synthetic chest scan, lower its dose twice, score all three: what ``make demo`` runs."""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from ctiqa.errors import CtiqaError

if TYPE_CHECKING:
    from ctiqa.dose.simulate import Scan
    from ctiqa.images.ct_slice import CTSlice
    from ctiqa.images.series import Series
    from ctiqa.scoring.result import ScoreReport

__all__ = ["demo"]

_DOSES = (1.0, 0.5, 0.25)


def demo(folder: Path = Path("demo-out"), *, slices: int = 12) -> None:
    """Print score and noise of a synthetic scan at three doses, and draw its middle slice.

    Args:
        folder: receives the scan as DICOM, and ``demo.png``.
        slices: how many the scan has.
    """
    from ctiqa.dose.simulate import calibrate
    from ctiqa.images.phantom import write_phantom_series
    from ctiqa.images.series import read
    from ctiqa.images.window import SOFT_TISSUE
    from ctiqa.outputs.picture import Panel, write_picture
    from ctiqa.scoring.predict import score
    from ctiqa.scoring.scorer import Scorer

    scorer = Scorer()
    scan = folder / "scan"
    write_phantom_series(scan, slices=slices)
    print(f"A synthetic chest scan of {slices} slices lies in {scan}.")
    (series,) = read(scan).series
    scans = calibrate(series)
    print(f"Scored by {scorer.card.name}: a score in [0, 1], higher is better.\n")
    print("dose   mean score   noise in HU")
    panels = []
    for dose in _DOSES:
        lowered = list(_lowered(series, scans, dose))
        report = score(iter(lowered), model=scorer)
        mean_score, noise_hu = _means(report)
        print(f"{dose:<7}{mean_score:<13.3f}{noise_hu:.1f}")
        middle = slices // 2
        row = report.slices[middle]
        caption = f"dose {dose:g}: score {row.score:.2f}, noise {row.noise_hu:.0f} HU"
        panels.append(Panel(lowered[middle].hu, (caption,)))
    picture = folder / "demo.png"
    write_picture(panels, picture, window=SOFT_TISSUE)
    print(f"\nThe middle slice at the three doses is drawn in {picture}.")
