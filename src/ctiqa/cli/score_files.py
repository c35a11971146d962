"""Write what a scoring run was asked for beside its table, and say what was written."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ctiqa.cli.console import progress, stderr

if TYPE_CHECKING:
    from ctiqa.images.series import Reading
    from ctiqa.scoring.privacy import Privacy
    from ctiqa.scoring.result import ScoreReport
    from ctiqa.scoring.scorer import Scorer

__all__ = ["Beside", "Scored", "Written"]

Written: TypeAlias = tuple[tuple[Path, ...], tuple[str, ...]]
"""The files, and why others are missing, in sentences that were said already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A run that came to its end.

    Args:
        report: what it found.
        reading: what was scored, with ``scorer`` and ``privacy``.
        scorer: the model.
        privacy: what may be told of patients.
        threads: how many may work; None for one a core.
    """

    report: "ScoreReport"
    reading: "Reading"
    scorer: "Scorer"
    privacy: "Privacy"
    threads: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The folders of what is wanted beside the table; None for what is not.

    Args:
        reports: for DICOM structured reports.
        maps: for quality maps.
        pages: for pages of HTML.
        quiet: say nothing but what is missing.
    """

    reports: Path | None
    maps: Path | None
    pages: Path | None
    quiet: bool

    def check_installed(self) -> None:
        """Say before the work that something is missing for it.

        Raises:
            CtiqaError: naming the extra.
        """
        if self.pages is not None:
            import ctiqa.outputs.report  # noqa: F401
        if self.reports is not None or self.maps is not None:
            from ctiqa.outputs.dicom_results import check_highdicom

            check_highdicom()

    def check_model(self, scorer: "Scorer") -> None:
        """Say before the work that the model cannot do what is wanted of it.

        Raises:
            ModelError: if it has no map.
        """
        if self.maps is not None:
            scorer.check_map()

    def write(self, scored: Scored) -> Written:
        """Write all that is wanted.

        Raises:
            ReadError: if an image can no longer be read, or a series has no page.
            WriteError: if a file could not be written whole.
        """
        files: tuple[Path, ...] = ()
        missing: tuple[str, ...] = ()
        for folder, write in (
            (self.reports, self._write_reports),
            (self.maps, self._write_maps),
            (self.pages, self._write_pages),
        ):
            if folder is not None:
                written, refusals = write(scored, folder)
                files, missing = files + written, missing + refusals
        return files, missing

    def _write_reports(self, scored: Scored, folder: Path) -> Written:
        from ctiqa.outputs.dicom_results import write_dicom_results
        from ctiqa.scoring.privacy import discreet

        told = discreet(scored.reading, scored.privacy)
        with progress("Reporting", quiet=self.quiet, unit="series") as advance:
            files, refusals = write_dicom_results(scored.report, told, folder, progress=advance)
        self._say(f"Written: {file}" for file in files)
        for refusal in refusals:
            stderr().print(f"No structured report of {refusal}")
        return files, refusals

    def _write_maps(self, scored: Scored, folder: Path) -> Written:
        from ctiqa.outputs.maps import write_maps
        from ctiqa.scoring.privacy import discreet
        from ctiqa.scoring.workers import cores

        told = discreet(scored.reading, scored.privacy)
        with progress("Mapping", quiet=self.quiet, unit="slices") as advance:
            files, refusals = write_maps(
                scored.report,
                told,
                folder,
                scorer=scored.scorer,
                threads=scored.threads or cores(),
                progress=advance,
            )
        forms = Counter(file.suffix for file in files)
        named = f"{forms['.dcm']} in DICOM, which name the patient"
        in_dicom = named if forms[".dcm"] else "none in DICOM"
        counts = f"{forms['.png']} pictures, {forms['.gz']} in NIfTI, {in_dicom}"
        self._say([f"Quality maps in {folder}: {counts}"])
        for refusal in refusals:
            stderr().print(f"A quality map is missing of {refusal}")
        return files, refusals

    def _write_pages(self, scored: Scored, folder: Path) -> Written:
        from ctiqa.outputs.report import loader, write_report
        from ctiqa.scoring.quality_map import quality_map

        scorer = scored.scorer
        pages = write_report(
            scored.report,
            folder,
            load=loader(scored.reading, scored.privacy),
            maps=(lambda shown: quality_map(shown, scorer).on_pixels()) if scorer.has_map else None,
        )
        self._say(f"Report: {page}" for page in pages[-1:])
        return pages, ()

    def _say(self, lines: Iterable[str]) -> None:
        for line in () if self.quiet else lines:
            stderr().print(line)
