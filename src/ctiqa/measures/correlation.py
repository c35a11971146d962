"""Pearson's, Spearman's and Kendall's correlation, aware of ties and as the paper prints them."""

from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Column", "Correlation", "columns", "inversions", "krocc", "plcc", "srocc"]

Column: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.int64]

_NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Correlation:
    """Every correlation of two checked columns; NaN where one of them is constant.

    Args:
        x: (n,) float64, finite.
        y: (n,) float64, finite.
    """

    x: Column
    y: Column

    @property
    def plcc(self) -> float:
        """Pearson's linear correlation (equation 7)."""
        return _NAN if self.constant else _cosine(self.x - self.x.mean(), self.y - self.y.mean())

    @property
    def srocc(self) -> float:
        """Spearman's correlation: Pearson's of the ranks, where ties share their mean rank."""
        middle = (self.x.size + 1) / 2
        return _NAN if self.constant else _cosine(*(rank - middle for rank in self._ranks))

    @property
    def srocc_eq8(self) -> float:
        """1 - 6 sum d^2 / (n (n^2 - 1)), equation 8: Spearman's where nothing is tied."""
        n, (rank_x, rank_y) = self.x.size, self._ranks
        squares = float(np.sum((rank_x - rank_y) ** 2))
        return _NAN if self.constant else 1 - 6 * squares / (n * (n * n - 1))

    @property
    def krocc(self) -> float:
        """Kendall's tau-b: concordant less discordant pairs, over the pairs that are not tied."""
        if self.constant:
            return _NAN
        untied_x, untied_y = (self._pairs - ranking.tied_pairs for ranking in self._rankings)
        return self._balance / sqrt(untied_x * untied_y)

    @property
    def tau_a(self) -> float:
        """Concordant less discordant pairs over all pairs, equation 9; with ties never 1."""
        return _NAN if self.constant else self._balance / self._pairs

    @property
    def constant(self) -> bool:
        """Whether a column holds one value only, so that nothing correlates with it."""
        return any(ranking.sizes.size == 1 for ranking in self._rankings)

    @cached_property
    def _rankings(self) -> "tuple[_Ranking, _Ranking]":
        return _Ranking.of(self.x), _Ranking.of(self.y)

    @cached_property
    def _ranks(self) -> tuple[Column, Column]:
        by_x, by_y = self._rankings
        return by_x.ranks, by_y.ranks

    @property
    def _pairs(self) -> int:
        return self.x.size * (self.x.size - 1) // 2

    @cached_property
    def _balance(self) -> int:
        """Concordant less discordant pairs, in O(n log n) (Knight, J Am Stat Assoc 61, 1966)."""
        by_x, by_y = self._rankings
        both = by_x.place * by_y.sizes.size + by_y.place
        tied = by_x.tied_pairs + by_y.tied_pairs - _Ranking.of(both).tied_pairs
        return self._pairs - tied - 2 * inversions(by_y.place[np.argsort(both)])


def plcc(score: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return Pearson's linear correlation of two columns, (n,) each."""
    return Correlation(*columns(score, reference)).plcc


def srocc(score: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return Spearman's tie-averaged correlation of two columns, (n,) each.

    >>> srocc([1, 2, 3], [10, 100, 1000])
    1.0
    """
    return Correlation(*columns(score, reference)).srocc


def krocc(score: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return Kendall's tau-b of two columns, (n,) each.

    >>> krocc([1, 2, 3, 4], [1, 2, 4, 3])
    0.6666666666666666
    """
    return Correlation(*columns(score, reference)).krocc


def columns(score: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[Column, Column]:
    """Return both columns as float64.

    Raises:
        ValueError: if they are empty, differ in length or hold NaN or infinity.
    """
    x, y = np.asarray(score, np.float64), np.asarray(reference, np.float64)
    if x.ndim != 1 or x.shape != y.shape or not x.size:
        raise ValueError(f"two columns of one length are compared, not {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a column that is compared holds finite numbers only")
    return x, y


def inversions(places: Places) -> int:
    """Return how many pairs of ``places``, (n,), stand in falling order.

    A merge sort that counts, all merges of one width at once.

    >>> inversions(np.array([2, 0, 1, 1]))
    3
    """
    size = 1 << (places.size - 1).bit_length()
    merged = np.full(size, np.iinfo(np.int64).max)
    merged[: places.size] = places
    half, falling = 1, 0
    while half < size:
        blocks = merged.reshape(-1, 2 * half)
        order = np.argsort(blocks, axis=1, kind="stable")
        # Each left element moves right by the number of right elements that it exceeds.
        moved_to = np.nonzero(order < half)[1]
        falling += int(moved_to.sum()) - len(blocks) * (half * (half - 1) // 2)
        merged = np.take_along_axis(blocks, order, axis=1)
        half *= 2
    return falling


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    place: Places  # (n,) dense: equal values share a place, and no place is left out
    sizes: Places  # (places,) how many values share each

    @classmethod
    def of(cls, values: npt.NDArray[np.generic]) -> "_Ranking":
        _, place, sizes = np.unique(values, return_inverse=True, return_counts=True)
        return cls(place.astype(np.int64), sizes.astype(np.int64))

    @property
    def ranks(self) -> Column:
        mean_rank = np.cumsum(self.sizes) - (self.sizes - 1) / 2
        return np.asarray(mean_rank[self.place], np.float64)

    @property
    def tied_pairs(self) -> int:
        return int((self.sizes * (self.sizes - 1) // 2).sum())


def _cosine(x: Column, y: Column) -> float:
    # Scaled first, so that no square of a very large or very small number is taken.
    x, y = x / np.abs(x).max(), y / np.abs(y).max()
    cosine = float(x @ y / np.sqrt((x @ x) * (y @ y)))
    return min(max(cosine, -1.0), 1.0)
