"""What a column of scores is worth, beside what dose alone and noise alone would score."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ctiqa.measures.agreement import (
    FEWEST_PATIENTS,
    Agreement,
    Bootstrap,
    Interval,
    agreement,
    bootstrap,
    percentile_interval,
    within_dose,
)
from ctiqa.measures.conformal import Coverage, coverage
from ctiqa.measures.correlation import Column
from ctiqa.study.baselines import NOISE_ALONE, trivial_baselines
from ctiqa.study.dose_order import OrderedPairs, ordered_pairs
from ctiqa.study.evidence import EvidenceTable, TrainingImages
from ctiqa.study.map_evidence import MapAgreement

__all__ = ["MODEL", "Entry", "Evaluation", "Gain", "evaluate"]

MODEL = "model"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Gain:
    """Signed OPM of the model less that of another entry, with its paired 95 % interval."""

    signed_opm: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Entry:
    """One column of predictions held against the reference.

    Args:
        name: whose predictions they are.
        pooled: agreement over all images.
        intervals: 95 % interval of each pooled figure, over patients.
        within_dose: Spearman's correlation inside each dose level.
        ordered: adjacent pairs of doses, one item for each step.
        per_patient: agreement inside each patient.
        per_kind: agreement inside each kind of degradation, "" for a lower dose alone; empty where
            no image is degraded otherwise.
        gain: what the model has over this entry; None for the model.
    """

    name: str
    pooled: Agreement
    intervals: Mapping[str, Interval]
    within_dose: Mapping[float, float]
    ordered: tuple[OrderedPairs, ...]
    per_patient: Mapping[str, Agreement]
    per_kind: Mapping[str, Agreement]
    gain: Gain | None = None

    @property
    def share_in_order(self) -> float:
        """Share of all adjacent pairs of doses in the right order; NaN without any."""
        pairs = sum(step.pairs for step in self.ordered)
        return sum(step.right for step in self.ordered) / pairs if pairs else math.nan

    @property
    def inverted(self) -> bool:
        """Whether a correlation is negative, which the paper's OPM hides (METHOD 1.3, row 3)."""
        return min(self.pooled.plcc, self.pooled.srocc, self.pooled.krocc) < 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model and its rivals on one table of evidence; higher scores are better.

    Args:
        entries: the model first, then its rivals, then the trivial baselines.
        images: how many images were scored.
        patients: of how many patients; 0 where the table does not say.
        n_boot: number of resamples behind each interval.
        seed: of the resamples.
        about: what was evaluated, in words.
        notes: what a reader of the figures must know, in sentences.
        coverage: how often the model's intervals held the reference; None where it gives none, or
            the table names no patients.
        quality_map: how well the model's map agrees with the label of the cells; None without one.
    """

    entries: tuple[Entry, ...]
    images: int
    patients: int
    n_boot: int
    seed: int
    about: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    coverage: Coverage | None = None
    quality_map: MapAgreement | None = None

    @property
    def model(self) -> Entry:
        """The entry of the model."""
        return self.entries[0]

    @property
    def verdict(self) -> str:
        """Whether the model is worth more than a noise meter (METHOD 4, R5), in one sentence."""
        noise = next((entry for entry in self.entries if entry.name == NOISE_ALONE), None)
        if noise is None or noise.gain is None:
            return "not compared with a noise meter: the noise of the images is not known"
        low, high = noise.gain.interval
        words = "better" if low > 0 else "worse" if high < 0 else "no better"
        figures = f"signed OPM {noise.gain.signed_opm:+.3f} ({low:+.3f} to {high:+.3f})"
        doubt = "" if self.patients >= FEWEST_PATIENTS else ", an interval without meaning"
        return f"{words} than a noise meter: {figures}{doubt}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data for JSON; what is not defined is None."""
        entries = [
            asdict(entry)
            | {
                "share_in_order": entry.share_in_order,
                "within_dose": [
                    {"dose": dose, "srocc": value} for dose, value in entry.within_dose.items()
                ],
            }
            for entry in self.entries
        ]
        head = {"schema_version": SCHEMA_VERSION, "higher_is_better": True}
        held = self.coverage and self.coverage._asdict()
        body = asdict(self) | {
            "coverage": held,
            "interval_level": 0.95,
            "verdict": self.verdict,
            "entries": entries,
        }
        plain: dict[str, Any] = _plain(head | body)
        return plain


