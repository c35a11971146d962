"""Say in words, and in a small table, what a comparison found."""

from ctiqa.measures.agreement import Interval
from ctiqa.protocol.compared import Comparison, Difference

__all__ = ["as_words", "verdict"]


def verdict(found: Comparison) -> str:
    """Return one sentence: which side is better, by how much, and on what; rounded only here."""
    score = found.score
    low, high = score.mean_interval
    if found.better is None:
        by = f"No difference found: A minus B is {score.mean:.3f} (95 % {low:.3f} to {high:.3f})"
    else:
        ends = sorted((abs(low), abs(high)))
        # Of two patients neither is better, whatever their scores.
        verb = "is better" if found.paired else "scores higher"
        by = f"{found.better} {verb} by {abs(score.mean):.3f} (95 % {ends[0]:.3f} to {ends[1]:.3f})"
    how, kind = ("paired", "pairs of series") if found.paired else ("unpaired", "series")
    many = f" of {found.series} {kind}" if found.series > 1 else ""
    doubt = "; read the doubts first" if found.doubts else ""
    return f"{by} on {score.slices} {how} slices{many}{doubt}."


def as_words(found: Comparison) -> str:
    """Return the verdict, the figures behind it, and all that has to be known of them."""
    rows = [["", "A", "B", "A - B", "95 %", "median", "95 %"], _row("score", found.score, 3)]
    if found.noise_hu is not None:
        rows.append(_row("noise (HU)", found.noise_hu, 2))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    lines = [verdict(found), "", *table, ""]
    if found.share_a_better is not None:
        lines.append(f"A scores higher in {found.share_a_better:.0%} of the pairs.")
    whom = "series like these" if found.over_series else "these scans, not of others like them"
    lines.append(f"The intervals speak of {whom}.")
    lines += [f"Doubt: {each}" for each in found.doubts]
    lines += [f"Note: {each}" for each in found.notes]
    return "\n".join(lines) + "\n"


def _row(name: str, found: Difference, digits: int) -> list[str]:
    return [
        name,
        f"{found.mean_a:.{digits}f}",
        f"{found.mean_b:.{digits}f}",
        f"{found.mean:.{digits}f}",
        _ends(found.mean_interval, digits),
        f"{found.median:.{digits}f}",
        _ends(found.median_interval, digits),
    ]


def _ends(interval: Interval, digits: int) -> str:
    return f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"
