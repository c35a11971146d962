"""What the paper prints in its tables, as far as it is at hand, and where that cannot be right.

Shen, Zhang and Liu 2025, doi 10.12677/mos.2025.143214; METHOD 1.2 says what does not fit together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["CONTRADICTIONS", "PRINTED", "Printed", "percent_above"]

_ROUNDING = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """One row of a table, digit for digit; None is not at hand. KROCC is called KRCC there."""

    opm: Decimal | None = None
    plcc: Decimal | None = None
    srocc: Decimal | None = None
    krocc: Decimal | None = None
    mae: Decimal | None = None
    mse: Decimal | None = None

    @property
    def sum_holds(self) -> bool | None:
        """Whether OPM is the sum of its parts, as far as printing rounds (equation 10)."""
        parts = (self.plcc, self.srocc, self.krocc)
        known = [part for part in parts if part is not None]
        if self.opm is None or len(known) < len(parts):
            return None
        return abs(self.opm - sum(known)) <= _ROUNDING

    @property
    def errors_hold(self) -> bool | None:
        """Whether MAE squared is at most MSE, which holds for any errors (Jensen)."""
        if self.mae is None or self.mse is None:
            return None
        half = _ROUNDING / 2
        return max(self.mae - half, Decimal(0)) ** 2 <= self.mse + half


def _row(**figures: str) -> Printed:
    return Printed(**{name: Decimal(digits) for name, digits in figures.items()})


_CHOSEN = _row(
    opm="2.8070", plcc="0.9916", srocc="0.9683", krocc="0.8471", mae="0.0259", mse="0.0010"
)

PRINTED: Mapping[str, Mapping[str, Printed]] = {
    "table1": {
        "blocks 0": _row(opm="2.6325"),
        "blocks 1": _row(opm="2.5841"),
        "blocks 4": _CHOSEN,
    },
    "table2": {
        "members 1": _row(opm="2.6684", plcc="0.9519", srocc="0.9376", krocc="0.7789"),
        "members 2": _row(opm="2.7536"),
        "members 3": _row(krocc="0.8481"),
        "members 4": _CHOSEN,
        # The columns of this row are scrambled; this is the reading of METHOD 1.3, row 25.
        "members 5": _row(
            opm="2.7439", plcc="0.9505", srocc="0.9609", krocc="0.8325", mae="0.0701", mse="0.0074"
        ),
    },
    "table3": {
        "beta 0": _row(opm="2.3926"),
        "beta 0.5": _row(opm="2.637"),
        "beta 0.75": _CHOSEN,
        "beta 1": _row(opm="2.6699"),
    },
    "table4": {
        "vit": _row(opm="2.7224"),
        "cnn-vit": _row(opm="2.7836"),
        "student": _CHOSEN,
    },
}
"""Printed rows by table and by the key of the row in :mod:`ctiqa.study.grid`."""


def percent_above(ours: float, theirs: float) -> float:
    """Return by how many percent of ``theirs`` one figure exceeds another.

    >>> round(percent_above(2.8070, 2.7836), 2)
    0.84
    """
    return 100 * (ours - theirs) / theirs


_LARGER = percent_above(2.8070, 2.7836)

CONTRADICTIONS: Mapping[str, tuple[str, ...]] = {
    "table1": (
        "The text says that more blocks help; CNN-1 is printed below CNN-0 (2.5841, 2.6325).",
        "Five blocks are said to suffer from gradient degradation, for which nothing is shown.",
        (
            "Table 4 prints ViT alone, which is CNN-0 without distillation, at 2.7224, above the "
            "distilled CNN-0 of this table (2.6325)."
        ),
    ),
    "table2": (
        (
            "The text says that more members improve every figure; three members have a higher "
            "KRCC (0.8481) than four (0.8471), and five are worse than four."
        ),
        (
            "The columns of five members are scrambled; read as PLCC 0.9505, SROCC 0.9609, KRCC "
            "0.8325, their sum is the printed OPM. Those of one member are shifted, too."
        ),
        (
            "Table 4 prints a CNN-ViT without any distillation at 2.7836, above the students of "
            "one (2.6684) and of two members (2.7536)."
        ),
        (
            "Neither the mean of the teachers nor a single teacher is printed here; both stand "
            "above, since a student is of use only beside them."
        ),
    ),
    "table3": (
        (
            "The text calls every beta from 0.2 to 0.8 effective; 0.25, 0.4 and 0.5 are printed "
            "below 0.2, and beta 1 (2.6699) is above them."
        ),
        (
            "Beta 0 (2.3926) is a CNN-ViT without distillation, as in Table 4 (2.7836), but "
            "trained for 20 epochs instead of 100; trained as long it stands above."
        ),
        "The gate's epsilon of 0.05 is given without a comparison; a sweep stands above.",
    ),
    "table4": (
        "The text's 1.17 % over DenseNet is a difference of 0.0117, which is 1.19 %.",
        (
            f"The student is printed {_LARGER:.2f} % above CNN-ViT alone (2.8070, 2.7836), from "
            "two test patients and without an interval, at settings chosen on these same tables."
        ),
        (
            "The other networks' depths and sizes are not given; here they are ResNet-50, "
            "DenseNet-121, VGG-16 with batch norm and GoogLeNet."
        ),
    ),
    "figure4": (),
}
"""Where the paper contradicts itself, by table (METHOD 1.2)."""
