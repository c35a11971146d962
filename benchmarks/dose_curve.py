"""Time a dose curve against the way by files: ``ctiqa simulate`` to DICOM, then ``ctiqa score``.

    python benchmarks/dose_curve.py [SCAN] [STEP]

Both take every STEP-th slice of SCAN, or of a synthetic chest of six slices, at the same doses with
the same seed, and as many threads as there are cores; calibration, reading and writing included.
They take turns, and the medians of the same run are compared.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ctiqa.dose.derived import simulate
from ctiqa.dose.series import LowerDose
from ctiqa.images.phantom import write_phantom_series
from ctiqa.images.series import read
from ctiqa.protocol.dose_curve import DOSES, dose_curves
from ctiqa.protocol.lowest_dose import Goal
from ctiqa.scoring.predict import score
from ctiqa.scoring.scorer import Scorer
from ctiqa.scoring.workers import cores

ROUNDS = 3

Way = Callable[[], int]


def main() -> None:
    scorer = Scorer(threads=1)
    with TemporaryDirectory() as folder:
        scan = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder, "chest")
        step = int(sys.argv[2]) if len(sys.argv) > 2 else 1
        if len(sys.argv) < 2:
            write_phantom_series(scan, slices=6)
        ways: dict[str, Way] = {
            "ctiqa dose-curve": lambda: in_memory(scan, step, scorer),
            "simulate, then score": lambda: by_files(scan, step, scorer),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        images = 0
        for _ in range(ROUNDS):
            for name, way in ways.items():
                begin = time.perf_counter()
                images = way()
                seconds[name].append(time.perf_counter() - begin)
    ours_s = median(seconds["ctiqa dose-curve"])
    print(f"{images} images of {len(DOSES)} doses, {cores()} threads, median of {ROUNDS} rounds\n")
    print(f"{'':22}seconds   a slice and dose   times dose-curve")
    for name, each in seconds.items():
        elapsed_s = median(each)
        print(f"{name:22}{elapsed_s:7.1f}{elapsed_s / images:19.3f}{elapsed_s / ours_s:19.2f}")


def in_memory(scan: Path, step: int, scorer: Scorer) -> int:
    """Draw the curve, and return how many images were scored for it."""
    reading = read(scan, size=scorer.card.size)
    goal = Goal(0.95, relative=True)
    curves = dose_curves(reading, scorer, goal=goal, step=step, threads=cores())
    return sum(point.slices for curve in curves.curves for point in curve.points)


def by_files(scan: Path, step: int, scorer: Scorer) -> int:
    """Write the scan at every dose, score what was written, and return how many images that was."""
    with TemporaryDirectory() as folder:
        simulate(scan, folder, lower=LowerDose(DOSES), step=step, threads=cores())
        return len(score(folder, model=scorer, threads=cores()))


if __name__ == "__main__":
    main()
