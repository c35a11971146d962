"""Which images are judged, and how an evaluation tells degraded ones apart."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctiqa.corpus.label import IDEAL, PARTS
from ctiqa.corpus.part import CorpusSettings
from ctiqa.corpus.store import Corpus, CorpusSlice, SliceFacts
from ctiqa.study.chosen import UNDEGRADED, Chosen
from ctiqa.study.corpus_evidence import gather
from ctiqa.study.evaluation import evaluate
from ctiqa.study.rendering import render_table

DOSES = (1.0, 0.5)
KINDS = ("blur", "sparse_views", "blur")
IN_PARTS = replace(IDEAL, parts=PARTS)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Return four small slices of two test patients at two doses, each degraded three times."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "parts").mkdir()
    (folder / "degraded").mkdir()
    slices = [written(folder, number) for number in range(4)]
    settings = CorpusSettings(image_doses=DOSES, label_doses=DOSES)
    return Corpus(folder, settings, tuple(slices))


def written(folder: Path, number: int) -> CorpusSlice:
    rng = np.random.default_rng(number)
    part = f"p{number}"
    np.save(folder / "parts" / f"{part}.npy", rng.normal(0, 9, (2, 96, 96)).astype(np.int16))
    np.save(folder / "degraded" / f"{part}.npy", rng.normal(0, 9, (3, 96, 96)).astype(np.int16))
    rows = [dict(zip(PARTS, rng.uniform(0, 1, 4), strict=True)) for _ in range(5)]
    degraded = [
        {"dose": 0.3, "degradation": {"kind": kind}, **row}
        for kind, row in zip(KINDS, rows[2:], strict=True)
    ]
    held = {"sigma_mm": 0.6, "undegraded": rows[:2], "degraded": degraded}
    (folder / "degraded" / f"{part}.json").write_text(json.dumps(held))
    names = SliceFacts.__dataclass_fields__
    known = {"part": part, "split": "test", "patient": "ab"[number % 2], "path": f"{part}.dcm"}
    facts = SliceFacts(**(dict.fromkeys(names, "") | known | {"pixel_mm": 0.7}))
    fidelity = np.tile([[30.0, 0.9], [40.0, 0.95]], (2, 1, 1))
    return CorpusSlice(facts, fidelity, fidelity, np.array([9.0, 13.0]))


def test_with_a_label_in_parts_degraded_images_follow_each_slice(corpus: Corpus) -> None:
    chosen = Chosen.of(corpus, IN_PARTS, split="test")
    assert chosen.places[:6] == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0)]
    assert chosen.kinds[:5].tolist() == [UNDEGRADED, UNDEGRADED, *KINDS]
    known = chosen.known()
    assert known.dose[:5].tolist() == [1, 0.5, 0.3, 0.3, 0.3]
    assert known.reference[2] == pytest.approx(corpus.degraded(0).labels[0, 0])
    assert known.noise_hu[:2].tolist() == [9, 13]
    plain = Chosen.of(corpus, IDEAL, split="test")
    assert len(plain.places) == 8


def test_degraded_images_take_no_part_in_the_order_of_doses(corpus: Corpus) -> None:
    ids = Chosen.of(corpus, IN_PARTS, split="test").slice_ids
    assert ids[:5].tolist() == ["p0", "p0", "p0-2", "p0-3", "p0-4"]


def test_some_doses_can_be_chosen_alone(corpus: Corpus) -> None:
    assert Chosen(corpus, [1], IDEAL, doses=(0.5,)).places == [(1, 1)]


def test_an_evaluation_tells_each_kind_apart(corpus: Corpus) -> None:
    chosen = Chosen.of(corpus, IN_PARTS, split="test")
    table, train = gather(chosen, lambda hu, _: hu.mean(axis=(1, 2))[:, None], by_itself=False)
    result = evaluate(table, train=train, n_boot=20)
    assert {kind: found.n for kind, found in result.model.per_kind.items()} == {
        UNDEGRADED: 8,
        "blur": 8,
        "sparse_views": 4,
    }
    # A lower dose alone has levels; the doses of degraded images are drawn anywhere.
    assert list(result.model.within_dose) == [1.0, 0.5]
    page = render_table(result)
    assert "Signed OPM within each degradation" in page
    assert "sparse views" in page


def test_without_degraded_images_nothing_is_told_of_kinds(corpus: Corpus) -> None:
    chosen = Chosen.of(corpus, IDEAL, split="test")
    table, train = gather(chosen, lambda hu, _: hu.mean(axis=(1, 2))[:, None], by_itself=False)
    result = evaluate(table, train=train, n_boot=20)
    assert result.model.per_kind == {}
    assert "degradation" not in render_table(result)
