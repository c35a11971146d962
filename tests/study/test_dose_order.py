"""How pairs of doses are counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiqa.study.dose_order import OrderedPairs, ordered_pairs

DOSES = [1.0, 0.75, 0.5, 0.25]


@given(st.randoms(use_true_random=False))
def test_a_score_that_is_the_dose_has_every_pair_in_order_in_whatever_row(random: object) -> None:
    rows = [(name, dose) for name in "abc" for dose in DOSES]
    random.shuffle(rows)  # type: ignore[attr-defined] # a random.Random
    names, doses = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    expected = tuple(
        OrderedPairs(lower, higher, right=3, pairs=3)
        for lower, higher in [(0.25, 0.5), (0.5, 0.75), (0.75, 1.0)]
    )
    assert ordered_pairs(doses, doses, names) == expected
    assert {step.right for step in ordered_pairs(-doses, doses, names)} == {0}


def test_a_tie_is_not_in_order() -> None:
    (step,) = ordered_pairs(np.ones(2), np.array([1.0, 0.5]), np.array(["a", "a"]))
    assert (step.right, step.pairs) == (0, 1)


def test_slices_are_not_compared_with_each_other_and_need_not_share_their_doses() -> None:
    score = np.array([0.9, 0.1, 0.2, 0.8, 0.7])
    dose = np.array([1.0, 0.5, 1.0, 0.25, 1.0])
    steps = ordered_pairs(score, dose, np.array(["a", "a", "b", "b", "c"]))
    assert steps == (OrderedPairs(0.25, 1.0, 0, 1), OrderedPairs(0.5, 1.0, 1, 1))


@pytest.mark.parametrize("names", [["a", "b"], ["a", "a"]])
def test_without_a_pair_there_is_no_step(names: list[str]) -> None:
    assert ordered_pairs(np.array([1.0, 2.0]), np.array([0.5, 0.5]), np.array(names)) == ()
