"""A corpus on disk, opened: which slices it holds, their pixels and their labels."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from ctiqa.corpus.degraded_images import FOLDER, DegradedImages, columns_of, read_degraded
from ctiqa.corpus.label import WINDOWS, LabelRecipe
from ctiqa.corpus.part import CorpusSettings, HalfImage, Table
from ctiqa.dose.apodisation import Apodisation
from ctiqa.dose.simulate import Scan
from ctiqa.errors import CorpusError
from ctiqa.images.ct_slice import CTSlice, FloatImage, Identity

__all__ = ["SCHEMA_VERSION", "Corpus", "CorpusSlice", "SliceFacts"]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class SliceFacts:
    """One row of ``slices.csv``: which slice it is and how it was made."""

    part: str
    split: str
    patient: str
    series: str
    path: str
    sop_instance_uid: str
    series_instance_uid: str
    frame: int | None
    z_mm: float | None
    reconstruction: str
    pixel_mm: float
    quanta: float
    apodisation: str
    apodisation_slope: float
    apodisation_bend: float
    kvp: float | None
    tube_current_ma: float | None
    kernel: str
    slice_thickness_mm: float | None
    manufacturer: str
    scanner: str
    body_part: str

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Self:
        """Return the facts of a CSV row."""
        numbers = {
            "z_mm",
            "pixel_mm",
            "quanta",
            "apodisation_slope",
            "apodisation_bend",
            "kvp",
            "tube_current_ma",
            "slice_thickness_mm",
        }
        values: dict[str, object] = {}
        for field in fields(cls):
            text = row[field.name]
            if field.name in numbers:
                values[field.name] = float(text) if text else None
            elif field.name == "frame":
                values[field.name] = int(text) if text else None
            else:
                values[field.name] = text
        return cls(**values)  # type: ignore[arg-type] # each value has its column's type


@dataclass(frozen=True, slots=True, eq=False)
class CorpusSlice:
    """A slice of a corpus with what was measured on it (see ``part.Part``)."""

    facts: SliceFacts
    ideal: Table
    routine: Table
    noise_hu: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Labelled slices on disk.

    Args:
        folder: where it lies.
        settings: what decided its content.
        slices: in the order of ``slices.csv``.
    """

    folder: Path
    settings: CorpusSettings
    slices: tuple[CorpusSlice, ...]

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Open a finished corpus.

        Raises:
            CorpusError: if there is none, or it is unfinished or damaged.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / "corpus.json").read_text("utf-8"))
            with (folder / "slices.csv").open(encoding="utf-8", newline="") as file:
                rows = [SliceFacts.from_row(row) for row in csv.DictReader(file)]
            slices = tuple(_with_measures(folder, facts) for facts in rows)
            settings = settings_from_dict(about["settings"])
        except FileNotFoundError as error:
            raise CorpusError(
                f"{folder} is no finished corpus ({Path(error.filename).name} is missing): "
                "make it, or go on with it, by 'ctiqa corpus'"
            ) from None
        except (KeyError, ValueError, TypeError) as error:
            raise CorpusError(
                f"the corpus in {folder} is damaged ({error}): make it anew"
            ) from None
        return cls(folder, settings, slices)

    def where(self, split: str) -> list[int]:
        """Return the indices of the slices in a split.

        Raises:
            CorpusError: if there is none.
        """
        chosen = [index for index, one in enumerate(self.slices) if one.facts.split == split]
        if not chosen:
            present = sorted({one.facts.split for one in self.slices})
            raise CorpusError(f"{self.folder} holds no slice of split {split!r}, only {present}")
        return chosen

    def image(self, index: int, place: int) -> FloatImage:
        """Return an image of a slice in HU: at one of the image doses, then the degraded ones."""
        return np.asarray(self.stored(index, place), np.float32)

    def stored(self, index: int, place: int) -> npt.NDArray[np.int16]:
        """Return the same as it is stored, mapped from disk."""
        beyond = place - len(self.settings.image_doses)
        if beyond >= 0:
            return self.degraded(index).stored(beyond)
        image: npt.NDArray[np.int16] = self._pixels(index)[place]
        return image

    def pixel_mm(self, index: int) -> float:
        """Return the side of a pixel of a slice."""
        return self.slices[index].facts.pixel_mm

    def degraded(self, index: int) -> DegradedImages:
        """Return what 'ctiqa degrade' made of a slice.

        Raises:
            CorpusError: if it made nothing of it yet.
        """
        return read_degraded(self.folder / FOLDER / f"{self.slices[index].facts.part}.json")

    def scanned(self, index: int) -> tuple[CTSlice, Scan]:
        """Return a slice as it was scanned, rounded as scanners store it, and how it was made."""
        facts = self.slices[index].facts
        window = Apodisation(facts.apodisation, facts.apodisation_slope, facts.apodisation_bend)
        scan = Scan(facts.quanta, window, self.settings.electronic)
        return CTSlice(self.image(index, 0), facts.pixel_mm, Identity(facts.path)), scan

    def fields(self, index: int) -> HalfImage:
        """Return the stored noise fields of a slice, mapped from disk, in HU."""
        return self._pixels(index)[self._fields].view(np.float16)

    def clean(self, index: int) -> FloatImage | None:
        """Return a slice without its noise in HU; None in a corpus older than such slices."""
        beyond = self._pixels(index)[self._fields.stop :]
        return np.asarray(beyond[0], np.float32) if len(beyond) else None

    @property
    def _fields(self) -> slice:
        first, settings = len(self.settings.image_doses), self.settings
        return slice(first, first + settings.quantum_fields + settings.electronic_fields)

    def labels(self, index: int, recipe: LabelRecipe) -> npt.NDArray[np.float64]:
        """Return the label at each label dose ("ideal") or each image dose ("routine").

        Returns:
            (doses,), or (doses, parts) where the recipe names more parts than the score.

        Raises:
            CorpusError: if the corpus holds no labels in parts.
        """
        one = self.slices[index]
        if len(recipe.parts) > 1:
            return self.degraded(index).undegraded[:, columns_of(recipe)]
        table = one.ideal if recipe.reference == "ideal" else one.routine
        return np.array(
            [recipe.quality(dict(zip(WINDOWS, map(tuple, row), strict=True))) for row in table]
        )

    def image_labels(self, index: int, recipe: LabelRecipe) -> npt.NDArray[np.float64]:
        """Return the label of each image, in the order of :meth:`image`.

        Returns:
            (image doses,), or (image doses + degraded, parts) where the recipe names more parts.
        """
        labels = self.labels(index, recipe)
        if recipe.reference == "routine":
            return labels
        at = [self.settings.label_doses.index(dose) for dose in self.settings.image_doses]
        if len(recipe.parts) == 1:
            return labels[at]
        return np.concatenate([labels[at], self.degraded(index).labels[:, columns_of(recipe)]])

    def fingerprint(self, indices: Sequence[int], *, degraded: bool = False) -> str:
        """Return a SHA-256 over the identity and the measures of some slices.

        Args:
            indices: of the slices.
            degraded: whether what 'ctiqa degrade' made of them counts, too.
        """
        digest = hashlib.sha256(json.dumps(asdict(self.settings), sort_keys=True).encode())
        for index in indices:
            one = self.slices[index]
            digest.update(one.facts.part.encode())
            for table in (one.ideal, one.routine, one.noise_hu):
                digest.update(np.ascontiguousarray(table).tobytes())
            if degraded:
                digest.update(self.degraded(index).digest.encode())
        return digest.hexdigest()

    def _pixels(self, index: int) -> npt.NDArray[np.int16]:
        path = self.folder / "parts" / f"{self.slices[index].facts.part}.npy"
        pixels: npt.NDArray[np.int16] = np.load(path, mmap_mode="r", allow_pickle=False)
        return pixels


def settings_from_dict(values: Mapping[str, object]) -> CorpusSettings:
    """Return the settings that ``dataclasses.asdict`` turned into JSON."""
    restored = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return CorpusSettings(**restored)  # type: ignore[arg-type] # JSON of the same dataclass


def _with_measures(folder: Path, facts: SliceFacts) -> CorpusSlice:
    measured = json.loads((folder / "parts" / f"{facts.part}.json").read_text("utf-8"))
    return CorpusSlice(
        facts,
        ideal=np.array(measured["ideal"]),
        routine=np.array(measured["routine"]),
        noise_hu=np.array(measured["noise_hu"], float),
    )
