"""Hold the region that the image shows against what the header and the model's card name."""

from collections.abc import Iterator
from typing import Final, get_args

from ctiqa.card import TrainingRange
from ctiqa.measures.region import Region

__all__ = ["region_cautions", "tagged_region"]

_WORDS: Final[dict[Region, tuple[str, ...]]] = {
    "phantom": ("PHANTOM", "WATER"),
    "head": ("HEAD", "BRAIN", "SKULL", "SINUS", "ORBIT", "JAW", "FACE", "TEMPORAL"),
    "neck": ("NECK", "CSPINE", "LARYNX", "THYROID"),
    "chest": ("CHEST", "THORAX", "LUNG", "HEART", "CARDIAC", "BREAST", "TSPINE", "SHOULDER"),
    "abdomen": (
        "ABD",
        "PELVIS",
        "LIVER",
        "COLON",
        "STOMACH",
        "PANCREAS",
        "KIDNEY",
        "BLADDER",
        "PROSTATE",
        "LSPINE",
        "HIP",
    ),
    "extremity": ("EXTREMITY", "ARM", "LEG", "KNEE", "ANKLE", "FOOT", "HAND", "WRIST", "ELBOW"),
}
"""Parts of the words of DICOM PS3.16 Annex L and of those that sites write in BodyPartExamined."""

_ALONG: Final[dict[Region, frozenset[Region]]] = {
    "phantom": frozenset({"phantom"}),
    "head": frozenset({"head", "neck"}),
    "neck": frozenset({"head", "neck", "chest"}),
    "chest": frozenset({"neck", "chest", "abdomen"}),
    "abdomen": frozenset({"chest", "abdomen", "extremity"}),
    "extremity": frozenset({"abdomen", "extremity"}),
}
"""What a scan of a region shows besides: it runs on into its neighbours."""

_SHOWN: Final[dict[Region, str]] = {
    "head": "a head",
    "neck": "a neck",
    "chest": "a chest",
    "abdomen": "an abdomen",
    "extremity": "an extremity",
    "phantom": "a uniform phantom",
}


def tagged_region(words: str) -> Region | None:
    """Return the first region that a header's words name; None where they name none we know.

    >>> tagged_region("TH CT CHEST WO CE"), tagged_region("Liver"), tagged_region("C7")
    ('chest', 'abdomen', None)
    """
    upper = words.upper()
    return next((region for region in _WORDS if any(w in upper for w in _WORDS[region])), None)


def region_cautions(body_part: str, shown: Region | None, trained: TrainingRange) -> Iterator[str]:
    """Yield, in words, what is doubtful about the part of the body; the image has the last word.

    Args:
        body_part: as the header names it; "" where it is silent.
        shown: by the image; None where it does not decide.
        trained: of the model's card; its tags stand for regions where it names none.
    """
    known = {region for region in get_args(Region) if region in trained.image_regions}
    known = known or {region for tag in trained.body_regions if (region := tagged_region(tag))}
    tagged = tagged_region(body_part)
    if shown and known and shown not in known:
        yield f"the image shows {_SHOWN[shown]}, but training only {' and '.join(sorted(known))}"
    elif body_part and not shown and trained.body_regions and tagged not in known:
        yield f"body part {body_part} not in training"
    if tagged and shown and shown not in _ALONG[tagged]:
        yield f"body part {body_part} in the header, but the image shows {_SHOWN[shown]}"
