"""What a page says in words is what the rows hold."""

from dataclasses import dataclass
from typing import Any

import pytest

from ctiqa.card import Card
from ctiqa.outputs.report_words import (
    card_figures,
    flags,
    interval,
    one_is,
    protocol,
    scanner_of,
    spreads,
    where,
)
from ctiqa.scoring.result import SeriesSummary, SliceResult

CARD = Card(name="mean", outputs=1, windows_hu=((2000.0, 0.0),))


def row(**facts: Any) -> SliceResult:
    return SliceResult(**({"path": "a.dcm", "status": "ok"} | facts))


def test_percentiles_are_those_of_the_summary() -> None:
    rows = [row(score=score, noise_hu=10 + score) for score in (0.12, 0.5, 0.31, 0.77, 0.4, 0.9)]
    summary = SeriesSummary.of([*rows, row(score=None)])
    score, noise = spreads([*rows, row(score=None)], CARD)
    expected = (0.12, summary.score_p5, summary.score_median, summary.score_p95, 0.9)
    assert score.cells == tuple(f"{value:.3f}" for value in expected)
    assert noise.cells[2] == f"{summary.noise_hu_median:.1f}"


def test_parts_stand_there_only_if_the_model_tells_them_and_grades_only_if_calibrated() -> None:
    rows = [row(score=0.5, score_noise=0.4, score_sharpness=0.9, reader_score=3.0)]
    plain = [spread.name for spread in spreads([row(score=0.5)], CARD)]
    assert plain == ["score"]
    told = Card(
        name="parts", outputs=1, windows_hu=((2000.0, 0.0),), parts=("score", "noise", "sharpness")
    )
    assert [spread.name for spread in spreads(rows, told)] == [
        "score",
        "score, part noise",
        "score, part sharpness",
        "readers' grade",
    ]


def test_reasons_that_differ_in_one_number_are_one_flag() -> None:
    noisy = [
        row(status="caution", reasons=(f"noise {noise} HU outside training (3.45 to 129.9)",))
        for noise in ("2.9", "131", "3.1")
    ]
    (flag,) = flags(noisy)
    assert flag.reason == "noise 2.9 to 131 HU outside training (3.45 to 129.9)"
    assert (flag.status, flag.slices) == ("caution", 3)


def test_flags_are_told_apart_by_state_and_words_and_the_frequent_come_first() -> None:
    rows = [
        row(status="not_scored", reasons=("every pixel is 0 HU",)),
        row(status="caution", reasons=("kernel B70f not in training", "kernel LUNG")),
        row(status="caution", reasons=("kernel B70f not in training",)),
    ]
    assert [(flag.status, flag.reason, flag.slices) for flag in flags(rows)] == [
        ("caution", "kernel B70f not in training", 2),
        ("not_scored", "every pixel is 0 HU", 1),
        ("caution", "kernel LUNG", 1),
    ]


def test_the_protocol_gives_ranges_of_numbers_and_every_word_once() -> None:
    rows = [
        row(tube_current_ma=80.0, kvp=120.0, kernel="B30f", acquired="2024-02-29"),
        row(tube_current_ma=210.5, kvp=120.0, kernel="B70f"),
        row(kernel="B30f"),
    ]
    told = protocol(rows)
    assert told["Tube current"] == "80 to 210.5 mA"
    assert told["Tube voltage"] == "120 kV"
    assert told["Kernel"] == "B30f, B70f"
    assert told["Date of the scan"] == "2024-02-29"
    assert told["CTDIvol"] == "unknown"


@pytest.mark.parametrize(
    ("manufacturer", "scanner", "words"),
    [
        ("SIEMENS", "Sensation 64", "SIEMENS Sensation 64"),
        ("Philips", "Philips CT Big Bore", "Philips CT Big Bore"),
        ("", "Edge", "Edge"),
        ("TOSHIBA", "", "TOSHIBA"),
        ("", "", "unknown scanner"),
    ],
)
def test_a_manufacturer_is_named_once(manufacturer: str, scanner: str, words: str) -> None:
    assert scanner_of(row(manufacturer=manufacturer, scanner=scanner)) == words


def test_where_a_slice_lies_is_said_as_exactly_as_is_known() -> None:
    assert where(row(z_mm=-0.25, instance_number=7)) == "table position -0.2 mm, image 7"
    assert where(row(frame=3)) == "frame 3"
    assert where(row()) == "a.dcm"


def test_an_interval_is_used_only_if_the_row_has_one() -> None:
    @dataclass
    class Later:
        score_low: float | None = None
        score_high: float | None = None

    assert interval(row(score=0.5)) is None
    assert interval(Later()) is None  # type: ignore[arg-type]
    assert interval(Later(0.4, 0.6)) == (0.4, 0.6)  # type: ignore[arg-type]


def test_a_card_says_what_a_score_of_one_is_only_if_its_label_is_known() -> None:
    assert one_is(CARD) == ""
    labelled = Card(
        name="ideal", outputs=1, windows_hu=((2000.0, 0.0),), label={"reference": "ideal"}
    )
    assert one_is(labelled) == "1 is the same slice without noise"


def test_figures_on_unseen_patients_are_preferred_to_those_of_training() -> None:
    compared = {
        "images": 376,
        "rows": {
            "model": {"signed_opm": 2.90867, "plcc": 0.99262},
            "constant": {"signed_opm": None, "mae": 0.14437},
        },
    }
    (table,) = card_figures({"in_training": {"loss": 0.00277}, "split test": compared})
    assert (table.title, table.facts) == ("split test", ("images 376",))
    assert table.columns == ("signed OPM", "PLCC", "MAE")
    assert table.rows == (("model", "2.909", "0.9926", "-"), ("constant", "-", "-", "0.1444"))
    (only,) = card_figures({"in_training": {"loss": 0.00277}})
    assert (only.title, only.facts, only.rows) == ("in training", ("loss 0.00277",), ())
