"""Prove a score on one's own scan: the properties that it must have, as one certificate."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from ctiqa.dose.simulate import Scan, calibrate
from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import CTSlice
from ctiqa.images.series import Series
from ctiqa.images.slice_header import SliceHeader
from ctiqa.protocol.constancy import constancy
from ctiqa.protocol.laws import Check, checks
from ctiqa.protocol.trials import Tried, denoisers, tried
from ctiqa.scoring.applicability import judge
from ctiqa.scoring.scorer import Scorer

__all__ = ["Certificate", "self_test"]

SCHEMA_VERSION = 1
FEWEST_SLICES = 6
_NEIGHBOURS_MM = 2.0

Progress = Callable[[int, int], None]
"""Called with (done, of)."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a self-test found.

    Args:
        checks: every law.
        series_instance_uid: of the series that it was tried on.
        slices: how many slices were tried.
        cautions: what the model says of these slices before it scores them, in words.
        model: its name.
        model_sha256: of its file.
        date: of the test, ISO 8601.
        seed: of all that was drawn.
    """

    checks: tuple[Check, ...]
    series_instance_uid: str
    slices: int
    cautions: tuple[str, ...]
    model: str
    model_sha256: str
    date: str
    seed: int

    @property
    def failed(self) -> tuple[Check, ...]:
        """The laws that do not hold."""
        return tuple(check for check in self.checks if check.passed is False)

    def to_dict(self) -> dict[str, Any]:
        """Return the certificate as plain data, ``schema_version`` first."""
        values = asdict(self)
        values["checks"] = [{**asdict(check), "passed": check.passed} for check in self.checks]
        return {"schema_version": SCHEMA_VERSION, **values}


def self_test(
    series: Series,
    scorer: Scorer,
    *,
    slices: int = 12,
    seed: int = 0,
    threads: int = 1,
    progress: Progress = lambda _done, _of: None,
) -> Certificate:
    """Try everything of which it is known what a score must do, on slices of one series.

    Args:
        series: read at the size that the model takes.
        scorer: the model.
        slices: how many, spread along the table.
        seed: of all that is drawn; the same seed gives the same certificate.
        threads: slices at work at once.
        progress: told after every slice.

    Raises:
        ReadError: if the series has too few slices that can be scored.
    """
    chosen, cautions = _chosen(series, scorer, slices)
    if len(chosen) < FEWEST_SLICES:
        raise ReadError(
            f"a self-test needs {FEWEST_SLICES} slices that can be scored, and the series has "
            f"{len(chosen)}; name a longer series"
        )
    scans = calibrate(chosen, seed=seed, threads=threads)
    smoothing = denoisers()

    def act(place: int, one: CTSlice, scan: Scan) -> Tried:
        return tried(
            *(one, scan, lambda hu: _score(scorer, one.with_hu(hu))),
            seed=seed + place,
            smoothing=smoothing,
        )

    rows = []
    with ThreadPoolExecutor(threads) as pool:
        running = [
            pool.submit(act, place, one, scan)
            for place, (one, scan) in enumerate(zip(chosen, scans, strict=True))
        ]
        for place, future in enumerate(running, start=1):
            rows.append(future.result())
            progress(place, len(running))
    return Certificate(
        checks=(
            *checks(rows),
            *_neighbours(series, scorer),
            *_batches(chosen, scorer),
            constancy(scorer),
        ),
        series_instance_uid=chosen[0].identity.series_instance_uid,
        slices=len(chosen),
        cautions=cautions,
        model=scorer.card.name,
        model_sha256=scorer.sha256,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
    )


def _chosen(series: Series, scorer: Scorer, count: int) -> tuple[list[CTSlice], tuple[str, ...]]:
    """Return some slices of a series that may be scored, and what the model says of them."""
    headers = series.headers
    spread = np.unique(np.linspace(0, len(headers) - 1, count + 2)[1:-1].round().astype(int))
    found: list[CTSlice] = []
    cautions: dict[str, None] = {}
    for place in spread:
        try:
            one = _loaded(headers[int(place)], scorer.card.size)
        except ReadError:
            continue
        verdict = judge(one, scorer.card, noise_hu=float("nan"))
        if verdict.status != "not_scored":
            found.append(one)
            cautions |= dict.fromkeys(verdict.reasons)
    return found, tuple(cautions)


def _loaded(header: SliceHeader, size: int) -> CTSlice:
    return (header if header.size == size else header.fitted(size)).load()


def _score(scorer: Scorer, one: CTSlice) -> float:
    return float(scorer.score_batch(one.hu[np.newaxis], one.pixel_mm).astype(np.float64).mean())


def _neighbours(series: Series, scorer: Scorer) -> tuple[Check, ...]:
    """Return how much the score jumps between slices that lie close together."""
    words, tried_words = "agree between neighbours", "slices at most 2 mm apart, 95th percentile"
    close = [
        pair
        for pair in pairwise(series.headers)
        if pair[0].z_mm is not None
        and pair[1].z_mm is not None
        and abs(pair[1].z_mm - pair[0].z_mm) <= _NEIGHBOURS_MM
    ]
    jumps = []
    for pair in close[:: max(1, len(close) // 24)]:
        try:
            first, second = (_score(scorer, _loaded(header, scorer.card.size)) for header in pair)
        except ReadError:
            continue
        jumps.append(abs(first - second))
    figure = float(np.percentile(jumps, 95)) if jumps else None
    return (Check("I8", words, tried_words, figure, 0.05, at_least=False),)


def _batches(chosen: Sequence[CTSlice], scorer: Scorer) -> tuple[Check, ...]:
    """Return how much a score depends on the batch in which it is made."""
    hu = np.stack([one.hu for one in chosen])
    sides = [one.pixel_mm for one in chosen]
    alone = np.array([_score(scorer, one) for one in chosen])
    together = scorer.score_batch(hu, sides).astype(np.float64).mean(axis=1)
    figure = float(np.abs(together - alone).max())
    tried_words = f"alone and {len(hu)} at once, largest difference"
    return (Check("I9", "not depend on the batch", tried_words, figure, 1e-5, at_least=False),)
