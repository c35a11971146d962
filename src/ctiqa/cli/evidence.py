"""Gather what 'ctiqa evaluate' evaluates: from a CSV, a corpus or a published data set."""

from dataclasses import replace
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ctiqa.errors import CtiqaError

if TYPE_CHECKING:
    from ctiqa.study.corpus_evidence import Evidence
    from ctiqa.study.map_evidence import MapAgreement

__all__ = ["Choice", "Found", "Label", "from_challenge", "from_corpus", "from_csv"]


class Label(StrEnum):
    """Which label of a corpus is the reference."""

    IDEAL = "ideal"
    ROUTINE = "routine"
    PARTS = "parts"


class Found(NamedTuple):
    """What is evaluated, in words, too, with what was left out and what to know of it."""

    evidence: "Evidence"
    about: dict[str, str]
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    quality_map: "MapAgreement | None" = None


class Choice(NamedTuple):
    """What of a corpus is evaluated, and by which models."""

    model: Path | None
    teachers: list[Path]
    split: str
    only: str
    label: Label
    self_label: bool
    niqe: bool
    device: str
    workers: int | None
    quiet: bool


def from_csv(path: Path, train: Path | None) -> Found:
    """Return scores and references of a table, with what other patients teach the baselines."""
    from ctiqa.study.corpus_evidence import Evidence
    from ctiqa.study.evidence import read_evidence

    reading, about = read_evidence(path), {"table": path.name}
    if train is None:
        return Found(Evidence(reading.table, None), about, reading.refused)
    known = read_evidence(train, need_score=False)
    evidence = Evidence(reading.table, known.table.as_training())
    return Found(evidence, about | {"training": train.name}, reading.refused + known.refused)


def from_corpus(folder: Path, choice: Choice) -> Found:
    """Return the scores of a model, and of its rivals, on a split of a corpus."""
    from ctiqa.cli.console import progress
    from ctiqa.corpus.label import IDEAL, PARTS, ROUTINE
    from ctiqa.corpus.store import Corpus
    from ctiqa.scoring.scorer import Scorer
    from ctiqa.study.chosen import Chosen
    from ctiqa.study.corpus_evidence import fitted, gather
    from ctiqa.study.map_evidence import map_agreement

    if choice.self_label and find_spec("skimage") is None:
        raise CtiqaError(
            "the label of an image by itself needs scikit-image, which is not installed: "
            "pip install 'ctiqa[train]', or give --no-self-label"
        )
    recipes = {
        Label.IDEAL: IDEAL,
        Label.ROUTINE: ROUTINE,
        Label.PARTS: replace(IDEAL, parts=PARTS),
    }
    label = recipes[choice.label]
    chosen = Chosen.of(Corpus.open(folder), label, split=choice.split, only=choice.only)
    scorer = Scorer(choice.model, device=choice.device)
    others = [Scorer(path, device=choice.device) for path in choice.teachers]
    shown, *teachers = (fitted(one.score_batch, one.card.size) for one in (scorer, *others))
    evidence = gather(
        chosen,
        shown,
        teachers=teachers,
        # Neither knows what to say of an image that is blurred or streaky.
        by_itself=choice.self_label and choice.label is not Label.PARTS,
        niqe=choice.niqe and choice.label is not Label.PARTS,
        interval=scorer.card.interval,
        workers=choice.workers,
        bar=partial(progress, quiet=choice.quiet),
    )
    about = {
        "model": f"{scorer.card.name} {scorer.sha256[:12]}",
        "label": choice.label.value,
        "split": choice.split,
        "only": choice.only or "all",
        "corpus": chosen.fingerprint()[:12],
    }
    mapped, notes = None, list[str]()
    if scorer.has_map and chosen.with_degraded:
        held, size = chosen.corpus.stored(chosen.indices[0], 0).shape[0], scorer.card.size
        if held == size:
            bar = progress("quality map", quiet=choice.quiet)
            mapped = map_agreement(chosen, scorer.loss_map, bar)
        else:
            words = f"it covers {size} pixels a side, and slices have {held}"
            notes.append(f"The quality map is not judged: {words}.")
    return Found(evidence, about, notes=tuple(notes), quality_map=mapped)


def from_challenge(
    folder: Path,
    model: Path | None,
    window: tuple[float, float],
    *,
    pixel_mm: float,
    device: str,
    quiet: bool,
) -> Found:
    """Return the scores of a model on a data set of readers' grades."""
    from ctiqa.cli.console import progress
    from ctiqa.images.window import Window
    from ctiqa.scoring.scorer import Scorer
    from ctiqa.study.challenge import LDCTIQAC2023, Challenge, gather, in_words
    from ctiqa.study.corpus_evidence import Evidence

    challenge = Challenge.open(folder)
    scorer, shown = Scorer(model, device=device), Window(*window)
    with progress("Scoring", quiet=quiet) as advance:
        found = gather(
            *(challenge, scorer.score_batch),
            size=scorer.card.size,
            window=shown,
            pixel_mm=pixel_mm,
            advance=advance,
        )
    about = {
        "model": f"{scorer.card.name} {scorer.sha256[:12]}",
        "data set": LDCTIQAC2023,
        "pixels": in_words(shown),
        "side of a pixel": f"{pixel_mm:g} mm",
    }
    return Found(Evidence(found.table, None), about, found.refused, found.notes)
