"""Score slices in batches, on whatever device is there."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import FloatImage, Identity
from ctiqa.images.refusal import Refusal
from ctiqa.measures.global_noise import modal_sd, soft_tissue
from ctiqa.scoring.applicability import judge
from ctiqa.scoring.calibration import Calibration
from ctiqa.scoring.columns import PART_COLUMNS
from ctiqa.scoring.intake import Inputs, Waiting, take_in
from ctiqa.scoring.interval import around
from ctiqa.scoring.privacy import DISCREET, Privacy
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult
from ctiqa.scoring.scorer import Scorer
from ctiqa.scoring.workers import cores, in_order

__all__ = ["Progress", "Scorer", "score"]

Progress: TypeAlias = Callable[[int, int | None], None]
"""Called with how many images are done and how many there are (None: nobody knows)."""

Item = TypeVar("Item")


def score(
    inputs: Inputs,
    *,
    model: Path | str | Scorer | None = None,
    device: str = "cpu",
    step: int = 1,
    batch: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    hu: bool = False,
    pixel_mm: float | None = None,
    calibration: Calibration | Path | str | None = None,
    privacy: Privacy = DISCREET,
) -> ScoreReport:
    """Return a score for every slice, its noise beside it, and a summary of every series.

    An image that cannot be scored gets a row with its reason, and the others go on. Memory does
    not grow with the length of a series: each thread loads, measures and scores its own batch.

    Args:
        inputs: files, folders or zips; what :func:`ctiqa.read` returned; slices, which may come
            one by one from a generator; or an array (N, rows, columns) with ``hu=True``.
        model: an ``.onnx`` file, or a :class:`Scorer` that is open already; None for the shipped
            one.
        device: as in :class:`Scorer`.
        step: score every how many slices of a series.
        batch: slices that go through the network at once in each thread; None for 1 on the CPU,
            where more only cost memory, and 8 on a graphics card.
        threads: how many; None for one a core.
        progress: is told how far it has come.
        hu: says of an array that it holds Hounsfield units.
        pixel_mm: side of an array's pixel.
        calibration: what 'ctiqa calibrate' wrote, a file or open already: adds readers' grades.
        privacy: what the report may tell of patients; nothing, if nobody says otherwise.

    Raises:
        ReadError: if the inputs hold nothing to look at.
        ModelError: if the model or the calibration cannot be opened, or do not belong together.
        ValueError: if ``step``, ``batch`` or ``threads`` is below 1.
    """
    scorer = model if isinstance(model, Scorer) else Scorer(model, device=device, threads=1)
    threads = cores() if threads is None else threads
    batch = (1 if scorer.device == "cpu" else 8) if batch is None else batch
    if min(step, batch, threads) < 1:
        raise ValueError("step, batch and threads are at least 1")
    grader = _grader(calibration, scorer)
    size = scorer.card.size
    intake = take_in(inputs, size=size, step=step, hu=hu, pixel_mm=pixel_mm, privacy=privacy)
    done = 0
    series: dict[tuple[int | str, ...], tuple[list[SliceResult], tuple[str, ...]]] = {}
    batches = _batched(intake.waiting, batch)
    for scored in in_order(lambda waiting: _score(waiting, scorer), batches, threads):
        for waiting, bare in scored:
            row = bare if grader is None else _graded(bare, grader)
            series.setdefault(waiting.series, ([], waiting.series_notes))[0].append(row)
        done += len(scored)
        if progress:
            progress(done, intake.total)
    rows = [row for each, _ in series.values() for row in each]
    refused = [_refused(refusal, scorer) for refusal in intake.refusals]
    return ScoreReport(
        slices=(*rows, *refused),
        series=tuple(SeriesSummary.of(each, notes=notes) for each, notes in series.values()),
        card=scorer.card,
        model_sha256=scorer.sha256,
        step=step,
        calibration=grader,
    )


def _grader(calibration: Calibration | Path | str | None, scorer: Scorer) -> Calibration | None:
    """Return the calibration, opened, once it belongs to the model."""
    if calibration is None:
        return None
    opened = calibration if isinstance(calibration, Calibration) else Calibration.read(calibration)
    opened.check_model(scorer.card.name, scorer.sha256)
    return opened


def _graded(row: SliceResult, grader: Calibration) -> SliceResult:
    if row.score is None:
        return row
    grade = grader.reader(row.score)
    return replace(row, reader_score=grade.value, reader_low=grade.low, reader_high=grade.high)


def _batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def _score(batch: list[Waiting], scorer: Scorer) -> list[tuple[Waiting, SliceResult]]:
    """Load, measure, judge and score a few slices."""
    rows: list[SliceResult] = []
    images: list[FloatImage] = []
    sides: list[float] = []
    for waiting in batch:
        row, hu = _look(waiting, scorer)
        rows.append(row)
        if hu is not None:
            images.append(hu)
            sides.append(waiting.header.pixel_mm)
    said = iter(scorer.parts_batch(np.stack(images), sides) if images else ())
    scored = [
        row if row.status == "not_scored" else _with_score(row, next(said), scorer) for row in rows
    ]
    return list(zip(batch, scored, strict=True))


def _look(waiting: Waiting, scorer: Scorer) -> tuple[SliceResult, FloatImage | None]:
    """Return the row of a slice, still without its score, and its HU if it may be scored."""
    header = waiting.header
    facts = _identity(header.identity, scorer) | asdict(header.acquisition)
    facts |= {"z_mm": header.z_mm, "pixel_mm": header.pixel_mm}
    del facts["ctdi_phantom_mm"]
    try:
        ct_slice = header.load()
    except ReadError as error:
        reason = str(error).removeprefix(f"{header.identity.path}: ")
        return SliceResult(**facts, status="not_scored", reasons=(reason,)), None
    tissue = soft_tissue(ct_slice.hu)
    noise_hu = modal_sd(ct_slice.hu, tissue)
    verdict = judge(
        ct_slice,
        scorer.card,
        noise_hu=noise_hu,
        tissue=tissue,
        series_notes=waiting.series_notes,
    )
    row = SliceResult(
        **facts,
        noise_hu=None if np.isnan(noise_hu) else noise_hu,
        status=verdict.status,
        reasons=verdict.reasons,
    )
    return row, None if verdict.status == "not_scored" else ct_slice.hu


def _with_score(row: SliceResult, said: npt.NDArray[np.float32], scorer: Scorer) -> SliceResult:
    """Return the row with its score, its parts and its interval; ``said`` is (members, parts)."""
    means = np.clip(said.astype(np.float64).mean(axis=0), 0, 1).tolist()
    parts = {
        PART_COLUMNS[name]: value
        for name, value in zip(scorer.card.parts, means, strict=True)
        if name in PART_COLUMNS
    }
    if (interval := scorer.card.interval) is not None:
        low, high = around(said[np.newaxis, :, 0], interval)
        parts |= {"score_low": float(low[0]), "score_high": float(high[0])}
    return replace(row, score=means[0], members=tuple(map(float, said[:, 0])), **parts)


def _refused(refusal: Refusal, scorer: Scorer) -> SliceResult:
    identity = refusal.identity or Identity(refusal.path)
    facts = _identity(identity, scorer) | {"path": refusal.path}
    return SliceResult(**facts, status="not_scored", reasons=(refusal.reason,))


def _identity(identity: Identity, scorer: Scorer) -> dict[str, Any]:
    """Return which image and which model a row speaks of; never whose image it is."""
    facts = asdict(identity) | {"model": scorer.card.name, "model_sha256": scorer.sha256}
    del facts["patient_key"], facts["patient"]
    return facts
