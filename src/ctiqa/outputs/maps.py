"""Write where in each scored slice quality is lost: pictures, a NIfTI volume, a DICOM map."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ctiqa.errors import ReadError
from ctiqa.files import write_whole
from ctiqa.images.ct_slice import FloatImage, Identity
from ctiqa.images.pixels import DicomPixels
from ctiqa.images.series import Reading
from ctiqa.images.slice_header import SliceHeader
from ctiqa.images.window import SOFT_TISSUE
from ctiqa.outputs.dicom_results import check_highdicom
from ctiqa.outputs.map_volume import place_maps, write_nifti
from ctiqa.outputs.series_names import series_names
from ctiqa.scoring.quality_map import quality_map
from ctiqa.scoring.result import ScoreReport, SliceResult
from ctiqa.scoring.scorer import Scorer
from ctiqa.scoring.workers import in_order

__all__ = ["DICOM_FOLDER", "write_maps"]

Maps: TypeAlias = dict[Identity, FloatImage]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, of)."""

DICOM_FOLDER = "dicom"
"""Its own folder, since what lies there names the patient and the rest names nobody."""


@dataclass(frozen=True, slots=True)
class _Series:
    """A series to be mapped: its folder's name, the slices that were looked at, their results."""

    name: str
    headers: Sequence[SliceHeader]
    rows: Sequence[SliceResult]


def write_maps(
    report: ScoreReport,
    reading: Reading,
    folder: Path,
    *,
    scorer: Scorer,
    threads: int = 1,
    progress: Progress = lambda _done, _of: None,
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write the maps of each series: a picture of each scored slice, a NIfTI volume, a DICOM map.

    Pictures and volume lie in a folder for each series and name nobody. The DICOM map of a series
    names patient and study, since an archive files by them; a scan that is no DICOM has none.

    Args:
        report: what :func:`ctiqa.score` made of ``reading``.
        reading: the series, read with the ``size`` of the model's card, as results may tell them.
        folder: where the files go; made if need be.
        scorer: with which they were scored.
        threads: how many slices are mapped at once.
        progress: told after every slice.

    Returns:
        The files; and for each form that a series lacks its name and the reason, in a sentence.

    Raises:
        CtiqaError: if the extra ``sr`` is not installed.
        ModelError: if the model has no map.
        ReadError: if a slice can no longer be read.
        WriteError: if a file could not be written whole.
    """
    check_highdicom()
    scorer.check_map()
    files: list[Path] = []
    refusals: list[str] = []
    done = 0
    of = sum(summary.scored for summary in report.series)
    for one in _scored_series(report, reading):
        scored = [place for place, row in enumerate(one.rows) if row.score is not None]
        maps: Maps = {}
        for picture, identity, loss in in_order(
            partial(_map_slice, one, folder, scorer), scored, threads
        ):
            files.append(picture)
            maps[identity] = loss
            done += 1
            progress(done, of)
        for write in (_write_volume, _write_dicom):
            try:
                files += write(report, one, maps, folder)
            except ReadError as refused:
                refusals.append(str(refused))
    # What both forms lack is said once.
    return tuple(files), tuple(dict.fromkeys(refusals))


def _scored_series(report: ScoreReport, reading: Reading) -> Iterator[_Series]:
    found = zip(series_names(report), reading.series, report.by_series(), strict=True)
    for name, series, (summary, rows) in found:
        if summary.scored:
            yield _Series(name, series.headers[:: report.step], rows)


def _map_slice(
    series: _Series, folder: Path, scorer: Scorer, place: int
) -> tuple[Path, Identity, FloatImage]:
    """Map one slice, write its picture, and return that and the loss of each cell."""
    # Here, since pillow is an extra.
    from ctiqa.outputs.map_picture import map_beside_slice  # noqa: PLC0415
    from ctiqa.outputs.picture import encoded  # noqa: PLC0415

    ct_slice = series.headers[place].load()
    found = quality_map(ct_slice, scorer)
    row = series.rows[place]
    where = "" if row.z_mm is None else f", z {row.z_mm:.1f} mm"
    caption = f"slice {place + 1} of {len(series.rows)}{where}, score {row.score:.3f}"
    picture = map_beside_slice(ct_slice.hu, found.on_pixels(), caption, window=SOFT_TISSUE)
    path = folder / series.name / f"slice-{place + 1:04d}.png"
    return write_whole(path, encoded(picture)), ct_slice.identity, found.loss


def _write_volume(report: ScoreReport, series: _Series, maps: Maps, folder: Path) -> list[Path]:
    path = folder / series.name / "quality-loss.nii.gz"
    return [write_nifti(place_maps(series.headers, maps, size=report.card.size), path)]


def _write_dicom(report: ScoreReport, series: _Series, maps: Maps, folder: Path) -> list[Path]:
    # Here, since highdicom is an extra and slow to import.
    from ctiqa.outputs.parametric_map import parametric_map  # noqa: PLC0415
    from ctiqa.outputs.sr_evidence import evidence_of  # noqa: PLC0415
    from ctiqa.outputs.structured_report import as_bytes  # noqa: PLC0415

    if not isinstance(series.headers[0].pixels, DicomPixels):
        return []
    image = parametric_map(report, evidence_of(series.headers, series.rows), maps)
    path = folder / DICOM_FOLDER / f"map-{image.SOPInstanceUID}.dcm"
    return [write_whole(path, as_bytes(image))]
