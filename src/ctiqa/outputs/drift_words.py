"""Say in sentences what control charts show; here numbers are rounded, and only here."""

from ctiqa.protocol.drift import Alarm, Chart

__all__ = ["alarm_words", "dating_words", "limit_words"]

_DECIMALS, _MOST_DECIMALS = {"score": 3, "noise": 1}, 9


def alarm_words(chart: Chart, alarm: Alarm) -> str:
    """Return one alarm as a sentence without a full stop."""
    what = f"{'smoothed ' * alarm.smoothed}{chart.quantity.name}"
    way = "rose above its" if alarm.above else "fell below its"
    value, limit = _numbers(chart, alarm.value, alarm.limit)
    found = f"{value}, limit {limit}"
    words = f"{what} of {chart.group.words} {way} limit on {alarm.day}: {found}"
    if alarm.series > 1:
        words += f", and stayed there for {alarm.series} series"
    if alarm.lasting:
        words += ", up to the newest" if alarm.series > 1 else ", the newest series"
    return words + "; it is of the baseline itself" * alarm.in_baseline


def limit_words(chart: Chart) -> str:
    """Return what is normal by the baseline, or why nobody knows."""
    name = chart.quantity.name
    if chart.limits is None:
        return f"{name}: {chart.without_limits}"
    limits, held = chart.limits, sum(chart.in_baseline)
    centre, lower, upper = _numbers(chart, limits.centre, limits.lower, limits.upper)
    return f"{name}: {centre} on average over {held} series, limits {lower} and {upper}"


def dating_words(chart: Chart) -> str:
    """Return how many series lack the day of their acquisition; "" where none does."""
    undated = sum(not point.dated for point in chart.points)
    if not undated:
        return ""
    return (
        f"{undated} of {len(chart.points)} series stand at the day of their import, since the "
        "results do not say when they were acquired"
    )


def _numbers(chart: Chart, *values: float) -> list[str]:
    """Return unequal values with their unit, with as many decimals as tell them apart."""
    unit, decimals = chart.quantity.unit, _DECIMALS[chart.quantity.name]
    words = [f"{value:.{decimals}f}" for value in values]
    while len(set(words)) < len(values) and decimals < _MOST_DECIMALS:
        decimals += 1
        words = [f"{value:.{decimals}f}" for value in values]
    return [f"{word} {unit}".rstrip() for word in words]
