"""Measure every slice of a scan, and sum up series and exams; no model is asked."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import nan
from statistics import fmean, median

from ctiqa.errors import ReadError
from ctiqa.images.ct_slice import Identity
from ctiqa.images.refusal import Refusal
from ctiqa.measures.spectrum import NoiseSpectrum
from ctiqa.protocol.measure_slice import CUT_OFF_MM, known, measure_slice, texture
from ctiqa.protocol.measured import D_PRIME, FIGURES, NOISE, Measured, MeasureReport
from ctiqa.scoring.intake import Inputs, Waiting, take_in
from ctiqa.scoring.privacy import DISCREET, Privacy
from ctiqa.scoring.workers import cores, in_order

__all__ = ["measure"]

_FEWEST_PATCHES = 12
_MEANS = ("tube_current_ma", "ctdivol_mgy", "ssde_mgy")


def measure(
    inputs: Inputs,
    *,
    step: int = 1,
    threads: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    hu: bool = False,
    pixel_mm: float | None = None,
    privacy: Privacy = DISCREET,
) -> MeasureReport:
    """Return what can be measured on every slice without a model, summed up by series and exam.

    An image that cannot be measured gets a row with its reason, and the others go on. No slice is
    padded, cropped or interpolated.

    Args:
        inputs: as :func:`ctiqa.score` takes them.
        step: measure every how many slices of a series.
        threads: how many work; None for one a core.
        progress: is told how many slices are done and how many there are.
        hu: says of an array that it holds Hounsfield units.
        pixel_mm: side of an array's pixel.
        privacy: what the report may tell of patients; nothing, if nobody says otherwise.

    Raises:
        ReadError: if the inputs hold nothing to look at.
        ValueError: if ``step`` or ``threads`` is below 1.
    """
    threads = cores() if threads is None else threads
    if min(step, threads) < 1:
        raise ValueError("step and threads are at least 1")
    intake = take_in(inputs, size=None, step=step, hu=hu, pixel_mm=pixel_mm, privacy=privacy)
    rows: list[Measured] = []
    groups: dict[tuple[int | str, ...], _Group] = {}

    def look(waiting: Waiting) -> tuple[Waiting, Measured]:
        return waiting, _measured(waiting)

    for waiting, row in in_order(look, intake.waiting, threads):
        rows.append(row)
        groups.setdefault(waiting.series, _Group(waiting.series_notes)).rows.append(row)
        if progress:
            progress(len(rows), intake.total)
    rows += [_refused(refusal) for refusal in intake.refusals]
    series = [_series(group) for group in groups.values()]
    return MeasureReport(
        slices=tuple(rows), series=tuple(series), exams=_exams(groups.values()), step=step
    )


@dataclass
class _Group:
    """The slices of one series."""

    notes: tuple[str, ...]
    rows: list[Measured] = field(default_factory=list)


def _measured(waiting: Waiting) -> Measured:
    header = waiting.header
    try:
        ct_slice = header.load()
    except ReadError as error:
        reason = str(error).removeprefix(f"{header.identity.path}: ")
    else:
        lowest, highest = float(ct_slice.hu.min()), float(ct_slice.hu.max())
        if lowest < highest:
            return measure_slice(ct_slice)
        reason = f"every pixel is {lowest:g} HU"
    return Measured(
        level="slice",
        identity=header.identity,
        z_mm=header.z_mm,
        slices=0,
        status="not_measured",
        reasons=(reason,),
        acquisition=header.acquisition,
        pixel_mm=header.pixel_mm,
    )


def _series(group: _Group) -> Measured:
    """Return one series: medians over its slices, means of doses, the spectrum of all patches."""
    rows = [row for row in group.rows if row.status == "measured"]
    first = (rows or group.rows)[0]
    figures = {name: _middle(name, rows) for name in FIGURES if not name.startswith("nps_")}
    spectrum = NoiseSpectrum.pooled([row.spectrum for row in rows if row.spectrum is not None])
    sigma_mm = figures["edge_sigma_mm"]
    figures |= dict.fromkeys((*D_PRIME, "d_prime_sigma_mm"), nan)
    figures |= texture(spectrum, sigma_mm=sigma_mm, fewest_patches=_FEWEST_PATCHES)
    return Measured(
        level="series",
        identity=_shared(first.identity),
        slices=len(rows),
        status="measured" if rows else "not_measured",
        reasons=(*group.notes, *_counted(rows)),
        figures=known(figures),
        acquisition=first.acquisition,
        pixel_mm=first.pixel_mm,
        spectrum=spectrum,
    )


def _exams(groups: Iterable[_Group]) -> tuple[Measured, ...]:
    """Return one row for each study: the mean noise, size and dose of all its slices."""
    studies: dict[object, list[Measured]] = {}
    for number, group in enumerate(groups):
        key = group.rows[0].identity.study_instance_uid or number
        studies.setdefault(key, []).extend(group.rows)
    names = (*NOISE, "water_equivalent_mm", *_MEANS)
    exams = []
    for slices in studies.values():
        rows = [row for row in slices if row.status == "measured"]
        values = {
            name: [row.figures[name] for row in rows if name in row.figures] for name in names
        }
        exams.append(
            Measured(
                level="exam",
                identity=replace(_shared(slices[0].identity), series_instance_uid=""),
                slices=len(rows),
                status="measured" if rows else "not_measured",
                figures={name: fmean(each) for name, each in values.items() if each},
            )
        )
    return tuple(exams)


def _middle(name: str, rows: list[Measured]) -> float:
    values = [row.figures[name] for row in rows if name in row.figures]
    if not values:
        return nan
    if name == "cut_off_mm":
        return max(values)
    return fmean(values) if name in _MEANS else median(values)


def _counted(rows: list[Measured]) -> list[str]:
    cut_off = sum(row.figures.get("cut_off_mm", 0) > CUT_OFF_MM for row in rows)
    if not cut_off:
        return []
    return [f"the field of view cuts the body off in {cut_off} of {len(rows)} slices"]


def _shared(identity: Identity) -> Identity:
    return Identity(
        path="",
        study_instance_uid=identity.study_instance_uid,
        series_instance_uid=identity.series_instance_uid,
        patient_hash=identity.patient_hash,
    )


def _refused(refusal: Refusal) -> Measured:
    return Measured(
        level="slice",
        identity=replace(refusal.identity or Identity(refusal.path), path=refusal.path),
        slices=0,
        status="not_measured",
        reasons=(refusal.reason,),
    )
