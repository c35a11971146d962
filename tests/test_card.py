"""What a model says of itself survives the way into a file and back, and nothing else does."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from ctiqa.card import Card, DataSource, ScoreInterval, TrainingRange, TrainingRun
from ctiqa.errors import ModelError


@pytest.fixture
def card() -> Card:
    return Card(
        name="compact",
        description="A student of four teachers.",
        outputs=4,
        windows_hu=((2000.0, 0.0),),
        label={"reference": "ideal", "weights": [0.5, 0.5]},
        training_range=TrainingRange(kvp=(100.0, 140.0), kernels=("B30f", "STANDARD")),
        recipe='label = "ideal"\n',
        data=(DataSource(name="LIDC-IDRI", doi="10.7937/K9", licence="CC-BY-3.0", patients=8),),
        trained=TrainingRun(date="2026-11-25", hours=0.5, versions={"torch": "2.14.1"}),
        figures={"opm": 2.89, "noise alone": {"opm": 2.8}, "dose alone": None},
        interval=ScoreInterval(
            level=0.9, factor=2.5, floor=0.02, images=39, patients=25, corpus_fingerprint="0123"
        ),
        licence="Apache-2.0",
        notes=("chest only",),
    )


def test_a_card_read_back_is_the_card_that_was_written(card: Card) -> None:
    assert Card.from_json(card.to_json()) == card


def test_a_card_in_a_file_begins_with_its_schema_version(card: Card) -> None:
    assert next(iter(json.loads(card.to_json()).items())) == ("schema_version", 3)


@pytest.mark.parametrize(("version", "lacks"), [(1, ("parts", "interval")), (2, ("interval",))])
def test_a_card_of_an_older_version_is_read(card: Card, version: int, lacks: list[str]) -> None:
    old = json.loads(card.to_json()) | {"schema_version": version}
    for name in lacks:
        del old[name]
    assert Card.from_json(json.dumps(old)) == replace(card, interval=None)


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_card_tells_nothing_of_what_the_images_show(card: Card, version: int) -> None:
    old = json.loads(card.to_json()) | {"schema_version": version}
    for name in ("noise_per_mm", "water_equivalent_mm", "cut_off_mm", "image_regions"):
        del old["training_range"][name]
    assert Card.from_json(json.dumps(old)) == card


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 4}, "schema_version 4"),
        ({"outptus": 4}, "holds outptus"),
        ({"name": None}, "card.name"),
        ({"outputs": True}, "card.outputs"),
        ({"outputs": 4.0}, "card.outputs"),
        ({"windows_hu": "0"}, "card.windows_hu"),
        ({"training_range": {"kvp": [80, 140]}}, "card.training_range lacks kernels"),
        ({"data": [{"name": "LIDC-IDRI"}]}, "card.data lacks doi"),
        ({"interval": {"level": 0.9}}, "card.interval lacks factor"),
        ({"notes": "chest only"}, "card.notes"),
        ({"trained": []}, "card.trained"),
    ],
)
def test_a_key_that_is_unknown_or_of_another_type_is_named(
    card: Card, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        Card.from_json(json.dumps(json.loads(card.to_json()) | change))


@pytest.mark.parametrize("key", ["schema_version", "outputs", "label", "notes"])
def test_a_missing_key_is_named(card: Card, key: str) -> None:
    values = json.loads(card.to_json())
    del values[key]
    with pytest.raises(ModelError, match=key):
        Card.from_json(json.dumps(values))


def test_a_range_needs_both_its_ends(card: Card) -> None:
    values = json.loads(card.to_json())
    values["training_range"]["kvp"] = [80]
    with pytest.raises(ModelError, match=r"card\.training_range\.kvp"):
        Card.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "7", '{"schema_version": 1'])
def test_what_is_no_card_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ModelError, match="the model's card"):
        Card.from_json(text)


def test_a_figure_that_json_cannot_hold_is_refused() -> None:
    nan = Card(name="broken", outputs=1, windows_hu=((1, 0),), figures={"opm": math.nan})
    with pytest.raises(ModelError, match="card of broken"):
        nan.to_json()
