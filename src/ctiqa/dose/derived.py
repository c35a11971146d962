"""Write scans at lower doses as derived DICOM series, each whole or not at all."""

import posixpath
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ctiqa.dose.naming import derived_series, names_of, targets_of
from ctiqa.dose.series import LowerDose, Readable, at_doses
from ctiqa.dose.simulate import calibrate
from ctiqa.errors import ReadError, WriteError
from ctiqa.images.derive import write_derived
from ctiqa.images.pixels import DicomPixels
from ctiqa.images.refusal import Refusal
from ctiqa.images.series import Series, read
from ctiqa.images.slice_header import SliceHeader

__all__ = ["SimulatedSeries", "Simulation", "simulate", "simulate_series"]

Progress = Callable[[int, int], None]
"""Called with (done, of) after every slice that was measured and every image written."""


@dataclass(frozen=True, slots=True)
class SimulatedSeries:
    """What came of one series.

    Args:
        source: its name, after the folder that held it.
        folders: the derived series, one for each dose in their order; none where no slice of the
            source could be read.
        slices: how many each of them holds.
        quanta: fewest and most photons per unattenuated ray that the source shows.
        refusals: the slices that could not be read, with the reason.
        notes: what a user of the images should know, in words.
    """

    source: str
    folders: tuple[Path, ...]
    slices: int
    quanta: tuple[float, float]
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Simulation:
    """What came of all inputs: every series, and everything that was refused."""

    series: tuple[SimulatedSeries, ...]
    refusals: tuple[Refusal, ...]


def simulate(
    inputs: Path | str | Sequence[Path | str],
    folder: Path | str,
    *,
    lower: LowerDose,
    step: int = 1,
    threads: int = 2,
    progress: Progress = lambda _done, _of: None,
) -> Simulation:
    """Write every series of the inputs at every dose, as ``<folder>/<series>-dose-<dose>/``.

    Args:
        inputs: files, folders or zips of DICOM.
        folder: receives the derived series.
        lower: which doses, and how.
        step: take every ``step``-th slice of a series.
        threads: slices at work at once; the images do not depend on it.
        progress: told after every step.

    Raises:
        ReadError: if the inputs hold no series that can be simulated.
        WriteError: if a derived series is there already or cannot be written.
    """
    reading = read(inputs, size=None)
    refusals = list(reading.refusals)
    series = []
    for one in reading.series:
        if isinstance(one.headers[0].pixels, DicomPixels):
            series.append(replace(one, headers=one.headers[::step]))
        else:
            reason = "a derived DICOM series needs a DICOM source; give the scan as DICOM instead"
            refusals.append(Refusal(one.headers[0].identity.path, reason))
    if not series:
        reasons = "; ".join(f"{one.path}: {one.reason}" for one in refusals[:3])
        raise ReadError(f"no CT series that can be simulated was found ({reasons})")
    names = names_of(series)
    _check_free([path for name in names for path in targets_of(Path(folder), name, lower)])
    steps = _Steps(sum(_steps(one, lower) for one in series), progress)
    simulated = tuple(
        simulate_series(
            one,
            Path(folder),
            lower=lower,
            name=name,
            threads=threads,
            progress=lambda _done, _of: steps.take(),
        )
        for one, name in zip(series, names, strict=True)
    )
    for done in simulated:
        refusals.extend(done.refusals)
    return Simulation(simulated, tuple(refusals))


