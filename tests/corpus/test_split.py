"""Laws of splits and folds."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiqa.corpus.split import folds, read_splits
from ctiqa.errors import CorpusError


@given(st.lists(st.integers(0, 9), min_size=30, max_size=200), st.integers(0, 5))
def test_a_patient_is_never_in_two_folds_and_no_fold_is_empty(groups: list[int], seed: int) -> None:
    count = min(3, len(set(groups)))
    parts = folds(groups, count=count, seed=seed)
    homes = {
        group: {int(p) for g, p in zip(groups, parts, strict=True) if g == group}
        for group in groups
    }
    assert all(len(home) == 1 for home in homes.values())
    assert set(parts.tolist()) == set(range(count))


@given(st.lists(st.integers(0, 9), min_size=30, max_size=200), st.integers(0, 5))
def test_folds_differ_by_no_more_than_the_largest_patient(groups: list[int], seed: int) -> None:
    count = min(3, len(set(groups)))
    sizes = np.bincount(folds(groups, count=count, seed=seed), minlength=count)
    assert sizes.max() - sizes.min() <= max(Counter(groups).values())


def test_equal_seeds_give_equal_folds_and_another_seed_others() -> None:
    groups = list(range(40))
    first = folds(groups, count=5, seed=1)
    assert (first == folds(groups, count=5, seed=1)).all()
    assert (first != folds(groups, count=5, seed=2)).any()


def test_images_that_all_stand_alone_are_shared_out_evenly() -> None:
    sizes = np.bincount(folds(list(range(100)), count=5, seed=0))
    assert sizes.tolist() == [20] * 5


def test_fewer_patients_than_folds_are_refused_in_one_sentence() -> None:
    with pytest.raises(CorpusError, match="2 patients cannot be shared out among 5 folds"):
        folds(["a", "b", "a"], count=5, seed=0)


def test_a_table_of_splits_is_read_by_pseudonym(tmp_path: Path) -> None:
    table = tmp_path / "splits.csv"
    table.write_text("files,patient,split\na/x,ANN-1,train\nb/y,BOB-2,test\nc/z,BOB-2,test\n")
    keys = {name: hashlib.sha256(name.encode()).hexdigest()[:12] for name in ("ANN-1", "BOB-2")}
    assert read_splits(table) == {keys["ANN-1"]: "train", keys["BOB-2"]: "test"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("patient,part\na,train\n", 'needs the columns "patient" and "split"'),
        ("patient,split\n", "at least one row"),
        ("patient,split\na,train\na,test\n", "line 3: a was given another split above"),
        ("patient,split\na\n", "line 2: patient and split must not be empty"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    table = tmp_path / "splits.csv"
    table.write_text(text)
    with pytest.raises(CorpusError, match=words):
        read_splits(table)


def test_a_missing_table_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read as a table of splits"):
        read_splits(tmp_path / "none.csv")


def test_the_splits_of_the_real_scans_count_as_their_page_says(real_ct: Path) -> None:
    # DATA.md: 16 patients for training, 25 for calibration, 31 for testing, 5 for robustness.
    splits = Counter(read_splits(real_ct / "splits.csv").values())
    assert splits == {"train": 16, "calibration": 25, "test": 31, "robustness": 5}
