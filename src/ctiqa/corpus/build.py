"""Build a corpus from series: doses, labels, table, fingerprint; resumable."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from ctiqa.corpus.part import CorpusSettings, make_part, write_part
from ctiqa.corpus.reconstruction import Reconstruction, reconstructed
from ctiqa.corpus.scanned import Scanned, scanned_slices
from ctiqa.corpus.store import Corpus, SliceFacts, settings_from_dict
from ctiqa.corpus.tables import write_tables
from ctiqa.dose.apodisation import HANN, Apodisation
from ctiqa.dose.simulate import Scan, calibrate
from ctiqa.errors import CorpusError, ReadError
from ctiqa.files import write_whole
from ctiqa.images.series import Refusal, SliceHeader, read

__all__ = ["Build", "build_corpus", "workers_on"]

Progress = Callable[[int, int, str], None]
"""Called with (done, of, what) after every step."""


@dataclass(frozen=True, slots=True)
class Build:
    """What came of building a corpus: the corpus, and the files it could not use."""

    corpus: Corpus
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    """One slice to be made in a worker."""

    header: SliceHeader
    split: str
    other: Reconstruction | None
    scan: Scan
    part: str
    folder: Path
    settings: CorpusSettings


def build_corpus(
    inputs: Sequence[Path],
    folder: Path,
    *,
    settings: CorpusSettings,
    split_of: Callable[[str], str | None],
    workers: int | None = None,
    progress: Progress = lambda _done, _of, _what: None,
) -> Build:
    """Turn series into labelled slices on disk.

    A slice that is done is never made again, so a killed build goes on where it stopped, and more
    series can be added to a corpus later.

    Args:
        inputs: files, folders or zips with CT.
        folder: the corpus, new or begun.
        settings: what decides its content; a begun corpus must have the same.
        split_of: the split of a patient's pseudonym; None leaves the patient out.
        workers: processes; every core by default.
        progress: told after every series calibrated and every slice made.

    Raises:
        CorpusError: if nothing usable was found, the folder holds a corpus of other settings, or a
            worker was ended from outside.
    """
    reading = read(inputs)
    scanned, refusals = scanned_slices(
        reading.series, split_of, reconstructions=settings.reconstructions, seed=settings.seed
    )
    if not scanned:
        raise CorpusError(
            f"no usable CT series of a patient in a split was found in {_named(inputs)}: "
            f"{len(reading.refusals)} files were refused, {len(reading.series)} series left out"
        )
    _begin(folder, settings)
    refusals = [*reading.refusals, *refusals]
    with workers_on(folder, workers) as pool:
        scans = _calibrations(pool, scanned, folder, settings, progress)
        tasks = list(_tasks(scanned, scans, folder, settings))
        missing = [task for task in tasks if not _facts_path(task).exists()]
        done = len(tasks) - len(missing)
        for future in as_completed([pool.submit(_make, task) for task in missing]):
            refusals.extend(future.result())
            done += 1
            progress(done, len(tasks), "slices simulated and labelled")
    made = [_facts(task) for task in tasks if _facts_path(task).exists()]
    write_tables(folder, settings, made)
    return Build(Corpus.open(folder), tuple(refusals))


def _begin(folder: Path, settings: CorpusSettings) -> None:
    about = folder / "settings.json"
    if about.exists():
        begun = settings_from_dict(json.loads(about.read_text("utf-8")))
        if begun != settings:
            changed = [
                field.name
                for field in fields(settings)
                if getattr(begun, field.name) != getattr(settings, field.name)
            ]
            raise CorpusError(
                f"{folder} was begun with another {', '.join(changed)}: choose another folder"
            )
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    (folder / "scans").mkdir(exist_ok=True)
    write_whole(about, json.dumps(asdict(settings)).encode())


@contextmanager
def workers_on(folder: Path, count: int | None) -> Iterator[ProcessPoolExecutor]:
    """Yield processes that work on a corpus; every core by default.

    Raises:
        CorpusError: if one of them is ended from outside.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count or os.cpu_count(), mp_context=context)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise CorpusError(
            f"a worker on {folder} was ended from outside, most often for want of memory: give the"
            " same command again with fewer --workers; what is done is kept"
        ) from error
    finally:
        # Where the disk is full, what still waits must not be worked on first.
        pool.shutdown(cancel_futures=True)


