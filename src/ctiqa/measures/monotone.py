"""Rising maps from scales to another: isotonic, sums of such, the logistic of four parameters."""

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from ctiqa.measures.correlation import Column

__all__ = ["AdditiveMap", "Logistic", "MonotoneMap"]

Columns: TypeAlias = npt.NDArray[np.float64]

_ROUNDS = 20

_STEEPEST = 1 / 50
"""Narrowest logistic, as a share of the span of the readings: steeper is a step, not a curve."""


@dataclass(frozen=True, slots=True, eq=False)
class MonotoneMap:
    """A rising map from what a meter says to the reference, linear between its knots.

    It rises strictly, also beyond its ends (at its mean slope): an order by the meter is the order
    by the map, so that rank correlations do not depend on how it was fitted.

    Args:
        at: (knots,) rising readings of the meter.
        value: (knots,) rising values of the reference.
    """

    at: Column
    value: Column

    @classmethod
    def fit(cls, reading: Column, reference: Column) -> Self:
        """Fit by isotonic regression; each of its steps becomes a knot at its mean reading.

        Args:
            reading: (n,) finite readings, higher is better; at least one.
            reference: (n,) finite references.
        """
        from scipy.optimize import isotonic_regression  # noqa: PLC0415 - slow; only a fit needs it

        levels, level_of, counts = np.unique(reading, return_inverse=True, return_counts=True)
        means = np.bincount(level_of, reference) / counts
        fitted = isotonic_regression(means, weights=counts).x
        value, step = np.unique(fitted, return_inverse=True)
        at = np.bincount(step, levels * counts) / np.bincount(step, counts)
        return cls(at, value)

    def __call__(self, reading: Column) -> Column:
        """Return the value at each reading, (n,)."""
        rise, run = self.value[-1] - self.value[0], self.at[-1] - self.at[0]
        beyond = reading - np.clip(reading, self.at[0], self.at[-1])
        slope = rise / run if run > 0 else 0.0
        return np.interp(reading, self.at, self.value) + slope * beyond


@dataclass(frozen=True, slots=True, eq=False)
class AdditiveMap:
    """A sum of rising maps, one for each of several meters.

    Args:
        base: the mean reference.
        maps: one for each meter; what it adds to the base.
    """

    base: float
    maps: tuple[MonotoneMap, ...]

    @classmethod
    def fit(cls, readings: Columns, reference: Column) -> Self:
        """Fit by backfitting (Hastie and Tibshirani, Generalized Additive Models, 1990).

        Args:
            readings: (n, meters), higher is better in each; NaN where a meter says nothing. Each
                has a reading somewhere.
            reference: (n,) finite references.
        """
        known, base = np.isfinite(readings), float(reference.mean())
        added = np.zeros_like(readings)
        maps: list[MonotoneMap] = []
        for _ in range(_ROUNDS):
            maps = []
            for at in range(readings.shape[1]):
                seen = known[:, at]
                left = reference - base - added.sum(axis=1) + added[:, at]
                rule = MonotoneMap.fit(readings[seen, at], left[seen])
                middle = float(rule(readings[seen, at]).mean())
                maps.append(MonotoneMap(rule.at, rule.value - middle))
                added[seen, at] = maps[-1](readings[seen, at])
        return cls(base, tuple(maps))

    def __call__(self, readings: Columns) -> Column:
        """Return the value of each row of readings, (n,); a silent meter adds nothing."""
        total = np.full(len(readings), self.base)
        for at, rule in enumerate(self.maps):
            seen = np.isfinite(readings[:, at])
            total[seen] += rule(readings[seen, at])
        return total


@dataclass(frozen=True, slots=True)
class Logistic:
    """The rising logistic of four parameters, s = low + (high - low) / (1 + exp(-(q - mid)/width)).

    What quality measures are usually mapped to readers' scores with: it levels off where readers
    see no difference any more.

    Args:
        low: value that it comes from, far below ``mid``.
        high: value that it goes to, far above; at least ``low``.
        mid: reading at which it stands half way.
        width: of the rise, in the unit of the readings; positive.

    >>> Logistic(low=0, high=4, mid=0.5, width=0.1)(np.array([-9.0, 0.5, 9.0])).round(6).tolist()
    [0.0, 2.0, 4.0]
    """

    low: float
    high: float
    mid: float
    width: float

    @classmethod
    def fit(cls, reading: Column, reference: Column) -> Self:
        """Fit by least squares.

        Both ends may lie one span of the references beyond them, so that nearly straight data are
        met, too.

        Args:
            reading: (n,) finite readings, higher is better; at least two of them differ.
            reference: (n,) finite references; at least two of them differ.
        """
        from scipy.optimize import least_squares  # noqa: PLC0415 - slow; only a fit needs it

        first, last = float(reading.min()), float(reading.max())
        bottom, top = float(reference.min()), float(reference.max())
        run, rise = last - first, top - bottom
        # Scaled to [0, 1] on both axes, so that the steps of the search suit any unit.
        x, y = (reading - first) / run, (reference - bottom) / rise

        def error(parameters: Column) -> Column:
            low, span, mid, log_width = parameters
            return np.asarray(low + span * expit((x - mid) / np.exp(log_width)) - y)

        lower = np.array([-1.0, 0.0, -1.0, np.log(_STEEPEST)])
        upper = np.array([1.0, 3.0, 2.0, np.log(2.0)])
        starts = ([0.0, 1.0, mid, np.log(0.15)] for mid in (0.3, 0.5, 0.7))
        fits = [least_squares(error, start, bounds=(lower, upper)) for start in starts]
        low, span, mid, log_width = min(fits, key=lambda each: float(each.cost)).x
        return cls(
            low=float(bottom + rise * low),
            high=float(bottom + rise * (low + span)),
            mid=float(first + run * mid),
            width=float(run * np.exp(log_width)),
        )

    def __call__(self, reading: Column) -> Column:
        """Return the value at each reading, (n,)."""
        unit = expit((reading - self.mid) / self.width)
        return np.asarray(self.low + (self.high - self.low) * unit, np.float64)
