"""The shipped model is what it was when it was shipped."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ctiqa.protocol.constancy import constancy, golden_slices
from ctiqa.scoring.scorer import Scorer


@pytest.fixture(scope="module")
def shipped() -> Scorer:
    return Scorer()


def test_the_golden_scores_are_those_of_the_model_that_ships(shipped: Scorer) -> None:
    # After a new model: python tests/golden/constancy.py
    check = constancy(shipped)
    assert check.passed
    assert check.figure is not None


def test_the_golden_slices_are_the_same_bytes_every_time() -> None:
    first, second = golden_slices(), golden_slices()
    assert all(np.array_equal(a.hu, b.hu) for a, b in zip(first, second, strict=True))


def test_a_model_that_scores_otherwise_is_found_out(shipped: Scorer) -> None:
    def shifted(*batch: Any) -> Any:
        return shipped.score_batch(*batch) + 0.01

    damaged = SimpleNamespace(sha256=shipped.sha256, score_batch=shifted)
    assert constancy(damaged).passed is False  # type: ignore[arg-type]


def test_another_model_is_not_tried() -> None:
    other = SimpleNamespace(sha256=64 * "0", score_batch=None)
    assert constancy(other).passed is None  # type: ignore[arg-type]
