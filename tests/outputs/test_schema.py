"""What is published as the shape of the JSON is its shape; drafts and rules are jsonschema's."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError
from typer.testing import CliRunner

from ctiqa.card import Card, DataSource, TrainingRange
from ctiqa.cli.main import app
from ctiqa.images.ct_slice import Identity
from ctiqa.measures.spectrum import NoiseSpectrum
from ctiqa.outputs.schema import SCHEMAS, measure_schema, score_schema
from ctiqa.outputs.tables import as_json
from ctiqa.protocol.measured import Measured, MeasureReport
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult


@pytest.fixture
def scores() -> dict[str, Any]:
    rows = (
        SliceResult(path="a.dcm", status="ok", score=0.5, members=(0.5,), instance_number=1),
        SliceResult(path="b.dcm", status="not_scored", reasons=("odd",)),
    )
    card = Card(
        name="mean",
        outputs=1,
        windows_hu=((2000.0, 0.0),),
        training_range=TrainingRange(kvp=(100.0, 140.0), kernels=("B30f",)),
        data=(DataSource(name="Nobody", licence="CC0-1.0", patients=3),),
    )
    report = ScoreReport(
        slices=rows, series=(SeriesSummary.of(rows),), card=card, model_sha256="ab" * 32
    )
    return plain(report)


@pytest.fixture
def measurements() -> dict[str, Any]:
    spectrum = NoiseSpectrum(np.ones((8, 8)), 0.75, 20)
    one = Measured(
        level="slice",
        identity=Identity("a.dcm", "1", "1.1", "1.1.1", 7, frame=2),
        figures={"noise_hu": 12.25},
        spectrum=spectrum,
    )
    lost = Measured(level="slice", identity=Identity("b.dcm"), status="not_measured", slices=0)
    return plain(
        MeasureReport(slices=(one, lost), series=(replace(one, level="series"),), exams=())
    )


def plain(report: ScoreReport | MeasureReport) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(as_json(report))
    return data


def check(document: dict[str, Any], schema: dict[str, Any]) -> None:
    Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_by_the_rules_of_its_draft(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name]())


@pytest.mark.parametrize("name", SCHEMAS)
def test_info_prints_the_schema(name: str) -> None:
    shown = CliRunner().invoke(app, ["info", "--schema", name])
    assert json.loads(shown.stdout) == SCHEMAS[name]()


def test_what_is_written_is_of_the_schema(
    scores: dict[str, Any], measurements: dict[str, Any]
) -> None:
    check(scores, score_schema())
    check(measurements, measure_schema())


def test_what_is_written_holds_everything_that_the_schema_names(
    scores: dict[str, Any], measurements: dict[str, Any]
) -> None:
    named = score_schema()
    rows = named["properties"]["slices"]["items"]
    assert set(scores) == set(named["required"])
    assert set(scores["slices"][0]) == set(rows["required"])
    card = named["properties"]["model"]["properties"]["card"]
    assert set(scores["model"]["card"]) == set(card["properties"]) == set(card["required"])
    row = measure_schema()["$defs"]["row"]
    assert set(measurements["slices"][0]) == set(row["properties"]) - {"patient_hash"}
    assert set(measurements["slices"][1]) == set(row["required"])


Harm = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda data: data.update(schema_version=2), "1 was expected"),
        (lambda data: data.update(step=0), "less than the minimum"),
        (lambda data: data.pop("meaning"), "'meaning' is a required property"),
        (lambda data: data["slices"][0].update(score=1.5), "greater than the maximum"),
        (lambda data: data["slices"][0].update(score="0.5"), "'0.5' is not"),
        (lambda data: data["slices"][0].update(status="fine"), "'fine' is not one of"),
        (lambda data: data["slices"][0].pop("score"), "'score' is a required property"),
        (lambda data: data["slices"][1].update(reasons="odd"), "'odd' is not of type 'array'"),
        (lambda data: data["series"][0].update(slices=1.5), "1.5 is not of type 'integer'"),
        (lambda data: data["model"]["card"].update(windows_hu=[[1.0]]), "is too short"),
    ],
)
def test_scores_of_another_shape_are_refused(scores: dict[str, Any], harm: Harm, says: str) -> None:
    harm(scores)
    with pytest.raises(ValidationError, match=says):
        check(scores, score_schema())


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda data: data.pop("exams"), "'exams' is a required property"),
        (lambda data: data["slices"][0].update(level="film"), "'film' is not one of"),
        (lambda data: data["slices"][0].update(noise_hu=True), "True is not"),
        (lambda data: data["slices"][0]["nps"].pop("power_hu2_mm2"), "is a required property"),
    ],
)
def test_measurements_of_another_shape_are_refused(
    measurements: dict[str, Any], harm: Harm, says: str
) -> None:
    harm(measurements)
    with pytest.raises(ValidationError, match=says):
        check(measurements, measure_schema())
