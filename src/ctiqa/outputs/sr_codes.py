"""Coded concepts of results in DICOM: the standard's where it has them, else our own.

A code of the standard says the same to every reader. None was found for a score of image quality,
for its map or for the noise of a CT image, so these, and the counts, are private codes of the
scheme 99CTIQA (DICOM PS3.16, 8.2), which each file registers. A private code once published never
changes.
"""

from dataclasses import dataclass
from typing import Literal

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.coding import Code

__all__ = [
    "AI",
    "CAUTION_REASON",
    "COMMENT",
    "CT_PROCEDURE",
    "HISTOGRAM",
    "IMAGE_QUALITY",
    "OF_SERIES",
    "OF_SLICE",
    "QUALITY_LOSS",
    "SCHEME",
    "SCHEMES",
    "SERIES_MEASURES",
    "SLICE_MEASURES",
    "STATUS",
    "STATUS_VALUES",
    "UNIT_LESS",
    "Measure",
]

SCHEME = "99CTIQA"
SCHEMES = [
    CodingSchemeIdentificationItem(
        designator=SCHEME, name="ctiqa", version="1", responsible_organization="ctiqa"
    )
]


def _own(value: str, meaning: str) -> Code:
    return Code(value, SCHEME, meaning)


COMMENT = Code("121106", "DCM", "Comment")
IMAGE_QUALITY = Code("111101", "DCM", "Image Quality")
AI = Code("123110", "DCM", "Artificial Intelligence")
HISTOGRAM = Code("123105", "DCM", "Histogram Analysis")
CT_PROCEDURE = Code("25045-6", "LN", "CT unspecified body region")

UNIT_LESS = Code("1", "UCUM", "no units")
_HU = Code("[hnsf'U]", "UCUM", "Hounsfield unit")

# How a value was derived from many: CID 7464 and CID 226 of DICOM PS3.16.
_MEDIAN = Code("373099004", "SCT", "Median")
_MEAN = Code("373098007", "SCT", "Mean")
_MINIMUM = Code("255605001", "SCT", "Minimum")
_MAXIMUM = Code("56851009", "SCT", "Maximum")
_P5 = Code("371888009", "SCT", "5th Percentile Value of population")
_P95 = Code("371889001", "SCT", "95th Percentile Value of population")

OF_SLICE = _own("slice", "Image quality of one slice")
OF_SERIES = _own("series", "Image quality of a series")
STATUS = _own("status", "Applicability of the score")
STATUS_VALUES = {
    "ok": _own("ok", "Like the training images"),
    "caution": _own("caution", "Read the reasons first"),
}
CAUTION_REASON = _own("reason", "Reason for caution")
QUALITY_LOSS = _own("quality-loss", "Share of CT image quality that is lost")

_SCORE = _own("score", "CT image quality score")
_NOISE = _own("noise", "Global noise of CT image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number of a result and how a report codes it.

    Args:
        field: its attribute in a slice's result or in a series' summary.
        name: what is measured.
        unit: UCUM code.
        derivation: how it was derived from many values; None for a value of one slice.
        interval: attributes that hold the ends of its interval, and their codes.
        by: the network says it, the noise meter measured it, or None: it was counted.
    """

    field: str
    name: Code
    unit: Code = UNIT_LESS
    derivation: Code | None = None
    interval: tuple[tuple[str, Code], ...] = ()
    by: Literal["network", "meter"] | None = None


_SCORE_ENDS = (
    ("score_low", _own("score-low", "Lower end of the interval of the score")),
    ("score_high", _own("score-high", "Upper end of the interval of the score")),
)
_READER_ENDS = (
    ("reader_low", _own("reader-low", "Lower end of the interval of the grade")),
    ("reader_high", _own("reader-high", "Upper end of the interval of the grade")),
)

SLICE_MEASURES = (
    Measure(field="score", name=_SCORE, interval=_SCORE_ENDS, by="network"),
    Measure(field="noise_hu", name=_NOISE, unit=_HU, by="meter"),
    Measure(
        field="score_noise", name=_own("score-noise", "Part of the score: noise"), by="network"
    ),
    Measure(
        field="score_sharpness",
        name=_own("score-sharpness", "Part of the score: sharpness"),
        by="network",
    ),
    Measure(
        field="score_streaks",
        name=_own("score-streaks", "Part of the score: streaks"),
        by="network",
    ),
    Measure(
        field="reader_score",
        name=_own("reader-score", "Grade that readers would give"),
        interval=_READER_ENDS,
        by="network",
    ),
)

SERIES_MEASURES = (
    Measure(field="score_median", name=_SCORE, derivation=_MEDIAN, by="network"),
    Measure(field="score_mean", name=_SCORE, derivation=_MEAN, by="network"),
    Measure(field="score_p5", name=_SCORE, derivation=_P5, by="network"),
    Measure(field="score_p95", name=_SCORE, derivation=_P95, by="network"),
    Measure(field="score_worst", name=_SCORE, derivation=_MINIMUM, by="network"),
    Measure(field="score_best", name=_SCORE, derivation=_MAXIMUM, by="network"),
    Measure(field="noise_hu_median", name=_NOISE, unit=_HU, derivation=_MEDIAN, by="meter"),
    Measure(field="slices", name=_own("n-slices", "Number of slices looked at")),
    Measure(field="scored", name=_own("n-scored", "Number of slices with a score")),
    Measure(field="caution", name=_own("n-caution", "Number of slices scored with caution")),
    Measure(field="not_scored", name=_own("n-not-scored", "Number of slices without a score")),
)
