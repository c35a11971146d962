"""What a study is about, pinned in its folder: one scale, one corpus."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ctiqa.corpus.store import Corpus
from ctiqa.errors import CorpusError, RecipeError, TableError
from ctiqa.files import write_whole

__all__ = ["ABOUT", "About", "begin_study", "check_corpus", "read_about"]

ABOUT = "study.json"
SCHEMA_VERSION = 1
_SPLITS = ("train", "test")


@dataclass(frozen=True, slots=True)
class About:
    """What all figures of a study have in common.

    Args:
        scale: its name.
        recipe: the scale's base recipe, word for word.
        corpus: name of the corpus's folder.
        fingerprint: of all slices that are trained or tested on.
        doses: at which images are shown and judged.
        train_patients: how many are trained on.
        train_images: how many images of them there are.
        test_patients: how many are tested on.
        test_images: how many images of them there are.
    """

    scale: str
    recipe: str
    corpus: str
    fingerprint: str
    doses: tuple[float, ...]
    train_patients: int
    train_images: int
    test_patients: int
    test_images: int

    @classmethod
    def of(cls, corpus: Corpus, *, scale: str, recipe: str, doses: Sequence[float]) -> "About":
        """Return what a study of a scale on a corpus is about."""
        train, test = (corpus.where(split) for split in _SPLITS)
        return cls(
            scale=scale,
            recipe=recipe,
            corpus=corpus.folder.resolve().name,
            fingerprint=corpus.fingerprint([*train, *test]),
            doses=tuple(doses),
            train_patients=_patients(corpus, train),
            train_images=len(train) * len(doses),
            test_patients=_patients(corpus, test),
            test_images=len(test) * len(doses),
        )


def check_corpus(corpus: Corpus, *, doses: Sequence[float], folds: int) -> None:
    """Refuse a corpus on which a study cannot be made, before anything is trained.

    Args:
        corpus: open.
        doses: that the study shows and judges.
        folds: into which its training patients are to be shared out.

    Raises:
        CorpusError: if a dose, a split or patients are missing.
    """
    held = corpus.settings.image_doses
    if missing := sorted(set(doses) - set(held)):
        raise CorpusError(
            f"{corpus.folder} holds no images at dose {', '.join(map(str, missing))}, only at "
            f"{', '.join(map(str, held))}; make it with these doses"
        )
    train, _ = (corpus.where(split) for split in _SPLITS)
    if (patients := _patients(corpus, train)) < folds:
        raise CorpusError(
            f"{corpus.folder} holds {patients} training patients, fewer than the {folds} folds of "
            "the teachers; make a corpus with more patients"
        )


def begin_study(folder: Path, about: About) -> None:
    """Pin what a study is about, so that none of its tables mixes two scales or two corpora.

    Raises:
        RecipeError: if the folder holds a study of another scale.
        CorpusError: if it holds one of another corpus.
        WriteError: if the folder cannot be written to.
    """
    if not (folder / ABOUT).exists():
        facts = {"schema_version": SCHEMA_VERSION, **asdict(about)}
        write_whole(folder / ABOUT, (json.dumps(facts, indent=2) + "\n").encode())
        return
    known = read_about(folder)
    if known.recipe != about.recipe:
        raise RecipeError(
            f"{folder} holds a study at scale {known.scale} by another recipe than that of "
            f"{about.scale}; choose another folder"
        )
    if known.fingerprint != about.fingerprint:
        raise CorpusError(
            f"{folder} holds a study on another corpus ({known.corpus}); give that one or choose "
            "another folder"
        )


def read_about(folder: Path) -> About:
    """Return what the study in a folder is about.

    Raises:
        TableError: if there is none, or its description is damaged.
    """
    path = folder / ABOUT
    try:
        facts = json.loads(path.read_text("utf-8"))
        del facts["schema_version"]
        return About(**(facts | {"doses": tuple(facts["doses"])}))
    except FileNotFoundError:
        raise TableError(
            f"{folder} holds no study ({ABOUT} is missing); begin one by 'ctiqa study'"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(f"{path} is damaged ({error}); choose another folder") from error


def _patients(corpus: Corpus, indices: Sequence[int]) -> int:
    return len({corpus.slices[index].facts.patient for index in indices})
