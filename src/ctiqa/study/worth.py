"""What a row of a table is worth: its figures over seeds, patients and resamples of patients."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ctiqa.measures.agreement import (
    FEWEST_PATIENTS,
    Agreement,
    Interval,
    agreement,
    bootstrap,
    percentile_interval,
)
from ctiqa.measures.correlation import Column
from ctiqa.study.baselines import DOSE_ALONE, NOISE_ALONE, trivial_baselines
from ctiqa.study.kept import Images
from ctiqa.study.runs import Row

__all__ = ["FIGURES", "Scales", "Spread", "Worth"]

FIGURES = ("opm", "signed_opm", "plcc", "srocc", "krocc", "mae", "mse")
_WEIGHED = "signed_opm"
"""The figure that decides: OPM itself takes an inverted score for a good one."""


class Spread(NamedTuple):
    """A mean over seeds and the standard deviation between them, NaN for one seed."""

    mean: float
    sd: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of at least one value."""
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
        return cls(float(np.mean(values)), sd)


@dataclass(frozen=True, slots=True)
class Worth:
    """What a row, or a baseline, is worth.

    Args:
        key: of the row.
        words: what it is called.
        signed_opm: by seed, of those that are done.
        figures: over seeds, by name as in :class:`~ctiqa.measures.agreement.Agreement`.
        interval: 95 % interval over patients of the mean signed OPM; None with too few patients.
        gain: signed OPM more than noise alone; None where noise is not known.
        gain_interval: its paired interval over patients.
        per_patient: mean signed OPM inside each patient.
        inverted: whether a correlation is negative in some seed, which OPM hides.
    """

    key: str
    words: str
    signed_opm: Mapping[int, float]
    figures: Mapping[str, Spread]
    interval: Interval | None
    gain: float | None
    gain_interval: Interval | None
    per_patient: Mapping[str, float]
    inverted: bool


@dataclass(frozen=True)
class Scales:
    """Weighs rows on one set of images; what was computed once is not computed again.

    Args:
        images: that were judged.
        score_of: the kept scores of a run, by its name.
        n_boot: resamples of the patients.
        seed: of the resamples.
    """

    images: Images
    score_of: Callable[[str], Column]
    n_boot: int = 200
    seed: int = 0
    _drawn: dict[tuple[str, ...], Column] = field(default_factory=dict)

    @property
    def patients(self) -> list[str]:
        """Pseudonyms of the test patients."""
        return [str(name) for name in np.unique(self.images.patient)]

    def weigh(self, row: Row, done: frozenset[str]) -> Worth | None:
        """Return what a row is worth over the seeds whose runs are all done; None without any.

        Args:
            row: of a table.
            done: names of the runs that are done.
        """
        seeds = {
            seed: tuple(run.name for run in together)
            for seed, together in enumerate(row.runs)
            if all(run.name in done for run in together)
        }
        return self._worth(row.key, row.words, seeds) if seeds else None

    def baselines(self) -> tuple[Worth, ...]:
        """Return what dose alone and noise alone are worth, where they are known."""
        return tuple(
            self._worth(name, name, {0: (name,)})
            for name in (DOSE_ALONE, NOISE_ALONE)
            if name in self._trivial
        )

    def _worth(self, key: str, words: str, seeds: Mapping[int, tuple[str, ...]]) -> Worth:
        columns = [self._column(names) for names in seeds.values()]
        found = [agreement(column, self.images.reference) for column in columns]
        draws = self._mean_draws(list(seeds.values()))
        noise = self._noise
        signed = float(np.mean([one.signed_opm for one in found]))
        paired = None if draws is None or noise is None else self._mean_draws([(NOISE_ALONE,)])
        return Worth(
            key=key,
            words=words,
            signed_opm=dict(zip(seeds, (one.signed_opm for one in found), strict=True)),
            figures={f: Spread.of([getattr(one, f) for one in found]) for f in FIGURES},
            interval=None if draws is None else percentile_interval(draws),
            gain=None if noise is None else signed - noise.signed_opm,
            gain_interval=None
            if draws is None or paired is None
            else percentile_interval(draws - paired),
            per_patient={name: self._inside(name, columns) for name in self.patients},
            inverted=any(min(one.plcc, one.srocc, one.krocc) < 0 for one in found),
        )

    def _column(self, names: tuple[str, ...]) -> Column:
        columns = [self._trivial[n] if n in self._trivial else self.score_of(n) for n in names]
        mean: Column = np.mean(columns, axis=0)
        return mean

    @cached_property
    def _trivial(self) -> Mapping[str, Column]:
        table = self.images.evidence(np.zeros_like(self.images.reference))
        return trivial_baselines(table, self.images.train)

    @cached_property
    def _noise(self) -> Agreement | None:
        column = self._trivial.get(NOISE_ALONE)
        return None if column is None else agreement(column, self.images.reference)

    def _inside(self, patient: str, columns: Sequence[Column]) -> float:
        rows = self.images.patient == patient
        reference = self.images.reference[rows]
        return float(np.mean([agreement(each[rows], reference).signed_opm for each in columns]))

    def _mean_draws(self, seeds: Sequence[tuple[str, ...]]) -> Column | None:
        """Return signed OPM in every resample, the mean over seeds; None with too few patients."""
        if len(self.patients) < FEWEST_PATIENTS:
            return None
        mean: Column = np.mean([self._draws(names) for names in seeds], axis=0)
        return mean

    def _draws(self, names: tuple[str, ...]) -> Column:
        if names not in self._drawn:
            made = bootstrap(
                self._column(names),
                self.images.reference,
                self.images.patient,
                n_boot=self.n_boot,
                # One seed for all, so that every column meets the same patients.
                rng=np.random.default_rng(self.seed),
            )
            self._drawn[names] = made.figure(_WEIGHED)
        return self._drawn[names]
