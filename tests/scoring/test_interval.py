"""A score's interval comes from its members, and holds what it says on patients nobody knew."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctiqa.card import Card, ScoreInterval
from ctiqa.errors import CorpusError
from ctiqa.images.ct_slice import CTSlice
from ctiqa.measures.conformal import coverage
from ctiqa.model.export import export_with_card
from ctiqa.scoring.columns import COLUMNS, INTERVAL_COLUMNS
from ctiqa.scoring.interval import around, fit_interval
from ctiqa.scoring.predict import Scorer, score

WriteModel = Callable[..., Path]
MakeSlice = Callable[..., CTSlice]


def drawn(patients: int, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return members, labels and patients of images whose errors grow with the members' spread."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 4)
    label = rng.uniform(0.2, 0.8, patient.size)
    spread = rng.uniform(0.01, 0.06, patient.size)
    score = label + spread * rng.standard_normal(patient.size)
    members = score[:, None] + spread[:, None] * np.array([-1.3, -0.5, 0.5, 1.3])
    return members, label, patient


def test_it_holds_the_share_that_was_asked_on_other_patients() -> None:
    made = fit_interval(*drawn(200, seed=0), corpus_fingerprint="f")
    members, label, patient = drawn(400, seed=1)
    found = coverage(*around(members, made), label, patient)
    assert found.low < 0.9 < found.high
    assert (made.patients, made.images, made.level) == (200, 800, 0.9)


def test_it_is_wider_where_the_members_disagree_and_never_leaves_the_scale() -> None:
    wanted = ScoreInterval(
        level=0.9, factor=3, floor=0.01, images=1, patients=1, corpus_fingerprint=""
    )
    low, high = around(np.array([[0.5, 0.5], [0.4, 0.6], [1.2, 1.3], [-0.2, 0.1]]), wanted)
    assert high[0] - low[0] == pytest.approx(0.06)
    assert high[1] - low[1] > 0.6
    assert (low >= 0).all()
    assert (high <= 1).all()
    assert (low <= high).all()


def test_fewer_than_twenty_patients_are_refused() -> None:
    with pytest.raises(CorpusError, match="19 patients are too few"):
        fit_interval(*drawn(19, seed=0), corpus_fingerprint="")


def test_a_level_that_the_patients_cannot_reach_is_refused() -> None:
    with pytest.raises(CorpusError, match="choose a lower level"):
        fit_interval(*drawn(25, seed=0), corpus_fingerprint="", level=0.99)


def test_a_slice_gets_its_interval_only_if_the_card_tells_one(
    write_model: WriteModel, card: Card, make_slice: MakeSlice
) -> None:
    wanted = ScoreInterval(
        level=0.9, factor=2, floor=0.01, images=40, patients=25, corpus_fingerprint="f"
    )
    sure = write_model("sure.onnx", card_text=replace(card, interval=wanted).to_json())
    one = make_slice()
    with_it, without = (score([one], model=each) for each in (sure, write_model()))
    assert with_it.columns == (*COLUMNS, *INTERVAL_COLUMNS)
    assert without.columns == COLUMNS
    row = with_it.slices[0]
    assert row.score_low is not None
    assert row.score_high is not None
    assert row.score is not None
    assert row.score_low <= row.score <= row.score_high
    assert row.score_high - row.score_low >= 0.02 or row.score in {0, 1}
    assert "score_low" not in without.to_dict()["slices"][0]


def test_another_card_changes_no_score(
    write_model: WriteModel, card: Card, make_slice: MakeSlice, tmp_path: Path
) -> None:
    before, after = write_model(), tmp_path / "after.onnx"
    export_with_card(before, replace(card, notes=("new",)), after)
    assert Scorer(after).card == replace(card, notes=("new",))
    hu = make_slice().hu[np.newaxis]
    assert (Scorer(after).score_batch(hu, 0.7) == Scorer(before).score_batch(hu, 0.7)).all()
    assert Scorer(before).card == card