def simulate_series(
    series: Series,
    folder: Path,
    *,
    lower: LowerDose,
    name: str,
    threads: int = 2,
    progress: Progress = lambda _done, _of: None,
) -> SimulatedSeries:
    """Write one series at every dose; a derived series appears when it is whole.

    Args:
        series: the scan, read from DICOM with its own matrix (``read(..., size=None)``).
        folder: receives ``<name>-dose-<dose>/`` for each dose.
        lower: which doses, and how.
        name: what to call the series.
        threads: slices at work at once; the images do not depend on it.
        progress: told after every step.

    Raises:
        WriteError: if a derived series is there already or cannot be written.
    """
    targets = targets_of(folder, name, lower)
    _check_free(targets)
    steps = _Steps(_steps(series, lower), progress)
    headers = _squared(series.headers)
    slices = Readable(headers, steps.take)
    scans = calibrate(slices, seed=lower.seed, electronic=lower.electronic, threads=threads)
    derived = [derived_series(headers[0], dose, scans, lower) for dose in lower.doses]
    filed = _filed_below(headers)
    with _whole(targets) as stages:

        def make(index: int) -> list[str] | None:
            try:
                ct_slice = headers[index].load()
                images, doubts = at_doses(ct_slice, scan=scans[index], lower=lower)
                for hu, stage, one in zip(images, stages, derived, strict=True):
                    words = f"{one.derivation} This slice: {scans[index].quanta:.4g} quanta."
                    write_derived(filed[index], hu, stage, series=replace(one, derivation=words))
                    steps.take()
            except ReadError as error:
                identity = headers[index].identity
                slices.refusals[index] = Refusal(identity.path, str(error), identity)
                return None
            return doubts

        found = [
            doubts for doubts in _in_threads(make, len(headers), threads) if doubts is not None
        ]
    count = Counter(doubt for doubts in found for doubt in doubts)
    quanta = [scan.quanta for scan in scans]
    return SimulatedSeries(
        source=name,
        folders=tuple(targets) if found else (),
        slices=len(found),
        quanta=(min(quanta), max(quanta)),
        refusals=tuple(slices.refusals[index] for index in sorted(slices.refusals)),
        notes=tuple(f"{many} of {len(found)} slices: {doubt}" for doubt, many in count.items()),
    )


class _Steps:
    """Counts the steps of several threads for whoever watches."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._lock = threading.Lock()
        self._done, self._total, self._progress = 0, total, progress

    def take(self) -> None:
        with self._lock:
            # The spectrum reads some slices once more, which nobody counts on.
            self._done = min(self._done + 1, self._total)
            self._progress(self._done, self._total)


def _steps(series: Series, lower: LowerDose) -> int:
    return len(series) * (1 + len(lower.doses))


def _in_threads(
    make: Callable[[int], list[str] | None], count: int, threads: int
) -> list[list[str] | None]:
    pool = ThreadPoolExecutor(threads)
    try:
        # Not lazily: an interrupt between two results must end the threads before what they write
        # is deleted.
        return list(pool.map(make, range(count)))
    finally:
        # A full disk or an interrupt must not wait for the rest of the series.
        pool.shutdown(cancel_futures=True)


def _squared(headers: Sequence[SliceHeader]) -> list[SliceHeader]:
    """Return the slices such that they load square and even, as the beam wants them."""
    side = max(max(header.rows, header.columns) for header in headers)
    return [header.fitted(side + side % 2) for header in headers]


def _check_free(targets: Sequence[Path]) -> None:
    for target in targets:
        if target.exists():
            raise WriteError(f"{target} is there already: delete it or choose another folder")


def _filed_below(headers: Sequence[SliceHeader]) -> list[SliceHeader]:
    """Return the slices with paths below the folder that holds them all."""
    paths = [PurePosixPath(header.identity.path) for header in headers]
    root = posixpath.commonpath([path.parent for path in paths])
    return [
        replace(header, identity=replace(header.identity, path=str(path.relative_to(root))))
        for header, path in zip(headers, paths, strict=True)
    ]


@contextmanager
def _whole(targets: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield a folder to write each target in, renamed at the end and deleted on failure."""
    stages = [target.with_name(f".{target.name}.part") for target in targets]
    try:
        for stage in stages:
            shutil.rmtree(stage, ignore_errors=True)  # what a killed run left
        yield stages
        for stage, target in zip(stages, targets, strict=True):
            if stage.exists():
                stage.replace(target)
    except OSError as error:
        reason = error.strerror or "it could not be renamed"
        raise WriteError(f"{targets[0]}: {reason}; choose another folder") from error
    finally:
        for stage in stages:
            shutil.rmtree(stage, ignore_errors=True)
