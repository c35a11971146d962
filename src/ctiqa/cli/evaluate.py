"""Hold a model, or a table of scores, against its reference and the trivial baselines."""

import json
import sys
from dataclasses import replace
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ctiqa.cli.options import Device, Json, Quiet, Workers
from ctiqa.errors import CtiqaError

if TYPE_CHECKING:
    from ctiqa.study.corpus_evidence import Evidence
    from ctiqa.study.evaluation import Evaluation
    from ctiqa.study.map_evidence import MapAgreement

__all__ = ["evaluate"]

_MOST_REFUSALS_SHOWN = 20
_FORMS = (".json", ".csv", ".md")


class Label(StrEnum):
    """Which label of a corpus is the reference."""

    IDEAL = "ideal"
    ROUTINE = "routine"
    PARTS = "parts"


class Dataset(StrEnum):
    """A published data set that is laid out in its own way."""

    LDCTIQAC2023 = "ldctiqac2023"


class _Found(NamedTuple):
    evidence: "Evidence"
    about: dict[str, str]
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    quality_map: "MapAgreement | None" = None


class _Choice(NamedTuple):
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


def evaluate(
    evidence: Annotated[
        Path,
        typer.Argument(
            help="A corpus that 'ctiqa corpus' made, or a CSV with the columns score and "
            "reference and, if known, patient, dose, noise_hu and slice; or with --dataset the "
            "folder of that."
        ),
    ],
    *,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="Model (.onnx); the shipped one if absent.")
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(help="Model of one teacher, given once for each: adds two rows beside it."),
    ] = None,
    dataset: Annotated[
        Dataset | None,
        typer.Option(help="A published data set of readers' grades: image/*.tif beside a JSON."),
    ] = None,
    window: Annotated[
        tuple[float, float],
        typer.Option(help="Width and level in HU that its pixels 0 to 1 stand for."),
    ] = (350.0, 40.0),
    pixel_mm: Annotated[
        float, typer.Option(help="Side of its pixels, of which it says nothing.", min=0.1)
    ] = 0.7,
    split: Annotated[str, typer.Option(help="Split of the corpus to evaluate.")] = "test",
    only: Annotated[
        str, typer.Option(help="Only slices of the corpus whose path starts like this.")
    ] = "",
    label: Annotated[
        Label, typer.Option(help="Label of the corpus to compare with.")
    ] = Label.IDEAL,
    train: Annotated[
        Path | None,
        typer.Option(help="CSV of other patients (reference, dose, noise_hu) to map baselines on."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write .json, .csv or .md.")
    ] = None,
    boot: Annotated[int, typer.Option(min=1, help="Resamples behind each interval.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resamples.")] = 0,
    self_label: Annotated[
        bool,
        typer.Option(
            help="Also let the labeller label each image by itself (0.6 s each, once: they are kept"
            " in the corpus)."
        ),
    ] = True,
    niqe: Annotated[
        bool,
        typer.Option(help="Also tell how far each image is from routine-dose training slices."),
    ] = True,
    device: Device = "cpu",
    workers: Workers = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say how well scores agree with a reference, and what noise alone would reach.

    PLCC, SROCC, KROCC, OPM, MAE and MSE with intervals over patients, also within
    each dose and each patient, beside trivial baselines. Higher scores are better.

    Exit code 1 if a line could not be used, or if the score runs against its reference.

    For example:

      ctiqa evaluate corpus --only test/ -o evaluation.md

      ctiqa evaluate corpus --model student.onnx --teacher first.onnx --json

      ctiqa evaluate readers.csv --train earlier-readers.csv

      ctiqa evaluate challenge --dataset ldctiqac2023 --window 350 40 -m student.onnx
    """
    _check_output(output)
    if dataset is not None:
        if train is not None or teacher:
            raise typer.BadParameter("goes with a table or a corpus", param_hint="--train")
        if not window[0] > 0:
            raise typer.BadParameter("give the width first, above 0", param_hint="--window")
        found = _from_challenge(
            evidence, model, window, pixel_mm=pixel_mm, device=device, quiet=quiet
        )
    elif evidence.is_dir():
        if train is not None:
            raise typer.BadParameter("a corpus brings its own", param_hint="--train")
        models = model, teacher or []
        choice = _Choice(*models, split, only, label, self_label, niqe, device, workers, quiet)
        found = _from_corpus(evidence, choice)
    else:
        if model is not None or teacher:
            raise typer.BadParameter("a CSV is scored already; give a corpus", param_hint="--model")
        found = _from_csv(evidence, train)

    from ctiqa.study.evaluation import evaluate as evaluate_table

    table, known = found.evidence
    result = evaluate_table(table, train=known, n_boot=boot, seed=seed, about=found.about)
    notes = (*result.notes, *found.notes)
    result = replace(result, notes=notes, quality_map=found.quality_map)
    _write(result, found.refused, output, as_json=as_json)
    if not quiet:
        _tell(found.refused)
    if found.refused or result.model.inverted:
        raise typer.Exit(1)


def _from_csv(path: Path, train: Path | None) -> _Found:
    from ctiqa.study.corpus_evidence import Evidence
    from ctiqa.study.evidence import read_evidence

    reading, about = read_evidence(path), {"table": path.name}
    if train is None:
        return _Found(Evidence(reading.table, None), about, reading.refused)
    known = read_evidence(train, need_score=False)
    evidence = Evidence(reading.table, known.table.as_training())
    return _Found(evidence, about | {"training": train.name}, reading.refused + known.refused)


def _from_corpus(folder: Path, choice: _Choice) -> _Found:
    from ctiqa.cli.console import progress
    from ctiqa.corpus.label import IDEAL, PARTS, ROUTINE
    from ctiqa.corpus.store import Corpus
    from ctiqa.scoring.scorer import Scorer
    from ctiqa.study.chosen import Chosen
    from ctiqa.study.corpus_evidence import gather
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
    teachers = [Scorer(path, device=choice.device) for path in choice.teachers]
    evidence = gather(
        chosen,
        scorer.score_batch,
        teachers=[teacher.score_batch for teacher in teachers],
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
        "corpus": chosen.corpus.fingerprint(chosen.indices)[:12],
    }
    mapped = None
    if scorer.has_map and chosen.with_degraded:
        bar = progress("quality map", quiet=choice.quiet)
        mapped = map_agreement(chosen, scorer.loss_map, bar)
    return _Found(evidence, about, quality_map=mapped)


def _from_challenge(
    folder: Path,
    model: Path | None,
    window: tuple[float, float],
    *,
    pixel_mm: float,
    device: str,
    quiet: bool,
) -> _Found:
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
    return _Found(Evidence(found.table, None), about, found.refused, found.notes)


def _check_output(output: Path | None) -> None:
    """Refuse before the work what could not be written after it."""
    if output is None:
        return
    if output.suffix not in _FORMS:
        raise typer.BadParameter(f"{output} must end in {', '.join(_FORMS)}", param_hint="--output")
    if not output.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.parent}", param_hint="--output")


def _write(
    result: "Evaluation", refused: tuple[str, ...], output: Path | None, *, as_json: bool
) -> None:
    from ctiqa.files import write_whole
    from ctiqa.study.rendering import render_csv, render_table

    plain = result.to_dict() | {"refused": list(refused)}
    text = json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    print(text if as_json else render_table(result), end="")
    if output is not None:
        forms = {
            ".json": lambda: text,
            ".csv": lambda: render_csv(result),
            ".md": lambda: render_table(result, style="markdown"),
        }
        write_whole(output, forms[output.suffix]().encode())


def _tell(refused: tuple[str, ...]) -> None:
    for sentence in refused[:_MOST_REFUSALS_SHOWN]:
        print(f"left out: {sentence}", file=sys.stderr)
    if len(refused) > _MOST_REFUSALS_SHOWN:
        print(f"left out: {len(refused) - _MOST_REFUSALS_SHOWN} more lines", file=sys.stderr)
