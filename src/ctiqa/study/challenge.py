"""Read the images of the 2023 challenge on low-dose CT quality, and score them beside readers."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ctiqa.errors import CtiqaError, TableError
from ctiqa.images.ct_slice import FloatImage
from ctiqa.images.window import SOFT_TISSUE, Window
from ctiqa.measures.global_noise import global_noise_hu
from ctiqa.measures.monotone import MonotoneMap
from ctiqa.study.corpus_evidence import Advance, Predict
from ctiqa.study.evidence import EvidenceTable

__all__ = [
    "LDCTIQAC2023",
    "MAPPED",
    "Challenge",
    "Found",
    "GradedImage",
    "as_hu",
    "gather",
    "in_words",
]

LDCTIQAC2023 = "ldctiqac2023"
SCALE = (0.0, 4.0)

MAPPED = "model, mapped like the noise"

_SUFFIXES = (".tif", ".tiff")
_SLACK = 1e-3
_BINS = 200

_FAT_HU = (-150.0, -50.0)
_TISSUE_HU = (-150.0, 150.0)
_LEAST_FAT = 0.12
_MOST_FOREIGN = 0.4
"""In the middle of training patients' abdomens, read rightly, 0.20 to 0.45 is fat and up to 0.39
neither fat nor soft tissue. W350 read as W1400 makes 0.80 and more foreign, W1400 read as W350
leaves 0.02 to 0.09 of fat; only where lungs fill the middle that goes unnoticed."""


class GradedImage(NamedTuple):
    """One image of the challenge and its readers' mean grade, 0 to 4."""

    path: Path
    grade: float


@dataclass(frozen=True, slots=True)
class Challenge:
    """The folder of the challenge: ``image/*.tif`` and a JSON of file name to mean grade.

    Args:
        images: those that have a grade, by name.
        refused: one sentence for each image without a grade and each grade without an image.
    """

    images: tuple[GradedImage, ...]
    refused: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path) -> "Challenge":
        """Open the folder; no image is read yet.

        Raises:
            TableError: if it is not laid out so, or no image has a grade.
        """
        grades, name = _grades(folder)
        inside = folder / "image"
        found = sorted(path for path in inside.glob("*") if path.suffix.lower() in _SUFFIXES)
        if not found:
            raise TableError(f"{inside} holds no .tif or .tiff; name the folder that holds image/")
        images, refused = [], []
        for path in found:
            # Some copies name the images in their JSON without the suffix.
            grade = grades.pop(path.name, None)
            grade = grades.pop(path.stem, None) if grade is None else grade
            if grade is None:
                refused.append(f"{path.name}: {name} holds no grade of it")
            elif not _is_grade(grade):
                refused.append(f"{path.name}: its grade is {grade!r}, which is not 0 to 4")
            else:
                images.append(GradedImage(path, float(grade)))
        refused += [f"{each}: there is no such image in image/" for each in grades]
        if not images:
            raise TableError(f"no image of {inside} has a grade in {name} ({refused[0]})")
        return cls(tuple(images), tuple(refused))


class Found(NamedTuple):
    """The evidence of the challenge, what was left out, and what to know, in sentences."""

    table: EvidenceTable
    refused: tuple[str, ...]
    notes: tuple[str, ...]


def gather(
    challenge: Challenge,
    predict: Predict,
    *,
    size: int,
    window: Window = SOFT_TISSUE,
    pixel_mm: float,
    advance: Advance = lambda _done, _of: None,
) -> Found:
    """Score every image of the challenge, and measure its noise.

    Args:
        challenge: open.
        predict: the model.
        size: rows and columns of the slice that it takes.
        window: 0 and 1 of the files are its lower and its upper end.
        pixel_mm: side of a pixel, of which the files say nothing.
        advance: told how far it is.

    Raises:
        TableError: if no image could be read.
        CtiqaError: if Pillow is not installed.
    """
    score, grade, noise_hu, refused = [], [], [], list(challenge.refused)
    counts = np.zeros(_BINS)
    for done, image in enumerate(challenge.images, 1):
        try:
            unit = _pixels(image.path, size)
        except ValueError as why:
            refused.append(f"{image.path.name}: {why}")
            continue
        hu = as_hu(unit, window)
        score.append(float(predict(hu[np.newaxis], pixel_mm).mean(dtype=np.float64)))
        grade.append(image.grade)
        noise_hu.append(global_noise_hu(hu))
        counts += _histogram(unit)
        advance(done, len(challenge.images))
    if not score:
        raise TableError(f"no image of the challenge could be read ({refused[0]})")
    scores, grades = np.array(score), np.array(grade)
    noise = np.array(noise_hu)
    table = EvidenceTable(
        scores,
        grades,
        noise_hu=None if np.isnan(noise).all() else noise,
        rivals={MAPPED: MonotoneMap.fit(scores, grades)(scores)},
    )
    return Found(table, tuple(refused), tuple(_notes(counts, window)))


