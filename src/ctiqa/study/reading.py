"""What a table says, and what it does not, in plain sentences."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from scipy.stats import t as student_t

from ctiqa.measures.agreement import FEWEST_PATIENTS, Interval
from ctiqa.study.baselines import NOISE_ALONE
from ctiqa.study.worth import Worth

__all__ = ["difference", "read_table"]


def difference(one: Worth, other: Worth) -> Interval:
    """Return the 95 % interval of the mean difference in signed OPM, NaN below two seeds.

    Rows are paired by seed. It covers what another draw of weights, folds and examples would
    change, not what other patients would.
    """
    seeds = sorted(set(one.signed_opm) & set(other.signed_opm))
    if len(seeds) < 2:
        return Interval(math.nan, math.nan)
    paired = np.array([one.signed_opm[seed] - other.signed_opm[seed] for seed in seeds])
    half = student_t.ppf(0.975, len(seeds) - 1) * paired.std(ddof=1) / math.sqrt(len(seeds))
    return Interval(float(paired.mean() - half), float(paired.mean() + half))


def read_table(
    rows: Sequence[Worth], chosen: str, *, patients: int, ordered: bool = False
) -> tuple[str, ...]:
    """Return sentences about the rows of a table.

    Args:
        rows: that are done, in the order of the table.
        chosen: key of the row that the paper settled on.
        patients: how many were tested on.
        ordered: whether the rows go up in something, so that a trend can be asked for.
    """
    if not rows:
        return ("No row is done yet.",)
    known = [row for row in rows if math.isfinite(_mean(row))]
    silent = [row.words for row in rows if not math.isfinite(_mean(row))]
    return (
        *(_best(known, chosen) if known else ()),
        *_beside_chosen(known, chosen),
        *(_trend(known) if ordered and len(known) > 1 else ()),
        *_beside_noise(rows),
        *_silent(silent),
        *_doubts(rows, patients),
    )


def _silent(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield (
            "No correlation is defined, since every image got the same score by some seed, so that "
            f"nothing else is said of it: {', '.join(names)}."
        )


def _best(rows: Sequence[Worth], chosen: str) -> Iterator[str]:
    best = max(rows, key=_mean)
    ours = next((row for row in rows if row.key == chosen), None)
    if ours is None:
        yield (
            f"The highest signed OPM is {_mean(best):.4f} ({best.words}); the paper's choice is "
            "not done."
        )
    elif ours is best:
        yield (
            f"The paper's choice, {ours.words}, has the highest signed OPM here: {_mean(ours):.4f}."
        )
    else:
        yield (
            f"The highest signed OPM is {_mean(best):.4f} ({best.words}); the paper's choice, "
            f"{ours.words}, has {_mean(ours):.4f}."
        )


def _beside_chosen(rows: Sequence[Worth], chosen: str) -> Iterator[str]:
    ours = next((row for row in rows if row.key == chosen), None)
    others = [row for row in rows if row.key != chosen]
    if ours is None or not others:
        return
    ends = {row.words: difference(row, ours) for row in others}
    if any(math.isnan(each.low) for each in ends.values()):
        yield (
            "With fewer than two seeds a difference between rows cannot be told from the chance "
            "of one draw."
        )
    groups = {
        f"Below {ours.words} by more than the seeds explain": [
            name for name, each in ends.items() if each.high < 0
        ],
        f"Above {ours.words} by more than the seeds explain": [
            name for name, each in ends.items() if each.low > 0
        ],
        f"Not told apart from {ours.words} by these seeds": [
            name for name, each in ends.items() if each.low <= 0 <= each.high
        ],
    }
    for words, names in groups.items():
        if names:
            yield f"{words}: {', '.join(names)}."


def _trend(rows: Sequence[Worth]) -> Iterator[str]:
    steps = list(pairwise(rows))
    up = sum(_mean(after) > _mean(before) for before, after in steps)
    yield f"From row to row the signed OPM rises in {up} of {len(steps)} steps."


def _beside_noise(rows: Sequence[Worth]) -> Iterator[str]:
    known = [row for row in rows if row.gain is not None]
    if not known:
        yield "The noise of the images is not known, so no row is compared with a noise meter."
        return
    not_above = [row.words for row in known if not _surely_above(row)]
    if not not_above:
        yield f"Every row is above {NOISE_ALONE}."
    elif len(not_above) == len(known):
        yield f"No row is above {NOISE_ALONE}, which needs no network."
    else:
        yield f"No better than {NOISE_ALONE}, which needs no network: {', '.join(not_above)}."


def _surely_above(row: Worth) -> bool:
    return (row.gain or 0.0) > 0 and (row.gain_interval is None or row.gain_interval.low > 0)


def _doubts(rows: Sequence[Worth], patients: int) -> Iterator[str]:
    if patients < FEWEST_PATIENTS:
        yield (
            "An interval over patients needs three test patients: what another patient would "
            f"change is not known from {patients}."
        )
    if inverted := [row.words for row in rows if row.inverted]:
        yield (
            "A correlation is negative, so that OPM, a sum of absolute values, must not be quoted: "
            f"{', '.join(inverted)}."
        )


def _mean(row: Worth) -> float:
    return row.figures["signed_opm"].mean
