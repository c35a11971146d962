"""What a row is worth over seeds and patients, and what may be read in a table."""

import math
from collections.abc import Mapping

import numpy as np
import pytest

from ctiqa.measures.agreement import agreement
from ctiqa.measures.correlation import Column
from ctiqa.study.evidence import TrainingImages
from ctiqa.study.kept import Images
from ctiqa.study.reading import difference, read_table
from ctiqa.study.runs import Row, Run
from ctiqa.study.worth import Scales, Worth

RNG = np.random.default_rng(0)
COUNT = 80
REFERENCE = RNG.uniform(size=COUNT)
TRAIN = TrainingImages(REFERENCE, np.ones(COUNT), np.exp(-REFERENCE))


def images(patients: int = 4, noise_sd: float = 0.2) -> Images:
    noise_hu = np.exp(-REFERENCE + noise_sd * RNG.normal(size=COUNT))
    return Images(
        reference=REFERENCE,
        patient=np.array([f"p{index % patients}" for index in range(COUNT)]),
        dose=np.tile([1.0, 0.75, 0.5, 0.25], COUNT // 4),
        noise_hu=noise_hu,
        slice_id=np.array([f"s{index // 4}" for index in range(COUNT)]),
        train=TRAIN,
    )


def run(name: str, seed: int = 0) -> Run:
    return Run(name, "teacher", seed, "", name)


def row(key: str, *seeds: tuple[str, ...]) -> Row:
    return Row(
        key, key, tuple(tuple(run(n, seed) for n in names) for seed, names in enumerate(seeds))
    )


SCORES: Mapping[str, Column] = {
    "good0": REFERENCE + 0.01 * RNG.normal(size=COUNT),
    "good1": REFERENCE + 0.02 * RNG.normal(size=COUNT),
    "poor0": REFERENCE + 0.5 * RNG.normal(size=COUNT),
    "poor1": REFERENCE + 0.5 * RNG.normal(size=COUNT),
    "against": -REFERENCE,
    "flat0": np.full(COUNT, 0.5),
}
DONE = frozenset(SCORES)


@pytest.fixture
def scales() -> Scales:
    return Scales(images(), SCORES.__getitem__, n_boot=50)


def weighed(scales: Scales, key: str, *seeds: tuple[str, ...]) -> Worth:
    found = scales.weigh(row(key, *seeds), DONE)
    assert found is not None
    return found


def test_figures_are_the_mean_over_seeds_with_the_spread_between_them(scales: Scales) -> None:
    found = weighed(scales, "good", ("good0",), ("good1",))
    each = [agreement(SCORES[name], REFERENCE).opm for name in ("good0", "good1")]
    assert found.figures["opm"].mean == pytest.approx(np.mean(each))
    assert found.figures["opm"].sd == pytest.approx(np.std(each, ddof=1))


def test_only_seeds_whose_runs_are_all_done_count(scales: Scales) -> None:
    some = row("good", ("good0",), ("absent",), ("good0", "absent"))
    found = scales.weigh(some, DONE)
    assert found is not None
    assert list(found.signed_opm) == [0]
    assert math.isnan(found.figures["opm"].sd)
    assert scales.weigh(row("none", ("absent",)), DONE) is None


def test_several_runs_of_a_seed_are_one_ensemble(scales: Scales) -> None:
    found = weighed(scales, "both", ("poor0", "poor1"))
    mean = (SCORES["poor0"] + SCORES["poor1"]) / 2
    assert found.figures["mse"].mean == pytest.approx(agreement(mean, REFERENCE).mse)


def test_the_gain_over_noise_is_paired_over_patients(scales: Scales) -> None:
    good, noise = weighed(scales, "good", ("good0",)), scales.baselines()[-1]
    assert good.gain is not None
    assert good.gain_interval is not None
    assert good.gain_interval.low <= good.gain <= good.gain_interval.high
    assert noise.words == "noise alone"
    assert noise.gain == 0
    assert noise.gain_interval == (0, 0)


def test_two_patients_have_no_interval() -> None:
    found = weighed(Scales(images(patients=2), SCORES.__getitem__), "good", ("good0",))
    assert found.interval is found.gain_interval is None
    assert list(found.per_patient) == ["p0", "p1"]


def test_an_inverted_score_is_noticed_whatever_its_opm(scales: Scales) -> None:
    found = weighed(scales, "against", ("against",))
    assert found.inverted
    assert found.figures["opm"].mean == pytest.approx(3)
    assert found.figures["signed_opm"].mean == pytest.approx(-3)
    assert found.per_patient["p0"] == pytest.approx(-3)


def test_a_difference_is_paired_by_seed_and_needs_two(scales: Scales) -> None:
    good = weighed(scales, "good", ("good0",), ("good1",))
    poor = weighed(scales, "poor", ("poor0",), ("poor1",))
    ends, back = difference(good, poor), difference(poor, good)
    assert ends.low <= good.figures["opm"].mean - poor.figures["opm"].mean <= ends.high
    assert ends == pytest.approx((-back.high, -back.low))
    assert math.isnan(difference(good, weighed(scales, "poor", ("poor0",))).low)


def test_a_reading_names_best_chosen_noise_and_inversion(scales: Scales) -> None:
    good = weighed(scales, "good", ("good0",))
    poor, against = weighed(scales, "poor", ("poor0",)), weighed(scales, "against", ("against",))
    text = " ".join(read_table([poor, good, against], "good", patients=4, ordered=True))
    assert "The paper's choice, good, has the highest signed OPM" in text
    assert "With fewer than two seeds" in text
    assert "rises in 1 of 2 steps" in text
    assert "No better than noise alone, which needs no network: poor, against." in text
    assert "must not be quoted: against." in text
    assert "An interval over patients" not in text


def test_a_row_whose_score_never_changes_is_named_and_compared_with_nothing(
    scales: Scales,
) -> None:
    flat = weighed(scales, "flat", ("flat0",), ("flat0",))
    same = [weighed(scales, key, ("good0",), ("good1",)) for key in ("one", "two")]
    assert math.isnan(flat.figures["opm"].mean)
    text = " ".join(read_table([flat, *same], "one", patients=4))
    assert "The paper's choice, one, has the highest signed OPM" in text
    assert "With fewer than two seeds" not in text
    assert "these seeds: two." in text
    assert "nothing else is said of it: flat." in text
    alone = " ".join(read_table([flat], "one", patients=4))
    assert "highest" not in alone
    assert "nothing else is said of it: flat." in alone


def test_a_reading_tells_rows_apart_by_the_spread_between_seeds(scales: Scales) -> None:
    same = [weighed(scales, key, ("good0",), ("good1",)) for key in ("one", "two")]
    text = " ".join(read_table(same, "one", patients=2))
    assert "Not told apart from one by these seeds: two." in text
    assert "An interval over patients needs three test patients" in text
    assert read_table([], "one", patients=2) == ("No row is done yet.",)
