"""Hold a model, or a table of scores, against its reference and the trivial baselines."""

import json
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiqa.cli.evidence import Choice, Label, from_challenge, from_corpus, from_csv
from ctiqa.cli.options import Device, Json, Quiet, Workers

if TYPE_CHECKING:
    from ctiqa.study.evaluation import Evaluation

__all__ = ["evaluate"]

_MOST_REFUSALS_SHOWN = 20
_USUAL_PIXEL_MM = 0.7
_FORMS = (".json", ".csv", ".md")


class Dataset(StrEnum):
    """A published data set that is laid out in its own way."""

    LDCTIQAC2023 = "ldctiqac2023"


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
        float | None,
        typer.Option(
            help="Side of the data set's pixels in mm, of which its files say nothing; "
            f"{_USUAL_PIXEL_MM} if absent.",
            min=0.1,
        ),
    ] = None,
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
    if pixel_mm is not None and dataset is None:
        raise typer.BadParameter("goes with --dataset alone", param_hint="--pixel-mm")
    if dataset is not None:
        if train is not None or teacher:
            raise typer.BadParameter("goes with a table or a corpus", param_hint="--train")
        if not window[0] > 0:
            raise typer.BadParameter("give the width first, above 0", param_hint="--window")
        found = from_challenge(
            evidence,
            model,
            window,
            pixel_mm=pixel_mm or _USUAL_PIXEL_MM,
            device=device,
            quiet=quiet,
        )
    elif evidence.is_dir():
        if train is not None:
            raise typer.BadParameter("a corpus brings its own", param_hint="--train")
        models = model, teacher or []
        choice = Choice(*models, split, only, label, self_label, niqe, device, workers, quiet)
        found = from_corpus(evidence, choice)
    else:
        if model is not None or teacher:
            raise typer.BadParameter("a CSV is scored already; give a corpus", param_hint="--model")
        found = from_csv(evidence, train)

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
