"""A law holds or is broken by what was found, and says so."""

from dataclasses import replace

import pytest

from ctiqa.protocol.laws import Check, checks
from ctiqa.protocol.trials import DENOISERS, RESIDUALS_HU, Tried

GOOD = Tried(
    whole=0.8,
    doses={1.0: 0.8, 0.75: 0.7, 0.5: 0.6, 0.25: 0.4, 0.1: 0.2},
    more_noise={0.05: 0.79, 0.1: 0.78, 0.2: 0.75},
    blurs_mm={0.35: 0.78, 0.7: 0.7, 1.05: 0.6, 1.4: 0.5},
    blurs_px={0.5: 0.79, 1.0: 0.7},
    views={180: 0.75, 120: 0.6, 60: 0.4},
    filtered={name: tuple(0.7 for _ in RESIDUALS_HU) for name in DENOISERS},
    filtered_low={name: tuple(0.5 for _ in RESIDUALS_HU) for name in DENOISERS},
    reseeded=(0.6, 0.61, 0.59),
    averaged=((0.5, 0.51), (0.6, 0.59)),
    air=0.801,
    turned=(0.8, 0.801, 0.799, 0.8, 0.8, 0.8, 0.8),
    shifted=(0.8, 0.8, 0.8, 0.8),
    offset=(0.8, 0.8),
)


def broken(row: Tried) -> set[str]:
    return {check.law for check in checks([row, row]) if check.passed is False}


def test_a_score_that_does_what_it_must_breaks_no_law() -> None:
    assert broken(GOOD) == set()


@pytest.mark.parametrize(
    ("change", "laws"),
    [
        ({"doses": {1.0: 0.8, 0.75: 0.7, 0.5: 0.6, 0.25: 0.61, 0.1: 0.2}}, {"M1", "M3"}),
        ({"doses": {1.0: 0.8, 0.75: 0.9, 0.5: 0.6, 0.25: 0.4, 0.1: 0.2}}, {"M1", "M2", "M3"}),
        ({"blurs_mm": {0.35: 0.83, 0.7: 0.84, 1.05: 0.85, 1.4: 0.86}}, {"M4"}),
        ({"blurs_px": {0.5: 0.81, 1.0: 0.7}}, {"M9"}),
        ({"views": {180: 0.75, 120: 0.78, 60: 0.4}}, {"M5"}),
        ({"filtered": dict.fromkeys(DENOISERS, (0.81, 0.82, 0.83, 0.7, 0.7))}, {"M7"}),
        ({"filtered_low": dict.fromkeys(DENOISERS, (0.81, 0.7, 0.7, 0.7, 0.7))}, {"M7"}),
        ({"more_noise": {0.05: 0.81, 0.1: 0.78, 0.2: 0.75}}, {"M8"}),
        ({"reseeded": (0.5, 0.6, 0.7)}, {"I7"}),
        ({"averaged": ((0.5, 0.6), (0.6, 0.7))}, {"M6"}),
        ({"air": 0.9}, {"I1"}),
        ({"turned": (0.9,) * 7}, {"I2"}),
        ({"shifted": (0.9,) * 4}, {"I3"}),
        ({"offset": (0.9, 0.7)}, {"I6"}),
    ],
)
def test_each_law_is_broken_by_what_it_forbids(change: dict[str, object], laws: set[str]) -> None:
    assert broken(replace(GOOD, **change)) == laws


def test_what_could_not_be_tried_neither_holds_nor_is_broken() -> None:
    found = {c.law: c for c in checks([replace(GOOD, filtered={}, filtered_low={})])}
    assert found["M7"].passed is None
    assert "scikit-image" in found["M7"].tried


def test_a_figure_at_its_bound_passes() -> None:
    for at_least in (True, False):
        assert Check("X", "be", "nothing", 3.0, 3.0, at_least=at_least).passed
