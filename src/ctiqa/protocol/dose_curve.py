"""Quality against dose for one's own scan: lower its dose step by step, and score each step."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, count
from statistics import fmean

import numpy as np
import numpy.typing as npt

from ctiqa.card import Card
from ctiqa.dose.series import LowerDose, Readable, at_doses
from ctiqa.dose.simulate import Scan, calibrate
from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import CTSlice
from ctiqa.images.refusal import Refusal
from ctiqa.images.series import Reading, Series
from ctiqa.measures.agreement import Interval
from ctiqa.measures.correlation import Column
from ctiqa.protocol.dose_result import DoseCurve, DoseCurves, DosePoint
from ctiqa.protocol.lowest_dose import Goal, answer, block_draws, mean_interval
from ctiqa.scoring.applicability import judge
from ctiqa.scoring.predict import score
from ctiqa.scoring.privacy import DISCREET, discreet
from ctiqa.scoring.result import SliceResult
from ctiqa.scoring.scorer import Scorer
from ctiqa.scoring.workers import in_order

__all__ = ["DOSES", "FEWEST_SLICES", "dose_curve", "dose_curves"]

DOSES = (1.0, 0.75, 0.5, 0.35, 0.25, 0.18, 0.13, 0.1)
"""Nearly even in the logarithm, which noise follows."""

FEWEST_SLICES = 3
_DRAWS = 1000

Progress = Callable[[int, int], None]
"""Called with (done, of) after every slice that was measured and every image scored."""


def dose_curves(
    reading: Reading,
    scorer: Scorer,
    *,
    doses: Sequence[float] = DOSES,
    goal: Goal,
    step: int = 1,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = lambda _done, _of: None,
) -> DoseCurves:
    """Return a curve for each series; what has none stands among the refusals.

    Args:
        reading: what :func:`ctiqa.read` returned, at the size that the model takes.
        scorer: the model.
        doses: fractions of the scan's own dose, in (0, 1]; the full dose is always added.
        goal: the score that is to be kept.
        step: take every how many slices of a series.
        seed: of all that is drawn; the same seed gives the same result.
        threads: slices at work at once; the result does not depend on it.
        progress: told how far all the series have come.

    Raises:
        ReadError: if no series has a curve.
        ValueError: if a dose is outside (0, 1].
    """
    lower = LowerDose(tuple(sorted({1.0, *doses}, reverse=True)), seed=seed)
    reading = discreet(reading, DISCREET)
    series = [replace(one, headers=one.headers[::step]) for one in reading.series]
    whole = sum(map(len, series)) * (1 + len(lower.doses))
    refusals = list(reading.refusals)
    curves = []
    begun = 0
    for one in series:
        try:
            told = partial(_shifted, progress, begun, whole)
            curve = dose_curve(one, scorer, lower=lower, goal=goal, threads=threads, progress=told)
        except ReadError as error:
            refusals.append(Refusal(one.headers[0].identity.path, str(error)))
        else:
            curves.append(curve)
            refusals.extend(curve.refusals)
        begun += len(one) * (1 + len(lower.doses))
    if not curves:
        reasons = "; ".join(f"{one.path}: {one.reason}" for one in refusals[:3])
        raise ReadError(f"no series could be drawn against dose ({reasons or 'no CT was found'})")
    return DoseCurves(
        curves=tuple(curves),
        refusals=tuple(refusals),
        goal=goal,
        step=step,
        seed=seed,
        model=scorer.card.name,
        model_sha256=scorer.sha256,
    )


def _shifted(progress: Progress, begun: int, whole: int, done: int, _of: int) -> None:
    """Tell of one series how far all of them have come."""
    progress(begun + done, whole)


def dose_curve(
    series: Series,
    scorer: Scorer,
    *,
    lower: LowerDose,
    goal: Goal,
    threads: int = 1,
    progress: Progress = lambda _done, _of: None,
) -> DoseCurve:
    """Return quality against dose of one series, every slice of which is taken.

    Args:
        series: read at the size that the model takes.
        scorer: the model.
        lower: which doses, from 1 down, and how they are simulated.
        goal: the score that is to be kept.
        threads: slices at work at once; the result does not depend on it.
        progress: told how far it has come.

    Raises:
        ReadError: if fewer than three slices can be scored at every dose.
    """
    steps = len(series) * (1 + len(lower.doses))
    read = count(1)
    # Every slice is read more than once, which nobody counts on.
    slices = Readable(series.headers, lambda: progress(min(next(read), len(series)), steps))
    scans = calibrate(slices, seed=lower.seed, electronic=lower.electronic, threads=threads)
    lowered = _Lowered(replace(slices, on_load=lambda: None), scans, lower, scorer.card, threads)
    report = score(
        lowered,
        model=scorer,
        threads=threads,
        progress=lambda done, _of: progress(len(series) + done, steps),
    )
    rows = _complete(report.slices, len(lower.doses))
    if len(rows) < FEWEST_SLICES:
        raise ReadError(
            f"a dose curve needs {FEWEST_SLICES} slices that can be scored, and of the "
            f"{len(series)} taken of this series {len(rows)} can; take a smaller step or a longer "
            "series"
        )
    progress(steps, steps)
    scores = np.array([[row.score for row in doses] for doses in rows], np.float64)
    draws = block_draws(len(rows), draws=_DRAWS, rng=np.random.default_rng(lower.seed))
    points = _points(rows, scores, lower.doses, draws)
    quanta = [scan.quanta for scan in scans]
    return DoseCurve(
        study_instance_uid=series.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        source=series.headers[0].identity.path,
        points=points,
        answer=answer(np.array(lower.doses[::-1]), scores[:, ::-1], goal, draws),
        quanta=Interval(min(quanta), max(quanta)),
        notes=(*series.notes, *lowered.notes(), *_beyond_training(points, scorer.card)),
        refusals=tuple(_unnamed(slices.refusals[index]) for index in sorted(slices.refusals)),
    )


def _unnamed(refusal: Refusal) -> Refusal:
    """Return a refusal whose reason does not repeat its path."""
    return replace(refusal, reason=refusal.reason.removeprefix(f"{refusal.path}: "))


@dataclass(frozen=True)
class _Lowered:
    """The slices of one series at every dose, made while they are read, and what is said of them.

    Iterating yields those that can be scored, slice by slice, from the first dose to the last.
    """

    slices: Readable
    scans: Sequence[Scan]
    lower: LowerDose
    card: Card
    threads: int
    said: list[tuple[str, ...]] = field(default_factory=list)

    def __iter__(self) -> Iterator[CTSlice]:
        def make(index: int) -> tuple[list[CTSlice], tuple[str, ...]]:
            ct_slice = self.slices[index]
            if index in self.slices.refusals:
                return [], ("not scored, since it could not be read",)
            verdict = judge(ct_slice, self.card, noise_hu=float("nan"))
            if verdict.status == "not_scored":
                return [], tuple(f"not scored, since {reason}" for reason in verdict.reasons)
            images, doubts = at_doses(ct_slice, scan=self.scans[index], lower=self.lower)
            return [ct_slice.with_hu(hu) for hu in images], (*verdict.reasons, *doubts)

        for images, said in in_order(make, range(len(self.slices)), self.threads):
            self.said.append(said)
            yield from images

    def notes(self) -> list[str]:
        """Return what was said of slices, and of how many."""
        counted = Counter(chain.from_iterable(self.said))
        return [f"{many} of {len(self.said)} slices: {words}" for words, many in counted.items()]


def _complete(rows: Sequence[SliceResult], doses: int) -> list[Sequence[SliceResult]]:
    """Return the rows slice by slice, of those slices that were scored at every dose."""
    slices = [rows[first : first + doses] for first in range(0, len(rows), doses)]
    return [each for each in slices if all(row.score is not None for row in each)]


def _points(
    rows: Sequence[Sequence[SliceResult]],
    scores: npt.NDArray[np.float64],
    doses: Sequence[float],
    draws: npt.NDArray[np.intp],
) -> tuple[DosePoint, ...]:
    """Return the points of a curve; rows and scores are (slices, doses), the full dose first."""
    noise_hu = np.array([[row.noise_hu for row in each] for each in rows], np.float64)
    full_dose_hu = np.where(noise_hu[:, :1] > 0, noise_hu[:, :1], np.nan)
    law = noise_hu / full_dose_hu * np.sqrt(doses)
    return tuple(
        DosePoint(
            dose_fraction=dose,
            score=float(scores[:, place].mean()),
            score_low=mean_interval(scores[:, place], draws).low,
            score_high=mean_interval(scores[:, place], draws).high,
            noise_hu=_median(noise_hu[:, place]),
            slices=len(rows),
            noise_law_ratio=_median(law[:, place]),
            model_low=_mean_of("score_low", [each[place] for each in rows]),
            model_high=_mean_of("score_high", [each[place] for each in rows]),
        )
        for place, dose in enumerate(doses)
    )


def _mean_of(name: str, rows: Sequence[SliceResult]) -> float | None:
    """Return the mean of what not every model tells, None where it does not."""
    known = [value for row in rows if (value := getattr(row, name)) is not None]
    return fmean(known) if known else None


def _beyond_training(points: Sequence[DosePoint], card: Card) -> Iterator[str]:
    """Yield, in words, at which doses the noise is not what the model was trained on."""
    if card.training_range.noise_hu is None:
        return
    low, high = card.training_range.noise_hu
    doses = [
        f"{point.dose_fraction:g}"
        for point in points
        if point.noise_hu is not None and not low <= point.noise_hu <= high
    ]
    if doses:
        yield (
            f"the noise lies outside the model's training ({low:.4g} to {high:.4g} HU) at dose "
            f"{', '.join(doses)}, where the curve is a guess"
        )


def _median(values: Column) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None
