"""What a trustworthy score must do, each law with its bound (METHOD 4)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from ctiqa.protocol.trials import DENOISERS, MORE_NOISE, RESIDUALS_HU, VIEWS, Tried

__all__ = ["Check", "checks"]

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Check:
    """One law, and whether the score keeps it.

    Args:
        law: its letter in METHOD 4.
        words: what a score must do.
        tried: what was done, in words.
        figure: what was found; None where it could not be tried.
        bound: what is allowed.
        at_least: whether the figure must reach the bound, not stay below it.
        unit: "%" or "" of figure and bound.
    """

    law: str
    words: str
    tried: str
    figure: float | None
    bound: float
    at_least: bool
    unit: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether the law holds; None where it could not be tried."""
        if self.figure is None:
            return None
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound


def checks(rows: Sequence[Tried]) -> tuple[Check, ...]:
    """Return every law with what the slices showed."""
    return (*_noise(rows), *_blur(rows), *_denoisers(rows), *_indifference(rows))


def _noise(rows: Sequence[Tried]) -> Iterator[Check]:
    doses = np.array([list(row.doses.values()) for row in rows])
    ladder = doses[:, [0, 2, 3, 4]]
    yield _share(
        "M1", "fall with dose", "doses 1, 0.5, 0.25, 0.1, neighbours", np.diff(ladder) < 0, 99
    )
    yield _share("M1", "fall with dose", "doses 1 and 0.75", doses[:, 1] < doses[:, 0], 90)
    yield _share(
        "M2",
        "never rise above full dose",
        "all doses, by more than 0.02",
        doses[:, 1:] <= doses[:, :1] + 0.02,
        99,
    )
    yield _least(
        "M3", "fall enough", "dose 1 to 0.25, median", [np.median(doses[:, 0] - doses[:, 3])], 0.2
    )
    ladder_down = -np.arange(doses.shape[1])
    # A score that is the same at every dose follows none of them.
    ranks = np.nan_to_num([stats.spearmanr(ladder_down, row).statistic for row in doses])
    yield _least("M3", "follow the dose", "Spearman with dose, worst slice", ranks, 0.95)
    whole = np.array([row.whole for row in rows])
    more = np.array([list(row.more_noise.values()) for row in rows])
    for share, scores, least in zip(MORE_NOISE, more.T, (90, 97, 99), strict=True):
        yield _share("M8", "see added noise", f"{share:.0%} more noise", scores < whole, least)
    yield _share(
        "M8", "never like noise", "5 to 20 % more noise", more > whole[:, None], 3, at_most=True
    )
    apart = [abs(mean - single) for row in rows for mean, single in row.averaged]
    yield _most(
        "M6",
        "take an average for a higher dose",
        "means of 2 and 4 images, median",
        [np.median(apart)],
        0.03,
    )
    spread = [np.std(row.reseeded) for row in rows]
    yield _most(
        "I7",
        "not depend on the draw of the noise",
        "SD of 10 draws at half dose, median",
        [np.median(spread)],
        0.02,
    )


def _blur(rows: Sequence[Tried]) -> Iterator[Check]:
    whole = np.array([[row.whole] for row in rows])
    blurs = np.array([list(row.blurs_mm.values()) for row in rows])
    rises = np.diff(np.hstack([whole, blurs]))
    yield _most("M4", "never rise with blur", "0.35 to 1.4 mm, largest rise", rises, 0.02)
    yield _least("M4", "fall with blur", "1.05 mm, smallest fall", whole[:, 0] - blurs[:, 2], 0.05)
    mild = np.array([list(row.blurs_px.values()) for row in rows])
    for words, scores, least in zip(("0.5 px", "1 px"), mild.T, (95, 99.5), strict=True):
        yield _share("M9", "see slight blur", words, scores < whole[:, 0], least)
    views = np.array([list(row.views.values()) for row in rows])
    steps = np.diff(np.hstack([whole, views])) <= 0
    tried = ", ".join(map(str, VIEWS))
    yield _share("M5", "fall with fewer views", f"{tried} views, neighbours", steps, 99)
    yield _least(
        "M5", "fall with streaks", "60 views, smallest fall", whole[:, 0] - views[:, 2], 0.1
    )


def _denoisers(rows: Sequence[Tried]) -> Iterator[Check]:
    words = "not be fooled by a denoiser"
    residuals = f"residual SD {RESIDUALS_HU[0]:g} to {RESIDUALS_HU[-1]:g} HU"
    for name in DENOISERS:
        title = name.replace("_", " ")
        if name not in rows[0].filtered:
            absent = f"{title}: needs scikit-image"
            yield Check("M7", words, absent, None, 3, at_least=False, unit="%")
            continue
        fooled = np.array([score > row.whole for row in rows for score in row.filtered[name]])
        yield _share(
            "M7", words, f"{title}, {residuals}, above its source", fooled, 3, at_most=True
        )
        fooled = np.array([score > row.whole for row in rows for score in row.filtered_low[name]])
        yield _share(
            "M7", words, f"{title} at quarter dose, above full dose", fooled, 1, at_most=True
        )


def _indifference(rows: Sequence[Tried]) -> Iterator[Check]:
    air = [abs(row.air - row.whole) for row in rows]
    yield _most(
        "I1",
        "ignore table and air",
        "all outside the body at -1000 HU, median",
        [np.median(air)],
        0.02,
    )
    yield _most("I1", "ignore table and air", "the same, largest", air, 0.05)
    turned = np.array([np.abs(np.array(row.turned) - row.whole) for row in rows])
    yield _most("I2", "ignore orientation", "seven flips and turns, mean", [turned.mean()], 0.02)
    yield _most("I2", "ignore orientation", "the same, largest", turned, 0.05)
    shifted = np.array([np.abs(np.array(row.shifted) - row.whole) for row in rows])
    yield _most("I3", "ignore a shift", "8 pixels each way, mean", [shifted.mean()], 0.02)
    offset = np.array([np.abs(np.array(row.offset) - row.whole) for row in rows])
    yield _most("I6", "ignore an offset", "10 HU more and less, mean", [offset.mean()], 0.02)


def _share(
    law: str,
    words: str,
    tried: str,
    cases: npt.NDArray[np.bool_],
    bound: float,
    *,
    at_most: bool = False,
) -> Check:
    """Return a law about the share of cases in which something holds, in percent."""
    figure = 100 * float(np.mean(cases)) if cases.size else None
    return Check(law, words, tried, figure, bound, at_least=not at_most, unit="%")


def _most(
    law: str, words: str, tried: str, values: Iterable[float] | Numbers, bound: float
) -> Check:
    return Check(law, words, tried, float(np.max(np.asarray(values))), bound, at_least=False)


def _least(
    law: str, words: str, tried: str, values: Iterable[float] | Numbers, bound: float
) -> Check:
    return Check(law, words, tried, float(np.min(np.asarray(values))), bound, at_least=True)
