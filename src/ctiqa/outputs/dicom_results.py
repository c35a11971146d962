"""Write the results of each series as DICOM: a structured report, and a page that shows it."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from ctiqa.errors import CtiqaError, ReadError
from ctiqa.files import write_whole
from ctiqa.images.series import Reading
from ctiqa.images.slice_header import SliceHeader
from ctiqa.scoring.result import ScoreReport, SeriesSummary, SliceResult

__all__ = ["check_highdicom", "write_dicom_results"]

Progress = Callable[[int, int], None]
"""Called with (done, of)."""


def check_highdicom() -> None:
    """Say before the work that something is missing for it.

    Raises:
        CtiqaError: if the extra ``sr`` is not installed.
    """
    if find_spec("highdicom") is None or find_spec("PIL") is None:
        raise CtiqaError("results in DICOM need highdicom and pillow: pip install 'ctiqa[sr]'")


def write_dicom_results(
    report: ScoreReport,
    reading: Reading,
    folder: Path,
    *,
    progress: Progress = lambda _done, _of: None,
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write a structured report and a summary page for each series, in the study of its images.

    They hold the patient's name and identifiers, since an archive files by them; of all other
    results only a DICOM map does so. Files are called by their UIDs, which follow from what they
    say: the same results overwrite their files.

    Args:
        report: what :func:`ctiqa.score` made of ``reading``.
        reading: the series.
        folder: where the files go; made if need be.
        progress: told after every series.

    Returns:
        The files; and for each series that has none its name and the reason, in a sentence.

    Raises:
        CtiqaError: if the extra ``sr`` is not installed.
        WriteError: if a file could not be written whole.
    """
    check_highdicom()
    files: list[Path] = []
    refusals: list[str] = []
    found = zip(reading.series, report.by_series(), strict=True)
    for done, (series, (summary, rows)) in enumerate(found, start=1):
        try:
            made = _made(report, summary, series.headers[:: report.step], rows)
        except ReadError as refused:
            refusals.append(str(refused))
        else:
            files += [write_whole(folder / name, content) for name, content in made]
        progress(done, len(reading.series))
    return tuple(files), tuple(refusals)


def _made(
    report: ScoreReport,
    summary: SeriesSummary,
    headers: Sequence[SliceHeader],
    rows: Sequence[SliceResult],
) -> list[tuple[str, bytes]]:
    """Return the names and the bytes of the files of one series."""
    # Here, since highdicom is an extra and slow to import.
    from ctiqa.outputs.secondary_capture import secondary_capture  # noqa: PLC0415
    from ctiqa.outputs.sr_evidence import evidence_of  # noqa: PLC0415
    from ctiqa.outputs.structured_report import as_bytes, structured_report  # noqa: PLC0415
    from ctiqa.outputs.summary_page import summary_page  # noqa: PLC0415

    evidence = evidence_of(headers, rows)
    document = structured_report(report, summary, evidence)
    worst = min(evidence.scored, key=lambda scored: scored.score)
    best = max(evidence.scored, key=lambda scored: scored.score)
    page = summary_page(
        report,
        summary,
        rows,
        worst=(worst.row, worst.header.load().hu),
        best=(best.row, best.header.load().hu),
    )
    image = secondary_capture(
        page,
        report,
        evidence,
        shown=(worst, best),
        structured_report_uid=document.SOPInstanceUID,
    )
    return [
        (f"sr-{document.SOPInstanceUID}.dcm", as_bytes(document)),
        (f"sc-{image.SOPInstanceUID}.dcm", as_bytes(image)),
    ]