def as_hu(unit: FloatImage, window: Window) -> FloatImage:
    """Return pixels in [0, 1] as Hounsfield units: the inverse of :meth:`Window.apply`.

    >>> as_hu(np.float32([0, 0.5, 1]), SOFT_TISSUE).tolist()
    [-135.0, 40.0, 215.0]
    """
    low = window.level_hu - window.width_hu / 2
    return np.asarray(np.clip(unit, 0, 1) * window.width_hu + low, np.float32)


def in_words(window: Window) -> str:
    """Return how pixels v become Hounsfield units.

    >>> in_words(SOFT_TISSUE)
    'hu = 350 v - 135 (W350/L40)'
    """
    low = window.level_hu - window.width_hu / 2
    sign = "-" if low < 0 else "+"
    name = f"W{window.width_hu:g}/L{window.level_hu:g}"
    return f"hu = {window.width_hu:g} v {sign} {abs(low):g} ({name})"


def _grades(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the grades by file name, and the name of their file."""
    if not (folder / "image").is_dir():
        raise TableError(f"{folder} holds no folder image; name the folder of the data set")
    found = sorted(folder.glob("*.json"))
    if len(found) != 1:
        raise TableError(
            f"{folder} holds {len(found)} .json files; leave there one, of file name to mean grade"
        )
    try:
        plain = json.loads(found[0].read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"{found[0]} is not JSON ({error}); copy it again") from error
    if not isinstance(plain, Mapping):
        raise TableError(f"{found[0]} is no table of file name to mean grade; copy it again")
    return dict(plain), found[0].name


def _is_grade(value: object) -> bool:
    low, high = SCALE
    return isinstance(value, int | float) and type(value) is not bool and low <= value <= high


def _pixels(path: Path, size: int) -> FloatImage:
    """Return the pixels of one image, (size, size); a ValueError says why it cannot be used."""
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise CtiqaError(
            "the images of the challenge need Pillow, which is not installed: "
            "pip install 'ctiqa[picture]'"
        ) from error
    try:
        with Image.open(path) as image:
            pixels: npt.NDArray[Any] = np.asarray(image)
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError("it is no TIFF that Pillow can read, or a damaged one") from error
    if pixels.shape != (size, size):
        raise ValueError(f"it is {pixels.shape}, and the model takes ({size}, {size})")
    unit = pixels.astype(np.float32)
    low, high = float(unit.min()), float(unit.max())
    if not (low >= -_SLACK and high <= 1 + _SLACK):
        raise ValueError(f"its pixels go from {low:g} to {high:g}, not from 0 to 1")
    return unit


def _histogram(unit: FloatImage) -> npt.NDArray[np.float64]:
    """Return how often each value occurs in the middle of an image, its clipped ends left out."""
    edge = len(unit) // 5
    middle = unit[edge:-edge, edge:-edge]
    inside = middle[(middle > 0.01) & (middle < 0.99)]
    return np.histogram(inside, bins=_BINS, range=(0, 1))[0].astype(float)


def _share(counts: npt.NDArray[np.float64], of: npt.NDArray[np.bool_]) -> float:
    return float(counts[of].sum() / max(counts.sum(), 1))


def _notes(counts: npt.NDArray[np.float64], window: Window) -> Iterator[str]:
    """Yield what a reader must know, above all whether the HU can be right."""
    yield (
        f"Pixels v were read as {in_words(window)}; the files do not say how they were windowed "
        "(--window names another)."
    )
    centres = (np.arange(_BINS) + 0.5) / _BINS
    hu = as_hu(centres.astype(np.float32), window)
    fat = _share(counts, (hu > _FAT_HU[0]) & (hu < _FAT_HU[1]))
    foreign = _share(counts, (hu < _TISSUE_HU[0]) | (hu > _TISSUE_HU[1]))
    if fat < _LEAST_FAT or foreign > _MOST_FOREIGN:
        yield (
            f"So read, {fat:.0%} of the middle of the images is fat (-150 to -50 HU) and "
            f"{foreign:.0%} neither fat nor soft tissue, which is no abdomen: doubt the map, and "
            "the figures with it."
        )
    yield (
        "Grades go from 0 to 4, scores from 0 to 1: MAE and MSE of 'model' mean nothing. "
        f"'{MAPPED}' is the score after a rising map learnt from these same images."
    )
    yield "The data set names no doses and no patients: there are no intervals over patients."
