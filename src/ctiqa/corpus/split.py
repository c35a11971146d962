"""Split by patient; folds for the teachers."""

import csv
import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ctiqa.errors import CorpusError
from ctiqa.images.series import patient_key

__all__ = ["folds", "read_splits", "share_out"]


def folds(
    groups: Sequence[Hashable], *, count: int, seed: int, unit: str = "patient"
) -> npt.NDArray[np.int64]:
    """Return the fold, from 0, of each item, so that a group stays together and folds weigh alike.

    The largest group goes to the lightest fold, then the next; groups of one size in an order that
    ``seed`` draws.

    Args:
        groups: (n,) the patient (or slice, or image) that each item belongs to.
        count: number of folds.
        seed: of the order.
        unit: what a group is, in an error.

    Raises:
        CorpusError: if there are fewer groups than folds.

    >>> folds(["a", "b", "a", "c"], count=2, seed=0).tolist()
    [0, 1, 0, 1]
    """
    sizes = Counter(groups)
    if len(sizes) < count:
        raise CorpusError(
            f"{len(sizes)} {unit}s cannot be shared out among {count} folds; "
            "give a corpus with more of them or lower folds in the recipe"
        )
    names = list(sizes)
    drawn = [names[at] for at in np.random.default_rng(seed).permutation(len(names))]
    weights = [0] * count
    fold_of = {}
    for name in sorted(drawn, key=lambda name: -sizes[name]):
        lightest = weights.index(min(weights))
        fold_of[name] = lightest
        weights[lightest] += sizes[name]
    return np.array([fold_of[group] for group in groups], np.int64)


def read_splits(path: Path) -> dict[str, str]:
    """Return the split of each patient's pseudonym, from a CSV with columns patient and split.

    Args:
        path: table whose ``patient`` is the PatientID as the scans hold it.

    Raises:
        CorpusError: if the table cannot be read, lacks a column, or gives a patient two splits.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path} cannot be read as a table of splits ({error})") from error
    if not rows or not {"patient", "split"} <= rows[0].keys():
        raise CorpusError(f'{path} needs the columns "patient" and "split" and at least one row')
    splits: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        patient, split = (row["patient"] or "").strip(), (row["split"] or "").strip()
        if not patient or not split:
            raise CorpusError(f"{path}, line {line}: patient and split must not be empty")
        if splits.setdefault(patient_key(patient), split) != split:
            raise CorpusError(f"{path}, line {line}: {patient} was given another split above")
    return splits


def share_out(patients: Iterable[str], *, test_share: float, seed: int) -> dict[str, str]:
    """Return "train" or "test" for each patient, drawn at random with at least one of either.

    The order is drawn for each patient alone, so that a few more patients change little.

    Args:
        patients: their pseudonyms, repeated as often as one likes.
        test_share: share of the patients to be tested on; 0 tests on none.
        seed: of the order.

    >>> list(share_out(["a", "b", "c", "a"], test_share=0.2, seed=0).values()).count("test")
    1
    """
    order = sorted(
        set(patients), key=lambda patient: hashlib.sha256(f"{seed} {patient}".encode()).digest()
    )
    count = min(max(round(test_share * len(order)), 1), len(order) - 1) if test_share else 0
    return {patient: "test" if at < count else "train" for at, patient in enumerate(order)}