def _calibrations(
    pool: ProcessPoolExecutor,
    scanned: Sequence[Scanned],
    folder: Path,
    settings: CorpusSettings,
    progress: Progress,
) -> list[list[Scan]]:
    scans: dict[int, list[Scan]] = {}
    running: dict[Future[list[Scan]], int] = {}
    for index, one in enumerate(scanned):
        known = _scan_path(folder, one)
        if known.exists():
            scans[index] = [_scan(facts) for facts in json.loads(known.read_text("utf-8"))]
        else:
            running[pool.submit(_calibrated, one, settings)] = index
    for future in as_completed(running):
        index = running[future]
        scans[index] = future.result()
        facts = json.dumps([asdict(scan) for scan in scans[index]])
        write_whole(_scan_path(folder, scanned[index]), facts.encode())
        progress(len(scans), len(scanned), "series calibrated")
    return [scans[index] for index in range(len(scanned))]


def _calibrated(scanned: Scanned, settings: CorpusSettings) -> list[Scan]:
    return calibrate(scanned.slices(), seed=settings.seed, electronic=settings.electronic)


def _scan_path(folder: Path, scanned: Scanned) -> Path:
    # Calibration smooths along the table, so it belongs to exactly these slices.
    return folder / "scans" / f"{scanned.key()}.json"


def _scan(facts: dict[str, Any]) -> Scan:
    apodisation = Apodisation(**facts.pop("apodisation"))
    return Scan(apodisation=apodisation, **facts)


def _tasks(
    scanned: Sequence[Scanned],
    scans: Sequence[Sequence[Scan]],
    folder: Path,
    settings: CorpusSettings,
) -> Iterator[_Task]:
    for one, scans_of_one in zip(scanned, scans, strict=True):
        if one.other and scans_of_one[0].apodisation == HANN:
            continue  # its noise spectrum could not be read, and its labels would be a guess
        for header, scan in zip(one.headers, scans_of_one, strict=True):
            yield _Task(header, one.split, one.other, scan, one.part(header), folder, settings)


def _facts_path(task: _Task) -> Path:
    return task.folder / "parts" / f"{task.part}.json"


def _make(task: _Task) -> list[Refusal]:
    """Make one part in a worker; return the refusal of a slice that cannot be read."""
    try:
        ct_slice = task.header.load()
    except ReadError as error:
        # Said once, of the slice as scanned.
        refusal = Refusal(task.header.identity.path, str(error), task.header.identity)
        return [] if task.other else [refusal]
    if task.other:
        ct_slice = reconstructed(ct_slice, task.other)
    part = make_part(ct_slice, task.scan, task.settings, seed=int(task.part[:8], 16))
    write_part(part, task.folder / "parts" / f"{task.part}.npy", _facts_path(task))
    return []


def _facts(task: _Task) -> SliceFacts:
    identity, acquisition = task.header.identity, task.header.acquisition
    return SliceFacts(
        part=task.part,
        split=task.split,
        patient=identity.patient_key,
        series=str(PurePosixPath(identity.path).parent),
        path=identity.path,
        sop_instance_uid=identity.sop_instance_uid,
        series_instance_uid=identity.series_instance_uid,
        frame=identity.frame,
        z_mm=task.header.z_mm,
        reconstruction=str(task.other or ""),
        pixel_mm=task.header.pixel_mm * (task.other.pixel_factor if task.other else 1),
        quanta=task.scan.quanta,
        apodisation=task.scan.apodisation.name,
        apodisation_slope=task.scan.apodisation.slope,
        apodisation_bend=task.scan.apodisation.bend,
        kvp=acquisition.kvp,
        tube_current_ma=acquisition.tube_current_ma,
        kernel=acquisition.kernel,
        slice_thickness_mm=acquisition.slice_thickness_mm,
        manufacturer=acquisition.manufacturer,
        scanner=acquisition.scanner,
        body_part=acquisition.body_part,
    )


def _named(inputs: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in inputs)
