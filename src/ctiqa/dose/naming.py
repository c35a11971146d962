"""What simulated series are called, and what they say of themselves."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from ctiqa.dose.apodisation import Apodisation
from ctiqa.dose.series import LowerDose
from ctiqa.dose.simulate import Scan
from ctiqa.images.derive import DerivedSeries
from ctiqa.images.pixels import DicomPixels
from ctiqa.images.series import Series
from ctiqa.images.slice_header import SliceHeader

__all__ = ["derived_series", "names_of", "targets_of"]


def names_of(series: Sequence[Series]) -> list[str]:
    """Return a name for each series, after its folder or zip; the second of a name gets a 2."""
    names: list[str] = []
    for one in series:
        header = one.headers[0]
        folder = PurePosixPath(header.identity.path).parent.name
        if not folder and isinstance(header.pixels, DicomPixels):
            folder = header.pixels.place.file.absolute().parent.name
        stem = folder.removesuffix(".zip") or "series"
        name, second = stem, 2
        while name in names:
            name, second = f"{stem}-{second}", second + 1
        names.append(name)
    return names


def targets_of(folder: Path, name: str, lower: LowerDose) -> list[Path]:
    """Return the folder of each derived series of a source called ``name``, one for each dose."""
    return [folder / f"{name}-dose-{_printed(dose)}" for dose in lower.doses]


def _printed(dose: float) -> str:
    """Return 0.5 as 0.50 and 0.125 as it is, so that folders sort by dose."""
    return f"{dose:.2f}" if round(dose, 2) == dose else f"{dose:g}"


def derived_series(
    source: SliceHeader, dose: float, scans: Sequence[Scan], lower: LowerDose
) -> DerivedSeries:
    """Return what the slices of ``source`` at ``dose`` have in common; names all that made them."""
    quanta = [scan.quanta for scan in scans]
    field = (
        f"one noise field of dose {min(lower.doses):g} scaled to every dose"
        if lower.shared_field
        else "noise independent of other doses"
    )
    return DerivedSeries.of(
        source,
        description=f"{100 * dose:g} % dose",
        derivation=(
            f"Simulated at {100 * dose:g} % of the dose by ctiqa {version('ctiqa')}: quantum and"
            " electronic noise inserted in the projection domain (parallel beam, 720 views) and"
            f" added; {min(quanta):.4g} to {max(quanta):.4g} quanta per unattenuated ray, read off"
            f" the series itself; electronic noise of {lower.electronic:g} quanta squared; ramp"
            f" filter with {_described(scans[0].apodisation)}; seed {lower.seed}; {field}."
        ),
        number=9000 + round(100 * dose),
    )


def _described(window: Apodisation) -> str:
    if window.name != "fitted":
        return f"the {window.name} window"
    return (
        f"the window exp({window.slope:.4g} f^2 {window.bend:+.4g} f^4) fitted to the series' noise"
        " (f in cycles per pixel)"
    )
