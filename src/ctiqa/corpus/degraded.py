"""Add degraded images and labels in parts to a corpus; resumable slice by slice."""

import json
from collections.abc import Callable
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ctiqa.corpus.build import workers_on
from ctiqa.corpus.degraded_images import FOLDER, LOSS
from ctiqa.corpus.labeller import STREAKS, Labeller
from ctiqa.corpus.loss_map import to_bytes
from ctiqa.corpus.mixture import Mixture
from ctiqa.corpus.resolution import resolutions
from ctiqa.corpus.store import Corpus
from ctiqa.degrade.kinds import to_record
from ctiqa.dose.simulate import lower_dose
from ctiqa.errors import CorpusError
from ctiqa.files import write_whole
from ctiqa.images.ct_slice import FloatImage

__all__ = ["degrade_corpus"]

Progress = Callable[[int, int], None]
"""Called with (done, of)."""


@dataclass(frozen=True, slots=True)
class _Task:
    """One slice to be degraded in a worker."""

    corpus: Corpus
    sigma_mm: float
    mixture: Mixture

    @property
    def part(self) -> str:
        return self.corpus.slices[0].facts.part

    @property
    def facts_path(self) -> Path:
        return self.corpus.folder / FOLDER / f"{self.part}.json"


def degrade_corpus(
    corpus: Corpus,
    mixture: Mixture,
    *,
    workers: int | None = None,
    progress: Progress = lambda _done, _of: None,
) -> None:
    """Add to each slice of a corpus its degraded images, and to all images labels in parts.

    A slice that is done is never made again, so that a killed run goes on where it stopped.

    Args:
        corpus: open.
        mixture: what is drawn.
        workers: processes; every core by default.
        progress: told after every slice.

    Raises:
        CorpusError: if the corpus was degraded by another mixture or another way of reading
            resolutions, or a worker was ended.
        WriteError: if something could not be written whole.
    """
    folder = corpus.folder / FOLDER
    _begin(folder, mixture)
    tasks = [
        _Task(_alone(corpus, index), sigma_mm, mixture)
        for indices, sigma_mm in resolutions(corpus, folder / "resolutions.json")
        for index in indices
    ]
    missing = [task for task in tasks if not task.facts_path.exists()]
    done = len(tasks) - len(missing)
    with workers_on(corpus.folder, workers) as pool:
        for future in as_completed([pool.submit(_make, task) for task in missing]):
            future.result()
            done += 1
            progress(done, len(tasks))


def _begin(folder: Path, mixture: Mixture) -> None:
    path, words = folder / "mixture.json", json.dumps(asdict(mixture), indent=2) + "\n"
    if path.exists() and path.read_text("utf-8") != words:
        raise CorpusError(
            f"{folder} was made by another mixture; take that of {path}, or delete the folder"
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise CorpusError(f"{folder} cannot be made ({error.strerror})") from error
    write_whole(path, words.encode())


def _alone(corpus: Corpus, index: int) -> Corpus:
    return Corpus(corpus.folder, corpus.settings, (corpus.slices[index],))


def _make(task: _Task) -> None:
    """Make the degraded images of one slice in a worker, and the labels of all its images."""
    corpus, mixture, facts = task.corpus, task.mixture, task.corpus.slices[0].facts
    ct_slice, scan = corpus.scanned(0)
    seed = [mixture.seed, int(task.part[:8], 16)]
    labeller = Labeller.of(
        ct_slice,
        scan,
        sigma_mm=task.sigma_mm,
        rng=np.random.default_rng([*seed, 4]),
        exponent=mixture.exponent,
        clean=corpus.clean(0),
    )
    images, rows = [], []
    lost = [labeller.labelled(dose).loss for dose in corpus.settings.image_doses]
    for place, (degradation, dose) in enumerate(
        mixture.drawn(task.part, train=facts.split == "train")
    ):
        rng = np.random.default_rng([*seed, 5, place])
        noisy = (
            lower_dose(ct_slice, dose_fraction=dose, scan=scan, rng=rng)
            if dose <= 1
            else ct_slice.with_hu(labeller.noisy(dose))
        )
        at_dose = replace(scan, quanta=scan.quanta * dose)
        degrade = degradation.prepare(noisy, at_dose, noise_hu=labeller.noise_hu(dose))
        images.append(_stored(degrade(noisy.hu)))
        label = labeller.labelled(dose, degrade, streaks=degradation.kind in STREAKS)
        record = to_record(degradation)
        rows.append({"dose": dose, "degradation": record, **label.quality._asdict()})
        lost.append(label.loss)
    undegraded = [labeller.quality(dose)._asdict() for dose in corpus.settings.label_doses]
    held = {"sigma_mm": task.sigma_mm, "undegraded": undegraded, "degraded": rows}
    _write_array(task.facts_path.with_suffix(LOSS), to_bytes(np.stack(lost)))
    _write_array(task.facts_path.with_suffix(".npy"), np.stack(images))
    write_whole(task.facts_path, (json.dumps(held) + "\n").encode())


def _write_array(path: Path, array: npt.NDArray[Any]) -> None:
    write_whole(path, lambda file: np.save(file, array, allow_pickle=False))


def _stored(hu: FloatImage) -> npt.NDArray[np.int16]:
    """Return an image in HU as a scanner stores it."""
    return np.clip(np.rint(hu), -32768, 32767).astype(np.int16)