def evaluate(
    table: EvidenceTable,
    *,
    train: TrainingImages | None,
    n_boot: int = 1000,
    seed: int = 0,
    about: Mapping[str, str] | None = None,
) -> Evaluation:
    """Return what the scores of ``table`` are worth beside its rivals and the trivial baselines.

    Args:
        table: scores and references of patients nobody trained on.
        train: images of other patients, from which the baselines learn their map; without them
            they learn it from the evaluated images themselves, which flatters them.
        n_boot: resamples of the patients behind each interval.
        seed: of the resamples.
        about: what is evaluated, in words; kept with the result.
    """
    baselines = trivial_baselines(table, table.as_training() if train is None else train)
    columns = {MODEL: table.score, **table.rivals, **baselines}
    draws = {name: _resampled(table, column, n_boot, seed) for name, column in columns.items()}
    entries = [
        _entry(name, column, table, draws[name], None if name == MODEL else draws[MODEL])
        for name, column in columns.items()
    ]
    return Evaluation(
        entries=tuple(entries),
        images=len(table),
        patients=len(table.patients),
        n_boot=n_boot,
        seed=seed,
        about=about or {},
        notes=tuple(_notes(table, train, entries)),
        coverage=_coverage(table),
    )


def _coverage(table: EvidenceTable) -> Coverage | None:
    if table.interval is None or table.patient is None:
        return None
    return coverage(*table.interval, table.reference, table.patient)


def _resampled(table: EvidenceTable, column: Column, n_boot: int, seed: int) -> Bootstrap:
    # Every column starts from the same seed, so that all are resampled alike.
    rng = np.random.default_rng(seed)
    patient = np.arange(len(table)) if table.patient is None else table.patient
    return bootstrap(column, table.reference, patient, n_boot=n_boot, rng=rng)


def _entry(
    name: str, column: Column, table: EvidenceTable, draws: Bootstrap, model: Bootstrap | None
) -> Entry:
    pooled = agreement(column, table.reference)
    plain = np.ones(len(table), bool) if table.kind is None else table.kind == ""
    by_dose = (
        {}
        if table.dose is None
        else within_dose(column[plain], table.reference[plain], table.dose[plain])
    )
    kinds = [] if table.kind is None else [str(kind) for kind in np.unique(table.kind)]
    per_patient = {
        patient: agreement(column[rows], table.reference[rows])
        for patient in table.patients
        for rows in [table.patient == patient]
    }
    return Entry(
        name=name,
        pooled=pooled,
        intervals=draws.intervals(),
        within_dose=by_dose,
        ordered=_ordered(column, table),
        per_patient=per_patient,
        per_kind={
            kind: agreement(column[rows], table.reference[rows])
            for kind in kinds
            for rows in [table.kind == kind]
        },
        gain=None if model is None else _gain(table, pooled, model, draws),
    )


def _gain(table: EvidenceTable, pooled: Agreement, model: Bootstrap, draws: Bootstrap) -> Gain:
    name = "signed_opm"
    interval = percentile_interval(model.figure(name) - draws.figure(name))
    return Gain(agreement(table.score, table.reference).signed_opm - pooled.signed_opm, interval)


def _ordered(column: Column, table: EvidenceTable) -> tuple[OrderedPairs, ...]:
    if table.dose is None or table.slice_id is None:
        return ()
    owner = table.slice_id if table.patient is None else table.patient
    # Two patients may both have a slice called 12.
    _, slice_of = np.unique(np.stack([owner, table.slice_id]), axis=1, return_inverse=True)
    return ordered_pairs(column, table.dose, slice_of.ravel())


def _notes(
    table: EvidenceTable, train: TrainingImages | None, entries: list[Entry]
) -> Iterator[str]:
    patients = len(table.patients)
    if table.patient is None:
        yield (
            "The table names no patients: intervals resample single images and are too narrow "
            "where images of one patient are alike."
        )
    elif patients < FEWEST_PATIENTS:
        yield f"Intervals over {patients} patient{'s' * (patients > 1)} are not meaningful."
    if train is None:
        yield (
            "No training images were given: the trivial baselines learnt their map from the "
            "evaluated images themselves, which flatters them."
        )
    if table.noise_hu is not None and (missing := int(np.isnan(table.noise_hu).sum())):
        yield (
            f"The noise of {missing} of {len(table)} images is not known: there the noise meter "
            "is given the mean of its other readings."
        )
    for entry in entries:
        if entry.inverted:
            yield (
                f"A correlation of '{entry.name}' is negative: its OPM, a sum of absolute values, "
                "must not be quoted."
            )


def _plain(value: Any) -> Any:
    """Return ``value`` with NaN as None, which JSON has no word for."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
