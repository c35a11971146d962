"""What an evaluation says of a model, and what it refuses to say."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiqa.measures.agreement import agreement, within_dose
from ctiqa.study.baselines import CONSTANT, DOSE_ALONE, NOISE_ALONE
from ctiqa.study.evaluation import MODEL, Evaluation, evaluate
from ctiqa.study.evidence import EvidenceTable
from ctiqa.study.rendering import render_csv, render_table


def evidence(
    *, patients: int = 6, slices: int = 4, error: float = 0.01, seed: int = 0
) -> EvidenceTable:
    """Return a study whose label is the noise and what noise does not tell: the patient."""
    rng = np.random.default_rng(seed)
    shape = patients, slices, 4
    dose = np.broadcast_to([1.0, 0.75, 0.5, 0.25], shape).ravel()
    patient = np.arange(patients).repeat(4 * slices)
    noise_hu = 10 * np.exp(rng.normal(0, 0.2, patients * slices)).repeat(4) / np.sqrt(dose)
    reference = 1.2 - 0.2 * np.log(noise_hu) + rng.normal(0, 0.05, patients)[patient]
    return EvidenceTable(
        score=reference + rng.normal(0, error, dose.size),
        reference=reference,
        patient=np.array([f"patient {number}" for number in patient]),
        dose=dose,
        noise_hu=noise_hu,
        # Numbered anew in every patient, as tables of readers do.
        slice_id=np.broadcast_to(np.arange(slices)[:, None], shape).ravel().astype(str),
    )


def evaluated(table: EvidenceTable, n_boot: int = 60) -> Evaluation:
    return evaluate(table, train=evidence(seed=1).as_training(), n_boot=n_boot)


def entry(evaluation: Evaluation, name: str) -> object:
    return next(one for one in evaluation.entries if one.name == name)


def test_the_trivial_baselines_stand_beside_every_model() -> None:
    names = [one.name for one in evaluated(evidence()).entries]
    assert names == [MODEL, CONSTANT, DOSE_ALONE, NOISE_ALONE]


def test_rivals_stand_between_the_model_and_the_baselines() -> None:
    table = evidence()
    table = replace(table, rivals={"teacher": table.reference})
    result = evaluated(table)
    assert [one.name for one in result.entries][:2] == [MODEL, "teacher"]
    assert result.entries[1].pooled.signed_opm == pytest.approx(3)


def test_the_figures_of_an_entry_are_those_of_its_column() -> None:
    table = evidence()
    model = evaluated(table).model
    assert table.dose is not None
    assert table.patient is not None
    assert model.pooled == agreement(table.score, table.reference)
    assert model.within_dose == within_dose(table.score, table.reference, table.dose)
    rows = table.patient == "patient 2"
    assert model.per_patient["patient 2"] == agreement(table.score[rows], table.reference[rows])
    assert list(model.per_patient) == [f"patient {number}" for number in range(6)]


def test_a_model_that_sees_the_patient_is_better_than_a_noise_meter() -> None:
    result = evaluated(evidence())
    assert result.verdict.startswith("better than a noise meter: signed OPM +")


def test_the_noise_meter_itself_is_no_better_than_a_noise_meter() -> None:
    table = evidence()
    assert table.noise_hu is not None
    result = evaluated(replace(table, score=-np.log(table.noise_hu)))
    gain = entry(result, NOISE_ALONE).gain
    # Not exactly 0: the baseline's map bends the scale, which Pearson's correlation sees.
    assert abs(gain.signed_opm) < 0.02
    assert result.verdict.startswith("no better than a noise meter")


def test_a_model_of_chance_is_worse_than_a_noise_meter() -> None:
    assert evaluated(evidence(error=1.0)).verdict.startswith("worse than a noise meter")


def test_a_column_compared_with_itself_gains_nothing_in_any_resample() -> None:
    table = evidence()
    result = evaluated(replace(table, rivals={"twin": table.score}))
    gain = result.entries[1].gain
    assert gain is not None
    assert gain.signed_opm == 0
    assert gain.interval == (0, 0)


def test_a_constant_column_has_no_correlation_and_no_gain() -> None:
    constant = entry(evaluated(evidence()), CONSTANT)
    assert math.isnan(constant.pooled.signed_opm)
    assert math.isfinite(constant.pooled.mae)
    assert all(math.isnan(end) for end in constant.gain.interval)


def test_without_noise_there_is_no_verdict() -> None:
    result = evaluated(replace(evidence(), noise_hu=None))
    assert result.verdict.startswith("not compared with a noise meter")


@pytest.mark.parametrize(("patients", "doubted"), [(1, True), (2, True), (3, False)])
def test_intervals_over_fewer_than_three_patients_are_said_to_mean_nothing(
    patients: int, *, doubted: bool
) -> None:
    result = evaluated(evidence(patients=patients))
    assert any("not meaningful" in note for note in result.notes) is doubted
    assert result.verdict.endswith("an interval without meaning") is doubted
    assert all(math.isfinite(end) for end in result.model.intervals["opm"])


def test_without_patients_intervals_resample_images_and_say_so() -> None:
    result = evaluated(replace(evidence(), patient=None))
    assert result.patients == 0
    assert result.model.per_patient == {}
    assert "names no patients" in result.notes[0]
    low, high = result.model.intervals["signed_opm"]
    assert low < result.model.pooled.signed_opm < high


def test_without_training_images_the_baselines_are_said_to_be_flattered() -> None:
    result = evaluate(evidence(), train=None, n_boot=5)
    assert any("flatters them" in note for note in result.notes)
    assert not evaluated(evidence(), 5).notes


def test_missing_noise_readings_are_counted() -> None:
    table = evidence()
    assert table.noise_hu is not None
    table.noise_hu[:3] = math.nan
    (note,) = evaluated(table, 5).notes
    assert "noise of 3 of 96 images" in note


def test_an_inverted_model_is_exposed_however_large_its_opm() -> None:
    table = evidence()
    result = evaluated(replace(table, score=-table.score))
    assert result.model.inverted
    assert result.model.pooled.opm > 2.7
    assert result.model.pooled.signed_opm < -2.7
    assert any("'model' is negative" in note for note in result.notes)


def test_doses_are_ordered_within_a_slice_of_a_patient() -> None:
    result = evaluated(evidence())
    noise = entry(result, NOISE_ALONE)
    # Noise falls with dose in each slice, though slices of two patients share their number.
    assert noise.share_in_order == 1
    assert [step.pairs for step in noise.ordered] == [24, 24, 24]
    assert entry(result, CONSTANT).share_in_order == 0


def test_without_slices_there_is_no_order_of_doses() -> None:
    result = evaluated(replace(evidence(), slice_id=None), 5)
    assert result.model.ordered == ()
    assert math.isnan(result.model.share_in_order)


def test_one_seed_gives_one_result_and_another_seed_another_interval() -> None:
    table = evidence()
    first, again, other = (evaluate(table, train=None, n_boot=30, seed=s) for s in (0, 0, 1))
    assert first.to_dict() == again.to_dict()
    assert first.model.intervals != other.model.intervals


@settings(max_examples=15)
@given(st.integers(1, 3), st.booleans(), st.booleans(), st.booleans())
def test_every_evaluation_becomes_strict_json_and_tables(
    patients: int, patient: bool, dose: bool, noise: bool
) -> None:
    table = evidence(patients=patients, slices=1)
    unknown = {"patient": patient, "dose": dose, "noise_hu": noise}
    table = replace(table, **dict.fromkeys([n for n, known in unknown.items() if not known]))
    result = evaluate(table, train=None, n_boot=3)
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["schema_version"] == 1
    assert plain["higher_is_better"] is True
    assert [one["name"] for one in plain["entries"]] == [one.name for one in result.entries]
    for style in ("text", "markdown"):
        assert result.verdict in render_table(result, style=style)


def test_an_undefined_figure_is_null_in_json() -> None:
    plain = evaluated(evidence(), 5).to_dict()
    constant = plain["entries"][1]
    assert constant["pooled"]["plcc"] is None
    assert constant["intervals"]["plcc"] == [None, None]


def test_the_columns_of_a_rendered_table_stand_under_each_other() -> None:
    result = evaluated(evidence())
    markdown = render_table(result, style="markdown")
    for block in markdown.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({tuple(at for at, mark in enumerate(line) if mark == "|") for line in lines}) < 2
    text = render_table(result).splitlines()
    header = next(line for line in text if "signed OPM" in line and "MAE" in line)
    model = next(line for line in text if line.startswith(MODEL))
    assert (
        header.index("KROCC") + len("KROCC") == model.index(f"{result.model.pooled.krocc:.4f}") + 6
    )


def test_a_rendered_table_names_what_was_evaluated_and_every_patient() -> None:
    result = evaluate(evidence(), train=None, n_boot=5, about={"label": "ideal"})
    text = render_table(result)
    assert "96 images of 6 patients; label: ideal" in text
    assert all(f"patient {number}" in text for number in range(6))


def test_the_csv_of_an_evaluation_gives_back_its_figures() -> None:
    result = evaluated(evidence())
    rows = list(csv.DictReader(io.StringIO(render_csv(result))))
    found = {(row["entry"], row["patient"], row["figure"]): row for row in rows}
    pooled = found[MODEL, "", "signed_opm"]
    assert float(pooled["value"]) == result.model.pooled.signed_opm
    assert (float(pooled["low"]), float(pooled["high"])) == result.model.intervals["signed_opm"]
    inside = found[MODEL, "patient 3", "krocc"]
    assert float(inside["value"]) == result.model.per_patient["patient 3"].krocc
    assert found[CONSTANT, "", "plcc"]["value"] == ""
    assert float(found[MODEL, "", "srocc at dose 0.25"]["value"]) == result.model.within_dose[0.25]


def test_the_coverage_of_intervals_is_told_where_a_model_gives_them() -> None:
    table = evidence()
    half = np.full(len(table), 0.1)
    sure = replace(table, interval=(table.reference - half, table.reference + half))
    told = json.loads(json.dumps(evaluated(sure).to_dict()))["coverage"]
    assert (told["share"], told["patients"]) == (1, len(table.patients))
    assert told["mean_width"] == pytest.approx(0.2)
    assert "0.200 wide in the mean, held the reference of 100.0%" in render_table(evaluated(sure))
    assert evaluated(table).coverage is None
    assert "Its intervals" not in render_table(evaluated(table))
