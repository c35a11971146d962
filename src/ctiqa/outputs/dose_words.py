"""Say in words what a dose curve shows; here numbers are rounded, and only here."""

from math import inf

from ctiqa.protocol.dose_result import DoseCurve
from ctiqa.protocol.lowest_dose import Answer, Goal

__all__ = ["answer_words", "curve_lines", "goal_words", "percent"]

_TWO_DIGITS = 10


def percent(dose_fraction: float) -> str:
    """Return a dose in percent, with at least two digits below ten.

    >>> percent(1.0), percent(0.1), percent(0.4567), percent(0.0234)
    ('100 %', '10 %', '46 %', '2.3 %')
    """
    value = 100 * dose_fraction
    return f"{value:.0f} %" if value >= _TWO_DIGITS else f"{value:.2g} %"


def goal_words(goal: Goal, threshold: float) -> str:
    """Return which score was wanted.

    >>> goal_words(Goal(0.95, relative=True), 0.6123)
    '95 % of the full-dose score (0.612)'
    """
    if goal.relative:
        return f"{100 * goal.value:.4g} % of the full-dose score ({threshold:.3f})"
    return f"a score of {threshold:.3f}"


def answer_words(answer: Answer, goal: Goal, *, lowest: float) -> str:
    """Return down to which dose the wanted score is kept, with the interval.

    Args:
        answer: what was found.
        goal: the score that was wanted.
        lowest: the lowest dose that was tried.
    """
    wanted = goal_words(goal, answer.threshold)
    interval = f"(95 % interval {_interval_words(answer, lowest)})"
    if answer.dose_fraction is not None:
        return f"{wanted} is kept down to {percent(answer.dose_fraction)} of the dose {interval}"
    if answer.low == 0:
        return f"{wanted} is kept: the limit is not reached even at {percent(lowest)} {interval}"
    return f"{wanted} is not kept: already below at full dose {interval}"


def curve_lines(curve: DoseCurve, goal: Goal) -> list[str]:
    """Return a curve in a few lines for people."""
    full, last = curve.points[0], curve.points[-1]
    name = curve.series_instance_uid or "without UID"
    fewest, most = curve.quanta
    quanta = f"{fewest:.2g} to {most:.2g} quanta per ray"
    lowest = percent(last.dose_fraction)
    return [
        f"Series {name} ({curve.source}): {full.slices} slices, {quanta}",
        f"  score: {full.score:.3f} at full dose, {last.score:.3f} at {lowest}",
        f"  lowest dose: {answer_words(curve.answer, goal, lowest=last.dose_fraction)}",
        f"  noise law: {_noise_words(curve)}",
        *(f"  note: {note}" for note in curve.notes),
    ]


def _interval_words(answer: Answer, lowest: float) -> str:
    """Return the interval; its ends may lie outside the doses that were tried."""
    low, high = answer.interval
    if high <= lowest:
        return f"below {percent(lowest)}"
    if low >= 1:
        return "above the full dose"
    begin = percent(low) if low else f"below {percent(lowest)}"
    end = "above the full dose" if high == inf else percent(high)
    return f"{begin} to {end}"


def _noise_words(curve: DoseCurve) -> str:
    last = curve.points[-1]
    ratios = [
        point.noise_law_ratio
        for point in curve.points
        if point.dose_fraction < 1 and point.noise_law_ratio is not None
    ]
    if not ratios or last.noise_hu is None or last.dose_by_noise is None:
        return "not tried, since the slices show too little soft tissue or no lower dose was asked"
    return (
        f"measured noise is {min(ratios):.2f} to {max(ratios):.2f} times full-dose noise / "
        f"sqrt(dose); {last.noise_hu:.1f} HU at {percent(last.dose_fraction)} suggest "
        f"{percent(last.dose_by_noise)} of the dose"
    )
