"""Keep what every network said of every image, so that tables are made without a network."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ctiqa.corpus.label import LabelRecipe
from ctiqa.corpus.store import Corpus
from ctiqa.errors import TableError
from ctiqa.files import write_whole
from ctiqa.measures.correlation import Column
from ctiqa.study.chosen import Chosen
from ctiqa.study.evidence import EvidenceTable, Names, TrainingImages

__all__ = [
    "Images",
    "Kept",
    "images_path",
    "read_images",
    "read_kept",
    "scores_path",
    "write_images",
    "write_kept",
]


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """The images that are judged, and what the trivial baselines may learn from.

    Args:
        reference: (n,) label of each.
        patient: (n,) pseudonym of its patient.
        dose: (n,) its dose.
        noise_hu: (n,) its global noise, NaN where it could not be measured.
        slice_id: (n,) names the slice that it shows.
        train: the same of the training patients, without names.
    """

    reference: Column
    patient: Names
    dose: Column
    noise_hu: Column
    slice_id: Names
    train: TrainingImages

    def evidence(self, score: Column) -> EvidenceTable:
        """Return the images with a column of scores."""
        noise_hu = None if np.isnan(self.noise_hu).all() else self.noise_hu
        return EvidenceTable(
            score, self.reference, self.patient, self.dose, noise_hu, self.slice_id
        )


class Kept(NamedTuple):
    """What is kept of one run: its score of each image, its loss in each epoch."""

    score: Column
    loss: Column


def write_images(path: Path, corpus: Corpus, label: LabelRecipe, doses: Sequence[float]) -> None:
    """Keep what is known of the images of a study.

    Args:
        path: of the file, which ends in .npz.
        corpus: open.
        label: how Q is weighed.
        doses: at which images are shown and judged.

    Raises:
        WriteError: if the file could not be written whole.
    """
    test, train = (Chosen(corpus, corpus.where(split), label, doses) for split in ("test", "train"))
    _write(
        path,
        {
            **asdict(test.known()),
            **{f"train_{name}": column for name, column in asdict(train.known()).items()},
            "patient": test.patients,
            "slice_id": test.slice_ids,
        },
    )


def read_images(path: Path) -> Images:
    """Return what :func:`write_images` kept.

    Raises:
        TableError: if it is missing or damaged.
    """
    columns = _read(path)
    train = TrainingImages(*(columns.pop(f"train_{name}") for name in _KNOWN))
    return Images(**columns, train=train)


def images_path(folder: Path, images: str) -> Path:
    """Return where the images of a table are kept in the folder of a study."""
    return folder / f"{images}.npz"


def scores_path(folder: Path, run: str) -> Path:
    """Return where the scores of a run are kept in the folder of a study."""
    return folder / "scores" / f"{run}.npz"


def write_kept(path: Path, kept: Kept) -> None:
    """Keep what a run said.

    Raises:
        WriteError: if the file could not be written whole.
    """
    _write(path, kept._asdict())


def read_kept(path: Path) -> Kept:
    """Return what :func:`write_kept` kept.

    Raises:
        TableError: if it is missing or damaged.
    """
    return Kept(**_read(path))


_KNOWN = ("reference", "dose", "noise_hu")


def _write(path: Path, columns: Mapping[str, Any]) -> None:
    write_whole(path, lambda file: np.savez(file, **columns))


def _read(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as columns:
            return dict(columns)
    except (OSError, ValueError, EOFError) as error:
        raise TableError(
            f"{path} is missing or damaged; delete the folder of the study and begin it anew"
        ) from error
